"""`incumbent decisions`: what was decided, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from controller.domain.decisions import Verdict
from controller.entrypoints.cli.listing import (
    ChoiceOption,
    choice_option,
    model_option,
    since_option,
)
from controller.entrypoints.cli.output import (
    Column,
    json_option,
    print_list,
    print_table,
    tell_person,
    version_name,
)
from controller.entrypoints.cli.session import CliSession, known_model, parse_when, pass_session
from controller.ports import Query, Transaction

_PAGE = 500
_ON_SCREEN = 40


@click.command()
@model_option
@choice_option(ChoiceOption("--verdict", "verdicts", Verdict, "these verdicts"))
@since_option()
@click.option("--until", help="Only those before this time or age.")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="At most so many, the newest.")
@json_option
@pass_session
def decisions(
    session: CliSession,
    *,
    model: str | None,
    verdicts: tuple[str, ...],
    since: str | None,
    until: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List what was decided, newest first, each with its one-line reason.

    Without --limit, JSON holds all of them and the table the newest 40.
    """
    now = session.now()
    wanted = _Wanted(model, verdicts, parse_when(since, now), parse_when(until, now))
    with session.read() as tx:
        if model is not None:
            known_model(tx, model)
        rows = wanted.rows(tx, limit if as_json else limit or _ON_SCREEN)
        if as_json:
            print_list(rows)
            return
        shown = list(rows)
        print_table(_COLUMNS, [_row(item) for item in shown], "Nothing has been decided yet.")
        last, _ = tx.decisions.head()
    if limit is None and len(shown) == _ON_SCREEN and last > _ON_SCREEN:
        tell_person(
            f"The newest {_ON_SCREEN} of {last}; --limit shows more, `incumbent explain ID` one."
        )


class _Wanted:
    """Which decisions, read page by page."""

    def __init__(
        self,
        model: str | None,
        verdicts: tuple[str, ...],
        since: datetime | None,
        until: datetime | None,
    ) -> None:
        self._filter: dict[str, Any] = {
            "model": model,
            "kinds": verdicts,
            "since": since,
            "until": until,
        }

    def rows(self, tx: Transaction, limit: int | None) -> Iterator[dict[str, Any]]:
        """Newest first, at most `limit` of them (None: all)."""
        from controller.service.explain.decision import decision_summary

        left, before = limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = tx.decisions.find(Query(**self._filter, before=before, limit=size))
            yield from (decision_summary(record) for record in page)
            if len(page) < size:
                return
            before = page[-1].id
            left = None if left is None else left - size


_COLUMNS = (
    Column("ID", "id", right=True),
    Column("DECIDED (UTC)", "decided_at"),
    Column("MODEL", "model"),
    Column("VERDICT", "verdict", style="bold"),
    Column("CHALLENGER", "challenger"),
    Column("CHAMPION", "champion"),
    Column("REASON", "reason", fold=True),
)


def _row(item: dict[str, Any]) -> dict[str, Any]:
    before, after = version_name(item["champion_before"]), version_name(item["champion_after"])
    return {
        **item,
        "decided_at": item["decided_at"][:16].replace("T", " "),
        "challenger": version_name(item["challenger"]),
        "champion": after if before == after else f"{before} -> {after}",
    }
