"""Comments: Markdown as it was typed, shown as HTML that can do nothing."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from controller.domain.errors import NotFound, UserError
from controller.ports import Comment, Transaction
from controller.service.deciding.backpressure import has_room_for_notices

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST_COMMENT = 10_000
_MOST_CALLED = 10
_CALLED = re.compile(r"(?<![\w@/.])@([A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_TAGS = {"p", "br", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "a", "del", "hr"}


def subject_model(tx: Transaction, subject: str) -> str:
    """The model that ``decision:5``, ``run:ID`` or ``version:MODEL/3`` belongs to; NotFound if there is none."""
    kind, _, name = subject.partition(":")
    if kind == "decision" and re.fullmatch(r"[1-9]\d{0,17}", name, re.ASCII):
        record = tx.decisions.get(int(name))
        if record is not None:
            return record.model
    if kind == "run":
        run = tx.runs.get(name)
        if run is not None:
            return run.model
    if kind == "version":
        model, _, number = name.rpartition("/")
        if re.fullmatch(r"[1-9]\d{0,8}", number, re.ASCII) and tx.registry.versions(
            model, numbers=(int(number),)
        ):
            return model
    raise NotFound(
        f"There is nothing called {subject} to talk about.",
        hint="Say decision:NUMBER, run:ID or version:MODEL/NUMBER.",
    )


def add_comment(
    tx: Transaction, subject: str, actor: str, text: str, now: datetime, key: str | None = None
) -> Comment:
    """Keep a comment; the same key is the same comment."""
    said = text.strip()
    if not said:
        raise UserError("A comment needs words.")
    if len(said) > LONGEST_COMMENT:
        raise UserError(f"A comment has up to {LONGEST_COMMENT:,} characters.")
    under = f"{actor}:{key or uuid.uuid4()}"
    kept = tx.comments.add(Comment(subject=subject, actor=actor, at=now, text=said, key=under))
    if kept.at == now and kept.text == said and has_room_for_notices(tx):
        _notify(tx, kept)
    return kept


def mentions(text: str) -> tuple[str, ...]:
    """The names that a text calls with ``@name``, in order; an address such as ``a@b.example`` calls nobody."""
    return tuple(dict.fromkeys(name.rstrip(".-") for name in _CALLED.findall(text)))


def calls(comment: Comment, actor: str) -> bool:
    """Whether the comment calls this person."""
    return actor.removeprefix("person:") in mentions(comment.text)


def _notify(tx: Transaction, comment: Comment) -> None:
    """A message to the channel that is called like each person who was mentioned."""
    kind, _, name = comment.subject.partition(":")
    said = " ".join(comment.text.split())
    for person in mentions(comment.text)[:_MOST_CALLED]:
        payload = {
            "channel": person,
            "event": "mentioned",
            "model": subject_model(tx, comment.subject),
            "sentence": f"{comment.actor} mentioned you: {said[:300]}",
            "decision": int(name) if kind == "decision" else None,
            "path": page_of(comment.subject),
        }
        tx.outbox.put("notify", f"comment:{comment.id}:{person}", payload)


def page_of(subject: str) -> str:
    """Where on the page one talks about it."""
    kind, _, name = subject.partition(":")
    if kind == "decision":
        return f"/decisions/{name}"
    if kind == "run":
        return f"/runs/{quote(name, safe='')}"
    model, _, number = name.rpartition("/")
    return f"/models/{quote(model, safe='')}/versions/{number}"


def as_html(text: str) -> str:
    """Markdown as HTML of a few harmless tags; whatever else was typed is shown as text or left out."""
    import nh3  # noqa: PLC0415 - of an extra

    return nh3.clean(
        _markdown().render(text),
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - of an extra

    return MarkdownIt("commonmark", {"html": False, "linkify": False}).disable("image")
