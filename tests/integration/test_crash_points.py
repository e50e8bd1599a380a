"""Whatever place a process dies at: two files bring two champions, each effect once, and every decision is derived."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from controller import crashpoints
from tests.support.crashes import Story, pairs, points
from tests.support.postgres import PostgresServer

QUICK = ("decision-written", "run-claimed")
SOME = 12
"""Pairs of each database in one go of the tests; `python -m tests.support.crash_runs` takes all."""


def test_two_deaths_in_one_story(tmp_path: Path):
    Story(tmp_path, f"sqlite:///{tmp_path / 'x.db'}", frozenset(QUICK)).tell()


@pytest.mark.long
@pytest.mark.parametrize("name", points("sqlite"))
def test_every_death_on_sqlite(name: str, tmp_path: Path):
    Story(tmp_path, f"sqlite:///{tmp_path / 'x.db'}", frozenset({name})).tell()


@pytest.mark.long
@pytest.mark.parametrize("name", points("postgresql"))
def test_every_death_on_postgresql(name: str, tmp_path: Path, postgres_server: PostgresServer):
    database = postgres_server.create()
    Story(tmp_path, postgres_server.url(database), frozenset({name})).tell()
    postgres_server.drop(database)


@pytest.mark.long
@pytest.mark.parametrize("names", random.Random(1).sample(pairs("sqlite"), SOME), ids=" and ".join)
def test_two_deaths_on_sqlite(names: tuple[str, str], tmp_path: Path):
    Story(tmp_path, f"sqlite:///{tmp_path / 'x.db'}", frozenset(names)).tell()


@pytest.mark.long
@pytest.mark.parametrize(
    "names", random.Random(2).sample(pairs("postgresql"), SOME), ids=" and ".join
)
def test_two_deaths_on_postgresql(
    names: tuple[str, str], tmp_path: Path, postgres_server: PostgresServer
):
    database = postgres_server.create()
    Story(tmp_path, postgres_server.url(database), frozenset(names)).tell()
    postgres_server.drop(database)


def test_a_place_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no crash point called relay-rung"):
        crashpoints.arm("relay-rung")
    crashpoints.arm("")


def test_a_place_that_is_not_armed_costs_nothing():
    crashpoints.reach("relay-rang")
