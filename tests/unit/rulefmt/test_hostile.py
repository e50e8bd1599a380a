"""Hostile text ends in problems: no exception, no alias expanded, no object made, whatever stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.rulefmt import parse
from controller.rulefmt.schema.policy import POLICY

FULL = (Path(__file__).parent / "policies" / "full.good.yaml").read_bytes()
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
