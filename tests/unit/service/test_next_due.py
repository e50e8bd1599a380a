from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.policy.triggers import ScheduleTrigger
from controller.service.rules.next_due import catch_up, definition, next_due

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def cron(line: str, timezone: str = "UTC") -> ScheduleTrigger:
    return ScheduleTrigger(name="s", cron=line, timezone=timezone)


def every(**span: float) -> ScheduleTrigger:
    return ScheduleTrigger(name="s", every=timedelta(**span))


def moment(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def fires(trigger: ScheduleTrigger, after: datetime, count: int) -> list[str]:
    """The next due times as the wall clock of the trigger's zone shows them, with the offset."""
    found = []
    for _ in range(count):
        after = next_due(trigger, after)
        found.append(f"{after.astimezone(ZoneInfo(trigger.timezone)):%m-%d %H:%M%z}")
    return found


@pytest.mark.parametrize(
    ("line", "zone", "after", "expected"),
    [
        pytest.param(
            "0 3 * * 1", "UTC", "2026-11-20T12:00", ["11-23 03:00+0000"], id="monday-is-1"
        ),
        pytest.param(
            "0 3 * * 0", "UTC", "2026-11-20T12:00", ["11-22 03:00+0000"], id="sunday-is-0"
        ),
        pytest.param(
            "0 3 * * 7", "UTC", "2026-11-20T12:00", ["11-22 03:00+0000"], id="sunday-is-7"
        ),
        pytest.param(
            "*/15 * * * *",
            "UTC",
            "2026-11-20T12:00",
            ["11-20 12:15+0000", "11-20 12:30+0000"],
            id="strictly-after",
        ),
        pytest.param("0 0 29 2 *", "UTC", "2026-03-01T00:00", ["02-29 00:00+0000"], id="leap-day"),
        pytest.param(
            "0 0 31 * *", "UTC", "2026-01-31T00:00", ["03-31 00:00+0000"], id="long-months"
        ),
        pytest.param(
            "0 0 1 1 *", BERLIN, "2026-06-01T00:00", ["01-01 00:00+0100"], id="over-a-change"
        ),
        pytest.param(
            "0 * 1 12 *", BERLIN, "2026-06-01T00:00", ["12-01 00:00+0100"], id="every-hour-of-a-day"
        ),
    ],
)
def test_cron(line, zone, after, expected):
    assert fires(cron(line, zone), moment(after, zone), len(expected)) == expected


def test_leap_day_is_in_a_leap_year():
    assert next_due(cron("0 0 29 2 *"), moment("2025-03-01")) == moment("2028-02-29")
    assert next_due(cron("0 0 29 2 *"), moment("2096-03-01")) == moment("2104-02-29")


@pytest.mark.parametrize(
    ("line", "zone", "after", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-03-28T12:00",
            ["03-29 03:30+0200", "03-30 02:30+0200"],
            id="berlin-left-out-time-fires-later",
        ),
        pytest.param(
            "30 1 * * *",
            BERLIN,
            "2026-03-28T12:00",
            ["03-29 01:30+0100", "03-30 01:30+0200"],
            id="berlin-time-before-the-gap",
        ),
        pytest.param(
            "30 2,3 * * *",
            BERLIN,
            "2026-03-28T12:00",
            ["03-29 03:30+0200", "03-30 02:30+0200"],
            id="berlin-two-names-one-moment",
        ),
        pytest.param(
            "0 * * * *",
            BERLIN,
            "2026-03-29T00:30",
            ["03-29 01:00+0100", "03-29 03:00+0200", "03-29 04:00+0200"],
            id="berlin-hourly",
        ),
        pytest.param(
            "*/30 * * * *",
            BERLIN,
            "2026-03-29T01:10",
            ["03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200"],
            id="berlin-half-hourly",
        ),
        pytest.param(
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07T12:00",
            ["03-08 03:30-0400", "03-09 02:30-0400"],
            id="new-york-left-out-time-fires-later",
        ),
        pytest.param(
            "0 * * * *",
            NEW_YORK,
            "2026-03-08T00:30",
            ["03-08 01:00-0500", "03-08 03:00-0400"],
            id="new-york-hourly",
        ),
        pytest.param(
            "0 0 * * *",
            "America/Santiago",
            "2026-09-05T12:00",
            ["09-06 01:00-0300", "09-07 00:00-0300"],
            id="santiago-midnight-is-left-out",
        ),
        pytest.param(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00",
            ["10-04 02:45+1100", "10-05 02:15+1100"],
            id="lord-howe-half-an-hour",
        ),
    ],
)
def test_spring(line, zone, after, expected):
    assert fires(cron(line, zone), moment(after, zone), len(expected)) == expected


