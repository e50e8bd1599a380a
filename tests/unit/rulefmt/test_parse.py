from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.domain.durations import format_duration, parse_duration
from controller.domain.errors import NotFound, PolicyInvalid
from controller.domain.rules import (
    Comparison,
    Holdout,
    Limits,
    Margin,
    Policy,
    Reference,
    Unimproving,
    WhenInconclusive,
)
from controller.policy.triggers import NewDataTrigger
from controller.rulefmt import blob_id, load_policy, parse, read_policy_text
from controller.rulefmt.cron import cron_trigger
from controller.rulefmt.nodes import LARGEST_FILE, MOST_KEYS, read_nodes
from controller.rulefmt.problems import MOST_LISTED_PROBLEMS, Problems
from controller.rulefmt.reference import all_sections
from controller.rulefmt.scalars import percentage, read_number, size
from workers.quality import BATCH_CHECKS, COLUMN_CHECKS

SMALLEST = (Path(__file__).parent / "policies" / "smallest.good.yaml").read_text()


def policy_with(more: str) -> Policy:
    return load_policy(SMALLEST + more, "p.yaml")


def test_smallest_policy_gets_every_default():
    policy = load_policy(SMALLEST, "p.yaml")

    assert policy.model == "flight-delay"
    assert policy.triggers == (NewDataTrigger(name="new_data", rows=20000, line=6),)
    gate = policy.promote[0]
    assert (gate.name, gate.comparison, gate.reference, gate.margin, gate.line) == (
        "mae better than champion",
        Comparison.BETTER_THAN,
        Reference.CHAMPION,
        Margin(),
        8,
    )
    assert policy.limits == Limits()
    assert policy.data.holdout == Holdout(fraction=0.2, by="time")
    assert policy.train.timeout == timedelta(hours=1)
    assert policy.inconclusive is WhenInconclusive.HOLD
    assert policy.error_budget is None
    assert policy.rollout == ()
    assert policy.metrics == {}


@pytest.mark.parametrize("section", ["limits: {}", "limits: {cooldown: 0s}"])
def test_defaults_of_the_table_are_those_of_the_domain(section: str):
    limits = policy_with(section + "\n").limits

    assert Limits(line=limits.line) == limits


def test_expectations_hold_values_that_json_keeps():
    text = SMALLEST.replace(
        "target: arr_delay",
        "target: arr_delay, expect: {t: {max_age: 2d, min: 0}}, expect_batch: {min_rows: 3}",
    )

    found = [(e.column, e.check, e.value) for e in load_policy(text, "p.yaml").data.expect]

    assert found == [(None, "min_rows", 3), ("t", "max_age", 172_800.0), ("t", "min", 0)]


def test_every_expectation_of_the_format_is_one_that_workers_check():
    keys = {section.title: {key.name for key in section.keys} for section in all_sections()}
    assert keys["data.expect.COLUMN"] == set(COLUMN_CHECKS)
    assert keys["data.expect_batch"] == set(BATCH_CHECKS)


def test_unimproving_defaults_are_those_of_the_domain():
    found = policy_with("unimproving: {}\n").unimproving

    assert found is not None
    assert found == Unimproving(line=found.line)


def test_approval_of_the_inconclusive_sends_them_to_people():
    policy = policy_with("approval: {when: inconclusive, from: [leads]}\n")

    assert policy.inconclusive is WhenInconclusive.APPROVAL


