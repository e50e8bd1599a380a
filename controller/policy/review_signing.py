"""Who signed the commits of a revision: with bare git, signatures are all that names anybody.

Author, committer and co-authors are free text there, so that they count for nothing. A key stands for every name that
the list of allowed signers gives it, patterns included: whoever may go by one of them is a signer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import assert_never

from controller.domain.decisions import Outcome, Result
from controller.policy.review_facts import (
    CommitSignature,
    Reviewer,
    ReviewFact,
    RevisionFacts,
    SignatureProblem,
)

CONFIGURE = "`git config gpg.format ssh` and `git config commit.gpgsign true`"


def commits_signed(facts: RevisionFacts) -> Outcome:
    """Every commit since the revision in force has a good SSH signature by a key that the server allows."""
    known = {s.sha for s in facts.signatures}
    wrong = [(s, s.problem) for s in facts.signatures if s.problem is not None]
    wrong += [
        (CommitSignature(sha=c.sha), SignatureProblem.UNSIGNED)
        for c in facts.commits
        if c.sha not in known  # missing evidence never passes
    ]
    values = {
        "commits": len(facts.signatures),
        "signers": list(signer_names(facts.signatures)),
        "without": [s.sha for s, _ in wrong[:100]],
    }
    if wrong:
        more = f" ({len(wrong)} commits are refused)" if len(wrong) > 1 else ""
        sentence = f"{_problem(*wrong[-1], facts.active)}{more}."
        return Outcome(name="commits_signed", result=Result.FAIL, sentence=sentence, values=values)
    names = ", ".join(signer_names(facts.signatures)) or "nobody"
    what = "1 commit is" if len(facts.signatures) == 1 else f"{len(facts.signatures)} commits are"
    sentence = f"{what} signed, by {names}."
    return Outcome(name="commits_signed", result=Result.PASS, sentence=sentence, values=values)


def signer_names(signatures: Iterable[CommitSignature]) -> tuple[str, ...]:
    """Every name of every key that signed, sorted."""
    return tuple(sorted({name for s in signatures for name in s.signers}))


def has_signed(person: Reviewer, review: ReviewFact, signatures: Sequence[CommitSignature]) -> bool:
    """Whether the key of the review, or anybody who goes by a name of it or of the person, signed a commit."""
    own = (review.account, *review.names, *person.accounts, *person.emails)
    return any(
        (s.key != "" and s.key == review.key) or _share_a_name(own, s.signers) for s in signatures
    )


def _share_a_name(some: Iterable[str], others: Sequence[str]) -> bool:
    return any(_matches(a, b) or _matches(b, a) for a in some for b in others)


def _matches(pattern: str, name: str) -> bool:
    """OpenSSH's patterns (``*`` and ``?``), without regard to case; source: ssh_config(5), PATTERNS."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern.casefold())
    return re.fullmatch("".join(parts), name.casefold(), re.DOTALL) is not None


def _problem(signature: CommitSignature, problem: SignatureProblem, active: str | None) -> str:
    since = "--root" if active is None else active[:10]
    again = f"sign again with `git rebase --force-rebase --rebase-merges -S {since}` and push"
    commit = f"the commit {signature.sha[:10]}"
    match problem:
        case SignatureProblem.UNSIGNED:
            return f"{commit} is not signed; run {CONFIGURE}, {again}"
        case SignatureProblem.NOT_SSH:
            return f"{commit} is signed, but not with an SSH key; run {CONFIGURE}, {again}"
        case SignatureProblem.SEVERAL:
            return f"{commit} has more than one signature; {again}"
        case SignatureProblem.BAD:
            return (
                f"{commit} is not what was signed: its content was changed afterwards, or the signature was made "
                f"for another purpose; {again}"
            )
        case SignatureProblem.UNKNOWN_KEY:
            return (
                f"{commit} is signed with the key {signature.key}, which is not in allowed_signers; "
                f"add the key on the server, or {again}"
            )
        case SignatureProblem.NOT_ALLOWED:
            return (
                f"{commit} is signed with the key {signature.key} of {', '.join(signature.signers)}, which "
                "allowed_signers does not allow now: the key has expired, is not valid yet, is only a certificate "
                f"authority, or its namespaces lack git; renew its line on the server, or {again}"
            )
        case other:
            assert_never(other)