@pytest.mark.parametrize(
    ("line", "zone", "after", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-10-24T12:00",
            ["10-25 02:30+0200", "10-26 02:30+0100"],
            id="berlin-doubled-time-fires-once",
        ),
        pytest.param(
            "*/30 2 * * *",
            BERLIN,
            "2026-10-24T12:00",
            ["10-25 02:00+0200", "10-25 02:30+0200", "10-26 02:00+0100"],
            id="berlin-several-in-the-doubled-hour-once",
        ),
        pytest.param(
            "0 */2 * * *",
            BERLIN,
            "2026-10-24T23:00",
            ["10-25 00:00+0200", "10-25 02:00+0200", "10-25 04:00+0100"],
            id="berlin-every-second-hour-once",
        ),
        pytest.param(
            "0 * * * *",
            BERLIN,
            "2026-10-25T01:30",
            ["10-25 02:00+0200", "10-25 02:00+0100", "10-25 03:00+0100"],
            id="berlin-hourly-does-not-stall",
        ),
        pytest.param(
            "0 * * * *",
            NEW_YORK,
            "2026-11-01T00:30",
            ["11-01 01:00-0400", "11-01 01:00-0500", "11-01 02:00-0500"],
            id="new-york-hourly-does-not-stall",
        ),
        pytest.param(
            "59 1 * * *",
            NEW_YORK,
            "2026-10-31T12:00",
            ["11-01 01:59-0400", "11-02 01:59-0500"],
            id="new-york-doubled-time-fires-once",
        ),
    ],
)
def test_autumn(line, zone, after, expected):
    assert fires(cron(line, zone), moment(after, zone), len(expected)) == expected


def test_daily_time_does_not_fire_again_from_within_the_second_hour():
    within = moment("2026-10-25T02:10", BERLIN, fold=1)
    assert fires(cron("30 2 * * *", BERLIN), within, 1) == ["10-26 02:30+0100"]


def test_shifted_fire_is_found_from_just_before_it():
    just_before = moment("2026-03-29T03:29:59", BERLIN)
    assert fires(cron("30 2 * * *", BERLIN), just_before, 1) == ["03-29 03:30+0200"]


def test_day_that_a_zone_left_out():
    before = moment("2011-12-29T12:00", "Pacific/Apia")
    assert fires(cron("0 9 * * *", "Pacific/Apia"), before, 2) == [
        "12-31 09:00+1400",
        "01-01 09:00+1400",
    ]


def test_interval_measures_elapsed_time():
    after = moment("2026-10-25T00:00", BERLIN)
    assert next_due(every(minutes=90), after) - after.astimezone(UTC) == timedelta(minutes=90)


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("line", ["*/20 * * * *", "0 * * * *"])
def test_hourly_line_keeps_its_pace_all_year(zone, line):
    trigger = cron(line, zone)
    pace = timedelta(minutes=20) if line.startswith("*") else timedelta(hours=1)
    # Lord Howe's clock moves by half an hour, so that its full hours are half an hour nearer or farther, twice.
    allowed = {pace} | ({pace / 2, pace * 1.5} if zone == "Australia/Lord_Howe" else set())
    moments = [moment("2026-03-28T00:00", zone)]
    for _ in range(100):
        moments.append(next_due(trigger, moments[-1]))
    steps = {b - a.astimezone(UTC) for a, b in pairwise(moments[1:])}
    assert steps <= allowed | {timedelta(minutes=10), timedelta(minutes=30)}
    if zone != "Australia/Lord_Howe":
        assert steps == {pace}


LINES = [
    "30 2 * * *",
    "0 * * * *",
    "*/7 * * * *",
    "0 3 * * 1",
    "15 0,1,2,3 * * *",
    "0 0 1 * *",
    "0 */6 * * *",
]


@settings(max_examples=300, deadline=None)
@given(
    line=st.sampled_from(LINES),
    zone=st.sampled_from(
        [BERLIN, NEW_YORK, "America/Santiago", "Pacific/Apia", "Africa/Casablanca"]
    ),
    after=st.integers(1_100_000_000, 2_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
)
def test_due_times_rise_and_do_not_depend_on_where_one_begins(line, zone, after):
    trigger = cron(line, zone)
    first = next_due(trigger, after)
    second = next_due(trigger, first)
    assert after < first < second
    between = first + (second - first) / 3
    assert next_due(trigger, between) == second
    assert next_due(trigger, first - timedelta(seconds=1)) == first


@pytest.mark.parametrize(
    ("trigger", "due", "now", "expected"),
    [
        pytest.param(
            cron("0 3 * * *"),
            "2026-11-01T03:00",
            "2026-11-01T03:00",
            ("2026-11-01T03:00", 0, "2026-11-02T03:00"),
            id="on-time",
        ),
        pytest.param(
            cron("0 3 * * *"),
            "2026-11-01T03:00",
            "2026-11-04T12:00",
            ("2026-11-04T03:00", 3, "2026-11-05T03:00"),
            id="three-missed",
        ),
        pytest.param(
            every(minutes=90),
            "2026-11-01T00:00",
            "2026-11-01T10:00",
            ("2026-11-01T09:00", 6, "2026-11-01T10:30"),
            id="interval-keeps-its-phase",
        ),
    ],
)
def test_catch_up(trigger, due, now, expected):
    caught = catch_up(trigger, moment(due), moment(now))
    latest, missed, following = expected
    assert (caught.due, caught.missed, caught.following) == (
        moment(latest),
        missed,
        moment(following),
    )


def test_catch_up_after_years_of_minutes_counts_to_a_bound():
    caught = catch_up(cron("* * * * *"), moment("2020-01-01"), moment("2026-01-01T00:00:30"))
    assert caught.due == moment("2026-01-01")
    assert caught.missed >= 10_000


def test_definition_names_what_the_due_times_depend_on():
    assert definition(cron("0 3 * * 1", BERLIN)) == "cron 0 3 * * 1 in Europe/Berlin"
    assert definition(every(minutes=90)) == "every 5400s"
