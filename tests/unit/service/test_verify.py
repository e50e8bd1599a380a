"""Verify tells a whole log from a tampered one, names the first record that differs, and tells newer code apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain.canonical import canonical_json
from controller.domain.chain import seal
from controller.domain.decisions import DecisionRecord
from controller.domain.errors import NotFound
from controller.domain.signals import NewSignal, SignalKind
from controller.domain.snapshot import SNAPSHOT_FORMAT
from controller.domain.versions import VersionState
from controller.policy.decide import CODE
from controller.rulefmt import blob_id, load_policy
from controller.service.replay.verify import (
    Verification,
    Verifier,
    VerifyDifference,
    first_difference,
)
from tests.support.command import POLICY, Desk
from tests.support.house import FAILS, MODEL, UNDECIDED
from tests.support.nonsense import behind_the_doors

Change = Callable[[DecisionRecord], DecisionRecord]


@pytest.fixture
def app_context() -> Desk:
    app_context = Desk()
    for name, outcome in (("jan", {}), ("feb", FAILS), ("mar", UNDECIDED)):
        app_context.house.data(30_000, name)
        app_context.house.work(outcome)
        app_context.house.clock.advance(timedelta(days=31))
    return app_context


def check(app_context: Desk, number: int | None = None) -> Verification:
    with app_context.house.store.read() as tx:
        verifier = Verifier(tx, load_policy, blob_id)
        return verifier.all() if number is None else verifier.one(number)


def overwrite(app_context: Desk, number: int, change: Change) -> None:
    """Change a stored record behind the back of the log."""
    with app_context.house.behind() as tx:
        record = tx.decisions.get(number)
        assert record is not None
        tx.tables.decisions[number] = change(record)


def reseal_from(app_context: Desk, number: int, change: Change) -> None:
    """Change a record and forge every hash after it, as somebody could who can write the whole table."""
    with app_context.house.behind() as tx:
        before = ""
        for record in list(tx.decisions.walk(number)):
            forged = change(record) if record.id == number else replace(record, prev_hash=before)
            forged = seal(forged)
            tx.tables.decisions[record.id] = forged
            before = forged.hash


def in_decision(**changes: Any) -> Change:
    def change(record: DecisionRecord) -> DecisionRecord:
        body = json.loads(record.decision)
        return replace(record, decision=canonical_json({**body, **changes}))

    return change


def test_a_whole_log_is_whole(app_context: Desk):
    found = check(app_context)
    assert found.whole
    assert found.checked == len(app_context.house.records()) == 9
    assert found.findings == ()
    assert all(check(app_context, number).whole for number in range(1, 10))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(in_decision(verdict="promote"), id="verdict"),
        pytest.param(in_decision(reason="because I say so"), id="reason"),
        pytest.param(lambda r: replace(r, snapshot=r.snapshot + " "), id="snapshot"),
        pytest.param(lambda r: replace(r, actor="person:eve"), id="actor"),
        pytest.param(lambda r: replace(r, model="other"), id="model"),
        pytest.param(
            lambda r: replace(r, decided_at=r.decided_at + timedelta(microseconds=1)), id="time"
        ),
        pytest.param(lambda r: replace(r, rules=replace(r.rules, blob="0" * 40)), id="rules"),
        pytest.param(lambda r: replace(r, hash="0" * 64), id="hash"),
        pytest.param(lambda r: replace(r, prev_hash="0" * 64), id="prev-hash"),
    ],
)
def test_one_changed_field_names_the_decision(app_context: Desk, change: Change):
    overwrite(app_context, 6, change)
    found = check(app_context)
    assert not found.whole
    assert found.first is not None
    assert found.first.decision == 6
    assert not check(app_context, 6).whole
    said = app_context.run("verify", "--all", code=1).stdout
    assert "ecision 6" in said


def test_a_forged_verdict_differs_from_what_its_snapshot_gives(app_context: Desk):
    reseal_from(app_context, 6, in_decision(verdict="promote"))
    found = check(app_context).first
    assert found == VerifyDifference(
        decision=6,
        sentence="Decision 6 differs from what its snapshot and rules give: "
        'verdict is "promote", derived "reject".',
        place="verdict",
        recorded="promote",
        derived="reject",
    )


def test_a_removed_record_is_missing(app_context: Desk):
    with app_context.house.behind() as tx:
        tx.tables.decisions.pop(4)
    found = check(app_context).first
    assert found is not None
    assert (found.decision, found.sentence) == (4, "Decision 4 is missing.")


def test_rules_whose_text_was_changed_are_named(app_context: Desk):
    with app_context.house.behind() as tx:
        texts = tx.tables.texts
        blob = blob_id(POLICY.encode())
        texts[blob] = texts[blob].replace("better_than", "not_worse_than")
    found = check(app_context).first
    assert found is not None
    assert found.decision == 1
    assert found.sentence.endswith("whose stored text was changed.")


def test_newer_code_that_decides_otherwise_is_a_finding_and_no_tampering(
    app_context: Desk, monkeypatch: pytest.MonkeyPatch
):
    reseal_from(app_context, 6, in_decision(verdict="hold", code="0"))
    found = check(app_context)
    assert found.whole
    (finding,) = found.findings
    assert finding.decision == 6
    assert finding.sentence.startswith(
        f"Decision 6 was taken by engine version 0; engine version {CODE} would decide otherwise"
    )
    assert check(app_context, 6).whole
    result = app_context.run("verify", "--all")
    assert "1 by another engine version" in result.stdout
    assert "Finding: Decision 6" in result.stderr


def test_older_code_that_words_the_same_decision_otherwise_is_a_finding_of_its_own(
    app_context: Desk,
):
    reseal_from(app_context, 6, in_decision(reason="the words of an older version", code="0"))
    (finding,) = check(app_context).findings
    assert (finding.decision, finding.wording) == (6, True)
    assert finding.sentence.endswith(f"engine version {CODE} decides the same in other words.")
    result = app_context.run("verify", "--all")
    assert f"Note: {finding.sentence}" in result.stderr
    assert "Finding:" not in result.stderr


def test_words_that_its_own_code_does_not_give_are_tampering(app_context: Desk):
    reseal_from(app_context, 6, in_decision(reason="made up"))
    found = check(app_context)
    assert not found.whole


def test_a_failed_signal_of_code_5_that_told_nobody_is_a_finding_and_no_tampering(
    app_context: Desk,
):
    """Golden: code 5 told only the channels that the policy names, code 6 the operators where it names none."""
    house = app_context.house
    poison = NewSignal(
        key="poison",
        model=MODEL,
        kind=SignalKind.NEW_DATA,
        occurred_at=house.clock.now(),
        payload={"rows": {"not": "a number"}, "sequence": "x"},
    )
    with behind_the_doors(), house.store.begin() as tx:
        tx.signals.append([poison], house.clock.now())
    house.engine.run_once()
    number = next(record.id for record in house.records() if "cannot be decided" in record.decision)
    [told] = json.loads(house.records()[number - 1].decision)["actions"]
    assert told["channels"] == ["operators"]
    assert check(app_context).findings == ()

    reseal_from(app_context, number, in_decision(actions=[], code="5"))
    found = check(app_context)
    assert found.whole
    assert [finding.decision for finding in found.findings] == [number]
    assert "was taken by engine version 5" in found.findings[0].sentence


def test_a_log_from_before_foreign_moves_were_read_is_whole(app_context: Desk):
    """Its snapshots hold no ``moves``, and code 4 decided."""
    with app_context.house.behind() as tx:
        before = tx.decisions.get(1).prev_hash  # type: ignore[union-attr]
        for record in list(tx.decisions.walk()):
            snapshot = json.loads(record.snapshot)
            del snapshot["moves"]
            decision = {**json.loads(record.decision), "code": "4"}
            older = replace(
                record,
                snapshot=canonical_json(snapshot),
                decision=canonical_json(decision),
                prev_hash=before,
            )
            tx.tables.decisions[record.id] = seal(older)
            before = tx.tables.decisions[record.id].hash
    found = check(app_context)
    assert found.whole
    assert (found.checked, found.findings) == (9, ())


def test_older_code_that_decides_the_same_is_whole(app_context: Desk):
    reseal_from(app_context, 6, in_decision(code="0"))
    found = check(app_context)
    assert found.whole
    assert found.findings == ()


@pytest.mark.parametrize(
    ("change", "decision", "said"),
    [
        pytest.param(
            {"state": VersionState.CHALLENGER},
            6,
            "left flight-delay v2 with state rejected",
            id="state",
        ),
        pytest.param({"digest": "f" * 64}, 6, "left flight-delay v2 with digest", id="digest"),
        pytest.param({"run": "somebody.else"}, 6, "v2 with run flight-delay.r3", id="run"),
    ],
)
def test_a_registry_that_the_log_did_not_make_is_found(
    app_context: Desk, change: dict[str, Any], decision: int, said: str
):
    with app_context.house.behind() as tx:
        held = tx.tables.versions[MODEL, 2]
        tx.tables.versions[MODEL, 2] = replace(held, **change)
    found = check(app_context).first
    assert found is not None
    assert found.decision == decision
    assert said in found.sentence


def test_a_seat_that_was_moved_by_hand_is_found(app_context: Desk):
    with app_context.house.behind() as tx:
        state = tx.tables.models[MODEL]
        tx.tables.models[MODEL] = replace(state, champion=2, generation=2)
    found = check(app_context).first
    assert found is not None
    assert found.sentence == (
        "Decision 3 left v1 as champion of flight-delay at generation 1, but there is v2 at generation 2."
    )


def test_an_unknown_decision_is_not_found(app_context: Desk):
    with pytest.raises(NotFound, match="There is no decision 99"):
        check(app_context, 99)


def test_progress_counts_every_decision(app_context: Desk):
    seen: list[tuple[int, int]] = []
    with app_context.house.store.read() as tx:
        Verifier(tx, load_policy, blob_id).all(lambda done, total: seen.append((done, total)))
    assert seen == [(n, 9) for n in range(1, 10)]


def test_the_command_says_what_it_did(app_context: Desk):
    assert app_context.run("verify", "3").stdout.startswith(
        "Decision 3: derived again, as recorded."
    )
    assert (
        "9 decisions derived again, all as recorded." in app_context.run("verify", "--all").stdout
    )
    assert app_context.json("verify", "--all")["whole"] is True
    assert "Name one decision, or say --all." in app_context.run("verify", code=2).stderr
    assert MODEL in app_context.json("decisions")[0]["model"]


@pytest.mark.parametrize(
    ("stored", "derived", "place"),
    [
        pytest.param({"a": 1}, {"a": 2}, "a", id="value"),
        pytest.param({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, "a[1].b", id="deep"),
        pytest.param({"a": None}, {}, "a", id="absent"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, "a", id="length"),
    ],
)
def test_the_first_difference_has_a_place(stored: Any, derived: Any, place: str):
    assert first_difference(stored, derived)[0] == place


FACTS_CHANGED = {
    "a fact is gone": lambda tables: tables.facts.pop(3),
    "a fact names somebody else": lambda tables: tables.facts.__setitem__(
        3, replace(tables.facts[3], actor="person:eve")
    ),
    "a fact of nobody": lambda tables: tables.facts.__setitem__(
        99, replace(tables.facts[3], id=99, reason="I say so.")
    ),
    "another date of leaving": lambda tables: tables.versions.__setitem__(
        (MODEL, 1), replace(tables.versions[MODEL, 1], sunset=tables.facts[3].at)
    ),
}


@pytest.mark.parametrize("change", FACTS_CHANGED.values(), ids=FACTS_CHANGED.keys())
def test_a_fact_that_no_decision_made_is_found(app_context: Desk, change: Any):
    assert check(app_context).whole
    with app_context.house.behind() as tx:
        change(tx.tables)
    found = check(app_context)
    assert found.first is not None
    assert "fact" in found.first.sentence or "sunset" in found.first.sentence


def test_a_snapshot_of_a_newer_format_is_refused(app_context: Desk):
    record = app_context.house.records()[0]
    newer = replace(
        record,
        snapshot=record.snapshot.replace(
            f'"format":{SNAPSHOT_FORMAT}', f'"format":{SNAPSHOT_FORMAT + 1}'
        ),
    )
    with app_context.house.store.read() as tx:
        found = Verifier(tx, app_context.house.parse, lambda _: record.rules.blob).derive(newer)
    assert found
    assert f"has a snapshot of format {SNAPSHOT_FORMAT + 1}" in found.sentence
