"""status, decisions, versions, runs, signals, explain: what they print, for people and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.support.command import Desk
from tests.support.house import FAILS, MODEL, UNDECIDED


@pytest.fixture(scope="module")
def app_context() -> Desk:
    """January's challenger took the seat, February's was rejected, March's is held, April's training failed."""
    app_context = Desk()
    for name, outcome in (("jan", {}), ("feb", FAILS), ("mar", UNDECIDED)):
        app_context.house.data(30_000, f"{name}.parquet")
        app_context.house.work(outcome)
        app_context.house.clock.advance(timedelta(days=31))
    app_context.house.data(30_000, "apr.parquet")
    app_context.house.tick()
    run = app_context.house.claim()
    assert run is not None
    app_context.house.fail(run, "ValueError: column 'distance' vanished")
    app_context.house.tick()
    return app_context


def test_decisions_are_a_json_list_of_what_was_decided(app_context: Desk):
    found = app_context.json("decisions")
    assert [item["verdict"] for item in found][-3:] == ["promote", "none", "train"]
    newest = found[0]
    assert newest["id"] == len(found)
    promoted = next(item for item in found if item["verdict"] == "promote")
    assert promoted["model"] == MODEL
    assert (promoted["champion_before"], promoted["champion_after"]) == (None, 1)
    assert promoted["challenger"] == 1
    assert set(promoted["rules"]) >= {"path", "blob", "revision"}
    assert promoted["prev_hash"] == found[found.index(promoted) + 1]["hash"]
    assert promoted["decided_at"].startswith("2013-01-31T12:00")
    assert promoted["reason"].startswith("v1 is the first champion")
    assert all(item["schema_version"] == 1 for item in found)


@pytest.mark.parametrize(
    ("words", "verdicts"),
    [
        pytest.param(["--verdict", "reject"], ["reject"], id="verdict"),
        pytest.param(["--limit", "2"], ["none", "train"], id="limit"),
        pytest.param(["--since", "2013-05-04"], ["none", "train"], id="since"),
        pytest.param(["--since", "7d", "--verdict", "train"], ["train"], id="age"),
        pytest.param(["--until", "2013-02-01", "--verdict", "train"], ["train"], id="until"),
    ],
)
def test_decisions_can_be_filtered(app_context: Desk, words: list[str], verdicts: list[str]):
    assert [item["verdict"] for item in app_context.json("decisions", *words)] == verdicts


def test_decisions_off_a_terminal_are_plain_whole_lines(app_context: Desk):
    lines = app_context.run("decisions").stdout.splitlines()
    assert lines[0].split()[:2] == ["ID", "DECIDED"]
    assert len(lines) == len(app_context.json("decisions")) + 1
    assert "\x1b" not in "".join(lines)
    assert lines[1].endswith("vanished; champion v1 stays")


def test_versions_name_the_champion(app_context: Desk):
    found = app_context.json("versions", MODEL)
    assert [(v["version"], v["state"], v["champion"]) for v in found] == [
        (3, "challenger", False),
        (2, "rejected", False),
        (1, "champion", True),
    ]
    assert found[-1]["run"] == f"{MODEL}.r1"
    assert len(found[-1]["digest"]) == 64
    assert found[-1]["metrics"] == {"mae": 14.0}
    assert "created_at" in found[-1]
    assert app_context.json("versions", MODEL, "--state", "rejected")[0]["version"] == 2


def test_the_only_model_needs_no_name(app_context: Desk):
    assert app_context.json("versions") == app_context.json("versions", MODEL)


def test_status_tells_of_the_failure_and_the_champion_in_one_screen(app_context: Desk):
    screen = app_context.run("status").stdout
    assert "champion v1" in screen
    assert "challenger  v3" in screen
    failed = (
        "training flight-delay.r7 failed: ValueError: column 'distance' vanished; champion v1 stays"
    )
    assert failed in screen
    document = app_context.json("status", MODEL)
    assert document["schema_version"] == 1
    assert document["models"][0]["champion"] == 1
    assert document["models"][0]["last_decisions"][0]["reason"] == failed


def test_runs_say_why_they_were_ordered(app_context: Desk):
    newest = app_context.json("runs")[0]
    assert (newest["id"], newest["state"], newest["kind"]) == (f"{MODEL}.r7", "failed", "train")
    assert newest["spec"]["causes"][0]["trigger"] == "new_data"
    assert (
        "ValueError: column 'distance' vanished"
        in app_context.run("runs", "show", newest["id"]).stdout
    )
    assert [r["id"] for r in app_context.json("runs", "list", "--state", "failed")] == [
        newest["id"]
    ]


def test_signals_say_what_became_of_them(app_context: Desk):
    first = app_context.json("signals", "--kind", "new_data")[-1]
    assert (first["status"], first["reason"]) == ("handled", f"{MODEL}.r1 was started")
    assert "new_data: 30,000 rows in jan.parquet" in app_context.run("signals").stdout
    assert app_context.json("signals", "show", "1")["id"] == 1


def test_explain_is_one_screen(app_context: Desk):
    held = app_context.json("decisions", "--verdict", "hold")[0]
    screen = app_context.run("explain", str(held["id"])).stdout
    lines = screen.splitlines()
    assert lines[0].startswith("HOLD  decision")
    assert lines[1] == held["reason"]
    assert "inconclusive" in screen
    assert "mae 14.2 against 14.6 (champion v1) on the same 6,000 rows" in screen
    assert "(rules/flight-delay.yaml:8)" in screen
    assert "8 | - {name: better, metric: mae, better_than: champion}" in screen
    assert "new_data (30,000 new rows, 20,000 needed)" in screen
    assert "v3: candidate -> challenger" in screen
    assert f"incumbent verify {held['id']}" in screen
    assert len(lines) <= 40


def test_explain_as_json_is_the_stored_tree(app_context: Desk):
    document = app_context.json("explain", "1")
    records = app_context.house.records()
    assert document["tree"] == json.loads(records[0].decision)["tree"]
    assert document["signals"][0]["answer"]["status"] == "handled"
    assert document["hash"] == records[0].hash


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        pytest.param(MODEL, "none", id="model"),
        pytest.param("signal:1", "train", id="signal"),
        pytest.param(f"{MODEL}.r2", "promote", id="evaluation"),
        pytest.param(f"{MODEL}.r7", "none", id="failed-run"),
    ],
)
def test_explain_finds_the_decision_behind_a_name(app_context: Desk, name: str, verdict: str):
    assert app_context.json("explain", name)["verdict"] == verdict


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(
            ["versions", "flight-dely"], 3,
            "There is no model called flight-dely. Did you mean flight-delay?", id="model",
        ),
        pytest.param(
            ["explain", "99"], 3, "There is no decision 99. The last one is 11.", id="decision"
        ),
        pytest.param(
            ["explain", "nobody"], 3, "There is no decision, run or model called 'nobody'.", id="name"
        ),
        pytest.param(["explain", "signal:77"], 3, "There is no signal 77.", id="signal"),
        pytest.param(["runs", "show", "x.r1"], 3, "There is no run called x.r1.", id="run"),
        pytest.param(["decisions", "--since", "gestern"], 2, "'gestern' is no time.", id="time"),
        pytest.param(["decisions", "--verdict", "maybe"], 2, "Invalid value", id="verdict"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_an_exit_code(
    app_context: Desk, words: list[str], code: int, said: str
):
    result = app_context.run(*words, code=code)
    assert result.stdout == ""
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    as_json = json.loads(app_context.run(*words, "--json", code=code).stderr)
    assert set(as_json) == {"code", "message", "hint", "details"}
    assert as_json["message"] in result.stderr


def test_explain_of_a_model_says_what_could_happen_next(app_context: Desk):
    screen = app_context.run("explain", MODEL).stdout
    assert "What could happen next" in screen
    assert "inactive     new_data: no new data  (rules/flight-delay.yaml:6)" in screen
    assert "now: v3 is held" in screen
    outlook = app_context.json("explain", MODEL)["outlook"]
    assert outlook["triggers"][0]["result"] == "inactive"
    assert "outlook" not in app_context.json("explain", "1")
