"""The books of a server, read over its API: commands that read work on it as on a database.

Each question is one request, so what is read together may have moved in between; nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from controller.adapters.remote.client import Client
from controller.domain import codec
from controller.domain.errors import UserError
from controller.ports import Transaction
from controller.ports.reads import READS, WALKED, ReadQuestion, read_question


class RemoteStore:
    """Implements the reading side of :class:`controller.ports.Store`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """UserError: a person's word has a route of its own, and nothing else is written from afar."""
        raise UserError(
            "This command writes to the database itself, and INCUMBENT_URL names a server.",
            hint="Run it on the server's machine, or unset INCUMBENT_URL.",
        )
        yield  # pragma: no cover - makes this a generator

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Transaction]:
        del snapshot  # each question is one request
        yield cast("Transaction", RemoteTransaction(self._client))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


class RemoteTransaction:
    """All books that may be read."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, book: str) -> _Book:
        if book not in READS:
            raise UserError(f"The book {book} cannot be read over the API.")
        return _Book(self._client, book)


class _Book:
    """One book: each of its reading methods asks the server."""

    def __init__(self, client: Client, book: str) -> None:
        self._client, self._book = client, book

    def __getattr__(self, name: str) -> Callable[..., Any]:
        asked = read_question(self._book, name)

        def ask(*values: Any, **named: Any) -> Any:
            arguments = dict(zip(asked.arguments, values, strict=False)) | named
            if asked.walks:
                return _walk(self._client, asked, arguments)
            return _answer(self._client, asked, arguments)

        return ask


def _answer(client: Client, asked: ReadQuestion, arguments: Mapping[str, Any]) -> Any:
    return codec.load_plain(asked.answer, client.read(asked.book, asked.name, arguments))


def _walk(client: Client, asked: ReadQuestion, arguments: Mapping[str, Any]) -> Iterator[Any]:
    start = int(arguments.get("start", 1))
    while True:
        found = _answer(client, asked, {**arguments, "start": start})
        yield from found
        if len(found) < WALKED:
            return
        start = found[-1].id + 1
