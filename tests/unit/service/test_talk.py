"""`@name` in a comment: a message to the person's channel, once, and a line in their inbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.service.commands.comments import mentions
from tests.support.page import Office, form


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ben look", ("ben",)),
        ("see @ben and @ana.li, @ben.", ("ben", "ana.li")),
        ("mail a@b.example or https://x/@y", ()),
        ("@@ben @", ()),
    ],
)
def test_who_is_called(text: str, names: tuple[str, ...]):
    assert mentions(text) == names


def test_who_is_called_is_told_once_and_sees_it_in_the_inbox(tmp_path: Path):
    office = Office(tmp_path)
    office.held()
    ana, ben = office.visitor(), office.visitor("person:ben")
    fields = form(ana.get("/decisions/6").text, "comment") | {"text": "@ben is JFK <b>fine</b>?"}
    for _ in range(2):
        ana.post("/comments", data=fields)
    with office.house.store.read() as tx:
        letters = tx.outbox.due("notify")
    (letter,) = [one for one in letters if one.payload["event"] == "mentioned"]
    assert letter.payload["channel"] == "ben"
    assert letter.payload["sentence"] == "person:ana mentioned you: @ben is JFK <b>fine</b>?"
    assert (letter.payload["decision"], letter.payload["path"]) == (6, "/decisions/6")
    inbox = ben.get("/").text
    assert "You were mentioned" in inbox
    assert "JFK &lt;b&gt;fine&lt;/b&gt;?" in inbox
    assert 'href="/decisions/6#talk"' in inbox
    assert "You were mentioned" not in ana.get("/").text