def test_load_raises_one_sentence_with_all_problems_in_its_details():
    text = SMALLEST.replace("rows: 20000", "rosw: 20000").replace("mae", "[mae]")

    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text, "rules/p.yaml")

    problems = caught.value.details["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 2
    assert str(caught.value).startswith(
        "rules/p.yaml:6:16: unknown key `rosw` in `triggers[0].new_data`"
    )
    assert "(and 1 more)" in str(caught.value)


def test_problems_are_listed_up_to_a_number_and_counted_beyond():
    parsed = parse("\n".join(f"key{n}: 1" for n in range(1000)), "p.yaml")

    assert len(parsed.problems) == MOST_LISTED_PROBLEMS + 1
    assert "more problems are not listed" in parsed.problems[-1].message


def test_blob_id_is_the_one_of_git(tmp_path: Path):
    file = tmp_path / "p.yaml"
    file.write_bytes(SMALLEST.encode())

    said = subprocess.run(
        ["git", "hash-object", "--no-filters", str(file)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert blob_id(SMALLEST.encode()) == said.stdout.strip()


def test_a_file_of_50_mb_is_refused_by_its_size(tmp_path: Path):
    file = tmp_path / "p.yaml"
    with file.open("wb") as out:
        out.truncate(50_000_000)

    text = read_policy_text(file)

    assert len(text) == LARGEST_FILE + 1
    assert [p.code for p in parse(text, "p.yaml").problems] == ["too-large"]


@pytest.mark.parametrize("name", ["missing.yaml", "folder"])
def test_what_is_no_file_is_one_sentence(tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()

    with pytest.raises((NotFound, PolicyInvalid), match=name):
        read_policy_text(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("45s", timedelta(seconds=45)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("0s", timedelta(0)),
        ("30m1h", None),
        ("1h1h", None),
        ("1.5h", None),
        ("90", None),
        ("99999999w", None),
        ("", None),
    ],
)
def test_duration(text: str, value: timedelta | None):
    assert parse_duration(text) == value


def test_duration_text_is_its_inverse():
    assert format_duration(timedelta(days=9, seconds=61)) == "9d1m1s"
    assert format_duration(timedelta(0)) == "0s"


@pytest.mark.parametrize(
    ("text", "value"), [("3%", 0.03), ("0.5 %", 0.005), ("10%", 0.1), ("3", None), ("%", None)]
)
def test_percentage(text: str, value: float | None):
    assert percentage(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("2GiB", 2 * 1024**3), ("1.5 GB", 1_500_000_000), ("2G", None), ("12", None)],
)
def test_size(text: str, value: int | None):
    assert size(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-2.5", -2.5), ("1.0e-3", 0.001), ("1e-3", None), ("010", None), ("1:30", None)],
)
def test_number_is_what_every_reader_of_yaml_sees(text: str, value: float | None):
    assert read_number(text) == value


@pytest.mark.parametrize(
    ("line", "weekdays"),
    [
        ("0 3 * * 1", [0]),
        ("0 3 * * 0", [6]),
        ("0 3 * * 7", [6]),
        ("0 3 * * sun", [6]),
        ("0 3 * * 1-5", [0, 1, 2, 3, 4]),
        ("0 3 * * 5-7", [4, 5, 6]),
        ("0 3 * * sat-sun", [5, 6]),
        ("0 3 * * */3", [6, 2, 5]),
        ("0 3 * * mon,3", [0, 2]),
    ],
)
def test_weekdays_of_cron_count_from_sunday(line: str, weekdays: list[int]):
    trigger = cron_trigger(line)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    last, fired = None, set()
    for _ in range(14):
        last = trigger.get_next_fire_time(last, start)
        fired.add(last.weekday())
        start = last

    assert fired == set(weekdays)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        pytest.param(lambda n: "".join(f"pr{i}: 1\n" for i in range(n)), "too-many-keys", id="unknown keys"),
        pytest.param(lambda n: "x: [" + "a," * n + "]\n", "too-many-values", id="values"),
        pytest.param(
            lambda n: "x:\n" + "".join(f"  pr{i}: 1\n" for i in range(n)), "too-many-keys", id="keys below"
        ),
    ],
)  # fmt: skip
def test_a_hostile_file_costs_no_more_than_its_first_values(made, code):
    text = "version: 1\nmodel: a\n" + made(15_000)
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text, "rules/a.yaml")
    found = caught.value.details["problems"]
    assert isinstance(found, list)
    assert len(found) <= MOST_LISTED_PROBLEMS + 1
    assert code in {one["code"] for one in found}
    problems = Problems("rules/a.yaml")
    root, whole = read_nodes(text, problems)
    assert not whole
    assert root is None or len(root.pairs) <= MOST_KEYS + 1
