"""Tags and descriptions: words of people and programs on models and versions. Nothing is decided by them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from controller.domain.errors import Conflict, NotFound, UserError
from controller.ports import Store, Tag, Transaction
from controller.service.explain.search import parse_tag

MOST = 1_000
"""Tags that a model or a version may bear: beyond, somebody writes a log into them."""
LONGEST_NAME, LONGEST_VALUE, LONGEST_TEXT = 250, 8_000, 20_000

NoteSubject = tuple[str, int]
"""A model and a version's number; 0 is the model itself."""


def show_tags(tx: Transaction, model: str, number: int) -> dict[str, str]:
    """Name to value, by name."""
    return dict(tx.notes.tags(model, (number,)).get(number, {}))


def set_tags(
    store: Store,
    subject: NoteSubject,
    tags: Iterable[str],
    remove: Iterable[str],
    actor: str,
    now: datetime,
) -> None:
    """Set ``name=value`` and take others away, all or nothing."""
    model, number = subject
    wanted = dict(map(parse_tag, tags))
    with store.begin() as tx:
        for name in remove:
            if not tx.notes.untag(model, number, name):
                raise NotFound(f"There is no tag {name} on {_named(subject)}.")
        present = show_tags(tx, model, number)
        if len(present.keys() | wanted.keys()) > MOST:
            raise Conflict(
                f"{_named(subject)} would bear {len(present.keys() | wanted.keys()):,} tags,"
                f" and {MOST:,} are the most.",
                hint="Keep what is long in the run's journal, or in its lineage.",
            )
        for name, value in wanted.items():
            if value is None:
                raise UserError(f"{name!r} has no value.", hint="Write name=value.")
            tx.notes.tag(_checked(Tag(
                model=model, version=number, name=name, value=value, actor=actor, at=now
            )))  # fmt: skip


def set_description(
    store: Store, subject: NoteSubject, text: str, actor: str, now: datetime
) -> None:
    """Set the description; an empty one takes it away."""
    if len(text) > LONGEST_TEXT:
        raise UserError(f"A description has up to {LONGEST_TEXT:,} characters.")
    with store.begin() as tx:
        tx.notes.describe(subject[0], subject[1], text, actor=actor, at=now)


def _checked(tag: Tag) -> Tag:
    if not tag.name or len(tag.name) > LONGEST_NAME or not tag.name.isprintable():
        raise UserError(f"A tag's name has 1 to {LONGEST_NAME} printable characters.")
    if len(tag.value) > LONGEST_VALUE:
        raise UserError(f"A tag's value has up to {LONGEST_VALUE:,} characters.")
    return tag


def _named(subject: NoteSubject) -> str:
    model, number = subject
    return f"{model} v{number}" if number else model
