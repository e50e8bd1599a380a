"""What a reader of one team sees of the database where the server isolates owners: nothing of another team's models.

The view stands between every route and the books, so that no route can forget it. A question about a model that is not
seen is asked about one that does not exist; rows of others are left out of every answer; what is neither is refused. A
write about a model that is not seen is answered as if there were none.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar, cast

from controller.domain.errors import Forbidden, NotFound
from controller.ports import DeliveryQuery, Query, Silence, Store, Token, Transaction
from controller.ports.reads import READS
from controller.service.commands.access import ANYBODY, Person
from controller.service.commands.owners import Owners

_NOBODY = "\ue000"
"""The name of a model that no policy can have."""
_MORE_READS: Mapping[str, frozenset[str]] = {
    "catalog": frozenset({"models", "versions"}),
    "tokens": frozenset({"all"}),
    "publications": frozenset({"sent"}),
}
_OPEN = frozenset(
    {
        ("decisions", "head"),
        ("signals", "count_waiting"),
        ("workers", "all"),
        ("controllers", "all"),
        ("leases", "holder"),
        ("outbox", "depth"),
        ("nonces", "used"),
        ("nonces", "use"),
        ("tokens", "by_digest"),
        ("counters", "add"),
        ("delegations", "add"),
        ("delegations", "revoke"),
        ("tokens", "issue"),
        ("tokens", "revoke"),
        ("deliveries", "takes_more"),
        ("deliveries", "put"),
        ("silences", "end"),
        ("outbox", "put"),
    }
)
"""Questions and writes that say nothing of a model, or that were allowed by what was read before."""
_GUARDED = frozenset({"model", "name", "run", "subject", "blob"})
_MANY = 200_000


def is_isolated(person: Person, isolation: str) -> bool:
    """Whether this person sees only the models of some owners."""
    return isolation == "owner" and ANYBODY not in person.roles


class About(Protocol):
    """Anything that is about one model."""

    @property
    def model(self) -> str: ...


Row = TypeVar("Row", bound=About)


class Sight:
    """Which models a person sees: those whose policy in force names an owner that they have a role for."""

    def __init__(self, person: Person, owned: Owners) -> None:
        self.person = person
        self._owned = owned

    def sees(self, tx: Transaction, model: str) -> bool:
        """Whether the model is one of theirs. One without a policy in force, or without an owner, is nobody's."""
        rules = tx.rules.active(model)
        owner = None if rules is None else self._owned.of(rules)
        return owner is not None and owner in self.person.roles

    def reads(self, text: str) -> bool:
        """Whether a policy's text is of one of their owners."""
        owner = self._owned.named(text)
        return owner is not None and owner in self.person.roles


class IsolatedStore:
    """The database as one person sees it."""

    def __init__(self, store: Store, sight: Sight) -> None:
        self._store, self._sight = store, sight

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        with self._store.begin() as tx:
            yield _isolated(tx, self._sight)

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Transaction]:
        with self._store.read(snapshot=snapshot) as tx:
            yield _isolated(tx, self._sight)

    def seen(self, rows: Iterable[Row]) -> list[Row]:
        """Those that are about models which the person sees."""
        with self._store.read(snapshot=False) as tx:
            return [row for row in rows if self._sight.sees(tx, row.model)]

    def close(self) -> None:
        raise Forbidden("A view of the database is not closed.")


def _isolated(tx: Transaction, sight: Sight) -> Transaction:
    return cast("Transaction", _IsolatedTransaction(tx, sight))


class _IsolatedTransaction:
    def __init__(self, tx: Transaction, sight: Sight) -> None:
        self._tx, self._sight = tx, sight
        self._known: dict[str, bool] = {}

    def __getattr__(self, book: str) -> Any:
        return _IsolatedBook(book, getattr(self._tx, book), self)

    def sees(self, model: str) -> bool:
        if model not in self._known:
            self._known[model] = self._sight.sees(self._tx, model)
        return self._known[model]

    def model_of_run(self, run: str) -> str:
        found = self._tx.runs.get(run)
        return found.model if found else _NOBODY

    def model_of_subject(self, subject: str) -> str:
        from controller.service.commands.comments import subject_model  # noqa: PLC0415 - it asks the books itself

        try:
            return subject_model(self._tx, subject)
        except NotFound:
            return _NOBODY

    def reads_blob(self, blob: str) -> bool:
        return self._sight.reads(self._tx.rules.text(blob) or "")

    @property
    def person(self) -> Person:
        return self._sight.person


