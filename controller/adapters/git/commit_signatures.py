"""SSH signatures of commits, as git makes them with ``gpg.format ssh``, checked against the server's allowed signers.

Git itself would trust the commit's own date for a key that has expired, and names only the first signer whose key it
is. Here a key must be allowed now, and stands for every name that the list gives it.
"""

from __future__ import annotations

from pathlib import Path

from controller.adapters.git.ssh import BEGIN, check_signature
from controller.policy.review_facts import CommitSignature, SignatureProblem

GIT_NAMESPACE = "git"
_HEADERS = (b"gpgsig ", b"gpgsig-sha256 ")


def commit_signature(sha: str, raw: bytes, allowed_signers: Path) -> CommitSignature:
    """Who signed the commit object ``raw``; the problem where nobody did whom the server allows."""
    found, signed = split_signatures(raw)
    own = found[len(sha) == 64]
    if not own:
        return CommitSignature(sha=sha, problem=SignatureProblem.UNSIGNED)
    if len(own) > 1:
        return CommitSignature(sha=sha, problem=SignatureProblem.SEVERAL)
    if not own[0].startswith(BEGIN):
        return CommitSignature(sha=sha, problem=SignatureProblem.NOT_SSH)
    checked = check_signature(own[0], signed, GIT_NAMESPACE, allowed_signers)
    if checked is None:
        return CommitSignature(sha=sha, problem=SignatureProblem.BAD)
    problem = None
    if checked.principal is None:
        known = bool(checked.names)
        problem = SignatureProblem.NOT_ALLOWED if known else SignatureProblem.UNKNOWN_KEY
    return CommitSignature(sha=sha, key=checked.key, signers=checked.names, problem=problem)


def split_signatures(raw: bytes) -> tuple[tuple[list[bytes], list[bytes]], bytes]:
    """The signatures of a commit (for SHA-1 and for SHA-256 repositories), and the text that they sign.

    Source: git's signature-format documentation; the signed text is the commit without its signature headers.
    """
    head, gap, body = raw.partition(b"\n\n")
    found: tuple[list[bytes], list[bytes]] = ([], [])
    kept: list[bytes] = []
    current: list[bytes] | None = None
    for line in head.split(b"\n"):
        if line.startswith(b" "):
            if current is None:
                kept.append(line)
            else:
                current[-1] += line[1:] + b"\n"
            continue
        kind = next((i for i, header in enumerate(_HEADERS) if line.startswith(header)), None)
        current = None if kind is None else found[kind]
        if kind is None or current is None:
            kept.append(line)
        else:
            current.append(line[len(_HEADERS[kind]) :] + b"\n")
    return found, b"\n".join(kept) + gap + body
