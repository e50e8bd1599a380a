"""Hostile text ends in problems: no exception, no alias expanded, no object made, whatever stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.rulefmt import parse
from controller.rulefmt.ruletest import parse_tests
from controller.rulefmt.schema.policy import POLICY

FULL = (Path(__file__).parent / "policies" / "full.good.yaml").read_bytes()
TESTS = (Path(__file__).parent / "ruletests" / "whole.good.test.yaml").read_text()
SIZE = 100_000

BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)

HOSTILE: dict[str, bytes | str] = {
    "deep-flow-lists": "[" * SIZE,
    "deep-flow-mappings": "{a: " * (SIZE // 4),
    "deep-lists": "- " * (SIZE // 2),
    "deep-keys": "? " * (SIZE // 2),
    "deep-indent": "".join(" " * i + "a:\n" for i in range(440)),
    "alias-bomb": BILLION_LAUGHS,
    "many-aliases": "a: &a [x]\n" + "b: [*a, *a]\n" * 8000,
    "long-key": "a" * SIZE + ": 1\n",
    "long-keys": "".join(f"{'k' * 900}{n}: 1\n" for n in range(100)),
    "many-unknown-keys": "".join(f"modle{n}: 1\n" for n in range(7000)),
    "many-gates": "promote:\n" + "- {metric: mae, at_most: x}\n" * 3000,
    "long-number": "version: " + "9" * SIZE,
    "long-duration": "limits: {cooldown: " + "9" * SIZE + "h}",
    "long-cron": 'triggers: [{schedule: {cron: "' + "*," * (SIZE // 2) + ' * * * *"}}]',
    "long-timezone": "triggers: [{schedule: {cron: '0 3 * * 1', timezone: " + "a/" * 40_000 + "}}]",
    "path-as-timezone": "triggers: [{schedule: {cron: '0 3 * * 1', timezone: ../../etc/passwd}}]",
    "python-object": 'model: !!python/object/apply:os.system ["true"]\n',
    "unterminated": '"' + "a" * SIZE,
    "colons": ":" * SIZE,
    "nul": b"\0" * SIZE,
    "utf-16": "version: 1\n".encode("utf-16"),
    "surrogates": b"model: \xed\xa0\x80\n",
    "overlong": b"model: \xc0\x80\n",
    "only-tabs": "\t" * SIZE,
    "line-separators": "model: a\u2028b\n",
    "line-breaks-in-a-value": 'triggers: "-0}' + "\\n" * 40 + '"\nowner: "1' + "\\t" * 400 + '"\n',
    "carriage-returns": "version: 1\rmodel: a\r",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused(name: str):
    parsed = parse(HOSTILE[name], "p.yaml")

    assert parsed.policy is None
    assert parsed.problems
    for problem in parsed.problems:
        assert problem.line >= 1
        assert problem.col >= 1
        assert len(str(problem)) < 1000
        assert "\n" not in str(problem)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_end_in_problems_or_a_policy(text: bytes):
    parsed = parse(text, "p.yaml")

    assert (parsed.policy is None) == bool(parsed.problems)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_policy_with_any_bytes_put_anywhere_ends_in_problems_or_a_policy(data: st.DataObject):
    start = data.draw(st.integers(0, len(FULL)))
    stop = data.draw(st.integers(start, min(len(FULL), start + 30)))
    text = FULL[:start] + data.draw(st.binary(max_size=20)) + FULL[stop:]

    parsed = parse(text, "p.yaml")

    assert (parsed.policy is None) == bool(parsed.problems)


SCALARS = st.one_of(
    st.sampled_from(
        ["mae", "1", "0", "-1", "3%", "2d", "true", "~", ".nan", "1e-3", "champion", "a:b", '""']
    ),
    st.text("abc01:%.-", max_size=6),
)
KEYS = st.sampled_from(
    sorted(
        {k.name for k in POLICY.keys} | {"metric", "better_than", "rows", "cron", "from", "when"}
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.dictionaries(KEYS, inner, max_size=4).map(
            lambda d: "{" + ", ".join(f"{k}: {v}" for k, v in d.items()) + "}"
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_wrongly_shaped_policies_end_in_problems_or_a_policy(sections: dict[str, str]):
    text = "".join(f"{key}: {value}\n" for key, value in sections.items())

    parsed = parse(text, "p.yaml")

    assert (parsed.policy is None) == bool(parsed.problems)


PLACES = re.compile(r"(?<=[:\[,\- ] )([^\s:{}\[\],#][^{}\[\],#\n]*)")
"""Where a value stands in a rules file, or some of its words."""
STRANGE = st.one_of(
    st.sampled_from(["9" * 400, "1e308", "1e400", "-1", "9007199254740993", "9223372036854775808"]),
    st.sampled_from(["36500d", "36501d", "9999999w", "0s", "99999999%", "999999999GiB", ".nan"]),
    st.sampled_from(["null", "[]", "{}", "[[]]", "true", "*a", "&a b", "0x10", "1:30"]),
    st.sampled_from(
        ["2013-01-01/9999-12-31", "100000 batches", "999 of 999 batches", "0 0 31 2 *"]
    ),
    st.sampled_from(['"1x99999"', '"9999999999999.9x9999 _x9999"', "модель", '"\\ud800"', '"\\0"']),
    st.datetimes().map(lambda at: f'"{at.isoformat()}+14:00"'),
    st.datetimes().map(lambda at: f'"{at.isoformat()}-14:00"'),
    st.text(max_size=6).map(lambda said: f"'{said}'"),
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_value_in_the_place_of_any_other_ends_in_problems_or_is_read(data: st.DataObject):
    text = data.draw(st.sampled_from([FULL.decode(), TESTS]))
    for _ in range(data.draw(st.integers(1, 3))):
        places = list(PLACES.finditer(text))
        place = places[data.draw(st.integers(0, len(places) - 1))]
        text = text[: place.start()] + data.draw(STRANGE) + text[place.end() :]

    policy, tests = parse(text, "p.yaml"), parse_tests(text, "p.test.yaml")

    assert (policy.policy is None) == bool(policy.problems)
    assert (tests.tests is None) == bool(tests.problems)


HEAD = "version: 1\npolicy: p.yaml\n"
ONE = "  - {name: a, signals: [{at: 0s, manual: {}}], expect: [{at: 1d, decision: train}]}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            HEAD + 'start: "9999-12-31T23:59:59-14:00"\ntests:\n' + ONE,
            "`start` must be in the years 1971 to 9000",
            id="the end of time",
        ),
        pytest.param(
            HEAD + 'start: "0001-01-01T00:00:00+14:00"\ntests:\n' + ONE,
            "`start` must be in the years 1971 to 9000",
            id="the beginning of time",
        ),
        pytest.param(
            HEAD
            + "tests:\n"
            + ONE.replace("signals:", 'series: [{decay: mae, values: "14"}], signals:'),
            "`tests[0].series[0]` needs the key `reference`",
            id="a fault below what is put together",
        ),
        pytest.param(
            HEAD + "tests:\n" + ONE.replace("1d", "36501d"),
            "found `36501d`; at most 36500d is a duration",
            id="more than a hundred years",
        ),
    ],
)
def test_what_once_ended_in_an_exception_is_one_problem(text: str, problem: str):
    (found,) = parse_tests(text, "p.test.yaml").problems

    assert problem in str(found)