class _IsolatedBook:
    def __init__(self, book: str, real: Any, view: _IsolatedTransaction) -> None:
        self._book, self._real, self._view = book, real, view

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._real, name)
        if name in READS.get(self._book, ()) or name in _MORE_READS.get(self._book, ()):
            return lambda *args, **more: self._read(name, method, args, more)
        return lambda *args, **more: self._write(name, method, args, more)

    # --- reading ------------------------------------------------------------------------------------------------

    def _read(self, name: str, method: Any, args: Any, more: Any) -> Any:
        given = inspect.signature(method).bind(*args, **more).arguments
        guarded = self._guard(given)
        question = (self._book, name)
        if question in _OPEN:
            return method(**given)
        if question == ("rules", "models"):
            return [model for model in method() if self._view.sees(model)]
        if question == ("rules", "blobs"):
            return {model: blob for model, blob in method().items() if self._view.sees(model)}
        if question == ("rules", "find"):
            return self._policies(method, given["query"])
        if question == ("notes", "tagged"):
            return [pair for pair in method(**given) if self._view.sees(pair[0])]
        if self._book == "reviews":
            return self._reviews(name, method, given)
        if "query" in given and isinstance(given["query"], (Query, DeliveryQuery)):
            return self._pages(method, given["query"])
        if "search" in given:
            whole = method(replace(given["search"], limit=_MANY))
            return type(whole)(self._kept(whole))[: given["search"].limit]
        if "limit" in given and not guarded:
            most = given.pop("limit")
            return self._visible(method(**given, limit=_MANY), guarded=False)[:most]
        return self._visible(method(**given), guarded=guarded)

    def _guard(self, given: dict[str, Any]) -> bool:
        """Put nobody in the place of what is not seen; whether the question is about something at all."""
        view, found = self._view, False
        for name in _GUARDED & given.keys():
            value = given[name]
            if not isinstance(value, str) or (
                name == "name" and self._book in {"leases", "counters"}
            ):
                continue
            if name == "name" and self._book != "catalog":
                continue
            found = True
            seen = {
                "model": view.sees,
                "name": view.sees,
                "run": lambda run: view.sees(view.model_of_run(run)),
                "subject": lambda subject: view.sees(view.model_of_subject(subject)),
                "blob": view.reads_blob,
            }[name](value)
            if not seen:
                given[name] = _NOBODY
        return found

    def _pages(self, method: Any, query: Any) -> list[Any]:
        """A part of a list, from as many parts of the whole as it takes."""
        model = getattr(query, "model", None)
        if model is not None and not self._view.sees(model):
            return []
        if self._book == "runs" and model is None:
            return list(self._kept(method(replace(query, limit=_MANY))))[: query.limit]
        found: list[Any] = []
        while True:
            rows = method(query)
            found += self._kept(rows)
            if len(found) >= query.limit or len(rows) < query.limit or not hasattr(rows[-1], "id"):
                return found[: query.limit]
            if model is not None:
                return found
            query = replace(query, before=rows[-1].id)

    def _policies(self, method: Any, query: Any) -> list[Any]:
        return list(self._kept(method(replace(query, limit=_MANY))))[: query.limit]

    def _reviews(self, name: str, method: Any, given: dict[str, Any]) -> Any:
        """Reviews are of whole revisions and name the files of everybody: one sees that of one's own policy, bare."""
        if name != "get":
            return [] if name == "latest" else None
        tx = self._view._tx  # noqa: SLF001 - the same module
        mine = (r for r in tx.rules.all_active() if r.ref.review == given["digest"])
        if not any(self._view.sees(rules.model) for rules in mine):
            return None
        return method(**given)

    def _visible(self, value: Any, *, guarded: bool) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Iterator):
            return self._kept(value)
        if isinstance(value, (list, tuple)) and (not guarded or self._tells(value)):
            return type(value)(self._kept(value))
        if self._is_row(value):
            return value if self._mine(value) else None
        if guarded:
            return value  # about one model, which is seen or is nobody
        raise Forbidden("This is of all owners' models; it takes a role for all of them.")

    def _tells(self, rows: Any) -> bool:
        return all(self._is_row(row) for row in rows)

    def _kept(self, rows: Any) -> Iterator[Any]:
        for row in rows:
            if not self._is_row(row):
                raise Forbidden("This is of all owners' models; it takes a role for all of them.")
            if self._mine(row):
                yield row

    def _is_row(self, row: Any) -> bool:
        named = ("model", "notices", "subject") if is_dataclass(row) else ()
        own = (
            {one.name for one in fields(row)}
            if is_dataclass(row) and not isinstance(row, type)
            else set()
        )
        return (
            bool(own & {*named})
            or isinstance(row, Token)
            or self._book in {"delegations", "catalog"}
        )

    def _mine(self, row: Any) -> bool:
        view, person = self._view, self._view.person
        if isinstance(row, Token):
            return row.actor == person.actor or (
                bool(row.owners) and {*row.owners} <= {*person.roles}
            )
        if self._book == "delegations":
            return person.actor in {row.actor, row.to}
        if isinstance(row, Silence):
            return row.model is not None and view.sees(row.model)
        if hasattr(row, "notices"):
            return bool(row.notices) and all(view.sees(notice.model) for notice in row.notices)
        if hasattr(row, "subject"):
            return view.sees(view.model_of_subject(row.subject))
        model = row.model if hasattr(row, "model") else row.name
        return model == _NOBODY or view.sees(model)

    # --- writing ------------------------------------------------------------------------------------------------

    def _write(self, name: str, method: Any, args: Any, more: Any) -> Any:
        if (self._book, name) in _OPEN:
            return method(*args, **more)
        given = inspect.signature(method).bind(*args, **more).arguments
        for model in self._models_in(given):
            if not self._view.sees(model):
                raise NotFound(f"There is no model called {model}.")
        return method(*args, **more)

    def _models_in(self, given: Mapping[str, Any]) -> Iterator[str]:
        """Every model that a write names; Forbidden where it names none."""
        found = 0
        for name, value in given.items():
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if name in {"model", "name"} and isinstance(one, str):
                    found += 1
                    yield one
                elif isinstance(getattr(one, "model", None), str):
                    found += 1
                    yield one.model
                elif isinstance(getattr(one, "subject", None), str):
                    found += 1
                    yield self._view.model_of_subject(one.subject)
        if not found:
            raise Forbidden("This is about all owners' models; it takes a role for all of them.")
