from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controller.domain.errors import Fenced
from controller.domain.signals import SignalKind
from controller.policy.triggers import ScheduleTrigger
from controller.ports import Query
from controller.service.loops.fire_schedules import FireSchedules
from controller.service.rules.next_due import next_due
from tests.support.house import MODEL, House, policy

NIGHTLY = ScheduleTrigger(name="nightly", cron="0 3 * * *")


def house_with(*triggers: ScheduleTrigger) -> tuple[House, FireSchedules]:
    house = House(rules=policy(triggers=triggers))
    return house, again(house)


def again(house: House) -> FireSchedules:
    """The service as a restart makes it."""
    return FireSchedules(house.store, house.clock, house.parse)


def signals(house: House) -> list[tuple[str, int]]:
    with house.store.read() as tx:
        found = tx.signals.find(Query(kinds=(SignalKind.SCHEDULE,)))
    return [(signal.key, signal.payload["missed"]) for signal in reversed(found)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def key(due: str, trigger: str = "nightly") -> str:
    return f"schedule:{MODEL}:{trigger}:{due}.000000Z"


def test_new_schedule_is_planned_and_does_not_fire():
    house, service = house_with(NIGHTLY)
    assert service.run_once().planned == 1
    with house.store.read() as tx:
        due, meaning = tx.schedules.next_due(MODEL, "nightly") or (None, None)
    assert due == at("2013-02-01T03:00")
    assert meaning == "cron 0 3 * * * in UTC"
    assert signals(house) == []


def test_fires_once_when_due():
    house, service = house_with(NIGHTLY)
    service.run_once()
    house.clock.set(at("2013-02-01T03:00"))
    assert service.run_once().fired == 1
    assert service.run_once().fired == 0
    assert signals(house) == [(key("2013-02-01T03:00:00"), 0)]


def test_restart_catches_up_once_and_says_how_many_were_missed():
    house, service = house_with(NIGHTLY)
    service.run_once()
    house.clock.set(at("2013-02-05T12:00"))
    report = again(house).run_once()
    assert (report.fired, report.missed) == (1, 4)
    assert again(house).run_once().fired == 0
    assert signals(house) == [(key("2013-02-05T03:00:00"), 4)]


def test_two_controllers_fire_once():
    house, service = house_with(NIGHTLY)
    other = again(house)
    service.run_once()
    other.run_once()
    house.clock.set(at("2013-02-01T03:00"))
    assert service.run_once().fired + other.run_once().fired == 1


def test_clock_that_steps_back_does_not_fire_again():
    house, service = house_with(NIGHTLY)
    service.run_once()
    house.clock.set(at("2013-02-01T03:00:10"))
    service.run_once()
    house.clock.set(at("2013-02-01T02:00:10"))
    assert service.run_once().fired == 0
    house.clock.set(at("2013-02-01T03:00:10"))
    assert service.run_once().fired == 0
    house.clock.set(at("2013-02-02T03:00"))
    assert service.run_once().fired == 1


def test_changed_definition_is_counted_anew():
    house, service = house_with(NIGHTLY)
    service.run_once()
    house.review(policy(triggers=(ScheduleTrigger(name="nightly", cron="0 4 * * *"),)))
    house.clock.set(at("2013-02-01T03:30"))
    assert service.run_once().fired == 0
    house.clock.set(at("2013-02-01T04:00"))
    assert service.run_once().fired == 1
    assert signals(house) == [(key("2013-02-01T04:00:00"), 0)]


def test_removed_trigger_is_forgotten():
    house, service = house_with(NIGHTLY)
    service.run_once()
    house.review(policy(triggers=()))
    service.run_once()
    with house.store.read() as tx:
        assert tx.schedules.next_due(MODEL, "nightly") is None


def test_each_trigger_has_its_own_zone_and_rhythm():
    house, service = house_with(
        ScheduleTrigger(name="berlin", cron="0 3 * * *", timezone="Europe/Berlin"),
        ScheduleTrigger(name="often", every=timedelta(minutes=90)),
    )
    service.run_once()
    house.clock.set(at("2013-02-01T02:00"))
    assert service.run_once().fired == 2
    assert signals(house) == [
        (key("2013-02-01T02:00:00", "berlin"), 0),
        (key("2013-02-01T01:30:00", "often"), 8),
    ]


def test_look_that_finds_nothing_due_writes_nothing(monkeypatch):
    house, service = house_with(NIGHTLY)
    service.run_once()
    monkeypatch.setattr(house.store, "begin", lambda: pytest.fail("it wrote"))
    service.run_once()


PULSE = ScheduleTrigger(name="pulse", every=timedelta(hours=6))


@pytest.mark.parametrize(
    ("trigger", "due"),
    [(NIGHTLY, "2013-02-01T03:00"), (PULSE, "2013-01-31T20:00")],
    ids=["cron", "every"],
)
def test_a_clock_that_was_a_year_ahead_does_not_put_a_schedule_to_sleep(
    trigger: ScheduleTrigger, due: str
):
    house, service = house_with(trigger)
    service.run_once()
    house.clock.advance(timedelta(days=365))
    assert service.run_once().fired == 1, "it cannot know better"
    house.clock.set(at("2013-01-31T14:00"))
    assert service.run_once().planned == 1
    with house.store.read() as tx:
        assert (tx.schedules.next_due(MODEL, trigger.name) or [None])[0] == at(due)
    house.clock.set(at(due))
    assert service.run_once().fired == 1


def test_a_plan_that_could_not_be_committed_is_made_again(monkeypatch: pytest.MonkeyPatch):
    house, service = house_with(NIGHTLY)
    service.run_once()
    house.clock.advance(timedelta(days=365))
    service.run_once()
    house.clock.set(at("2013-01-31T14:00"))
    with monkeypatch.context() as patch:
        patch.setattr(house.store, "begin", refused)
        with pytest.raises(Fenced):
            service.run_once()
    assert service.run_once().planned == 1


def refused():
    """The lease has run out, so that nothing is written."""
    raise Fenced("Another controller leads.")


def test_an_hour_back_does_not_fire_twice():
    house, service = house_with(NIGHTLY)
    service.run_once()
    house.clock.set(at("2013-02-01T03:10"))
    assert service.run_once().fired == 1
    house.clock.set(at("2013-02-01T02:10"))
    service.run_once()
    house.clock.set(at("2013-02-01T03:10"))
    assert service.run_once().fired == 0
    assert signals(house) == [(key("2013-02-01T03:00:00"), 0)]
    house.clock.set(at("2013-02-02T03:00"))
    assert service.run_once().fired == 1


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize("line", ["30 2 * * *", "0 * * * *", "15 1 * * 0", "0 3 29 2 *"])
def test_the_next_due_time_stays_the_next_one_until_it_comes(zone: str, line: str):
    trigger = ScheduleTrigger(name="t", cron=line, timezone=zone)
    for start in ("2013-03-09T12:00", "2013-03-30T12:00", "2013-04-06T12:00", "2013-10-26T12:00"):
        planned = next_due(trigger, at(start))
        for minutes in range(0, 48 * 60, 7):
            now = at(start) + timedelta(minutes=minutes)
            if now < planned:
                assert next_due(trigger, now) == planned
            else:
                planned = next_due(trigger, now)
