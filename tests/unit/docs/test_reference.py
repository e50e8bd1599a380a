"""The pages of docs/reference say what the code does today."""

from __future__ import annotations

import pytest

from scripts.reference.pages import FOLDER, pages

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_made_page_is_up_to_date(name: str):
    committed = (FOLDER / name).read_text(encoding="utf-8")

    assert committed == PAGES[name], f"docs/reference/{name} is old: run `make reference`"


def test_the_pages_name_what_they_are_about():
    assert "| `database_url` | `INCUMBENT_DATABASE_URL` | secret |" in PAGES["settings.md"]
    assert "### incumbent up\n" in PAGES["commands.md"]
    assert "#### incumbent runs list\n" in PAGES["commands.md"]
    assert "### POST /v1/signals\n" in PAGES["api.md"]
