"""Which questions of the books may be asked over a network, and the types of their arguments and answers.

The ports themselves are the contract: both sides read the types from the protocols, so that a remote command line
sees exactly what a local one sees. Nothing that writes is listed, and no book of secrets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from controller.domain.errors import NotFound
from controller.ports.store import Transaction

READS: Mapping[str, frozenset[str]] = {
    "signals": frozenset({"get", "with_key", "find", "pending", "count_waiting", "proofs"}),
    "decisions": frozenset({"get", "find", "head", "walk", "anchored"}),
    "registry": frozenset({"versions", "measured", "evaluations", "history"}),
    "facts": frozenset({"of"}),
    "measures": frozenset({"of"}),
    "models": frozenset({"state", "all", "due", "waiting", "approvals"}),
    "runs": frozenset({"get", "find"}),
    "outbox": frozenset({"depth", "due"}),
    "leases": frozenset({"holder"}),
    "data": frozenset({"batches", "view", "quarantined"}),
    "schedules": frozenset({"next_due"}),
    "rules": frozenset({"active", "all_active", "blobs", "find", "text", "models"}),
    "sources": frozenset({"all"}),
    "reviews": frozenset({"get", "newest_proven", "latest"}),
    "journal": frozenset({"read"}),
    "workers": frozenset({"all"}),
    "delegations": frozenset({"to", "all"}),
    "comments": frozenset({"of", "latest", "uncovered", "numbered"}),
    "deliveries": frozenset({"get", "find"}),
    "silences": frozenset({"active", "find", "get"}),
    "controllers": frozenset({"all"}),
    "counters": frozenset({"all"}),
    "aliases": frozenset({"resolve", "get", "of", "moves"}),
    "consumers": frozenset({"of", "by_name"}),
    "keeps": frozenset({"of", "removals", "users_of"}),
    "notes": frozenset({"tags", "descriptions", "tagged"}),
    "publications": frozenset({"get", "all"}),
    "catalog": frozenset({"kind", "model", "version", "by_alias"}),
}

WALKED = 100
"""Records of a walk that one answer holds; who walks asks again from there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadQuestion:
    """One question: the names and types of its arguments in order, and the type of its answer."""

    book: str
    name: str
    arguments: Mapping[str, Any]
    answer: Any
    walks: bool = False


@cache
def read_question(book: str, name: str) -> ReadQuestion:
    """The question ``name`` of ``book``; NotFound if it may not be asked."""
    if name not in READS.get(book, frozenset()):
        raise NotFound(f"There is no question {book}.{name}.")
    protocol = get_type_hints(getattr(Transaction, book).fget)["return"]
    hints = get_type_hints(getattr(protocol, name))
    answer = hints.pop("return")
    walks = get_origin(answer) is Iterator
    if walks:
        answer = list[get_args(answer)[0]]  # type: ignore[misc]
    arguments = {argument: _as_json(shape) for argument, shape in hints.items()}
    return ReadQuestion(book=book, name=name, arguments=arguments, answer=answer, walks=walks)


def _as_json(shape: Any) -> Any:
    """The type as JSON can bring it: of any collection a list."""
    if get_origin(shape) is Collection:
        return list[get_args(shape)[0]]  # type: ignore[misc]
    if get_origin(shape) is UnionType:
        return reduce(or_, (_as_json(part) for part in get_args(shape)))
    return shape
