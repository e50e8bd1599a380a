"""Typed payloads: each kind has one declaration, and nonsense is refused by the field's name or does no harm."""

from __future__ import annotations

import random
import sys
from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.domain.canonical import canonical_json
from controller.domain.errors import UserError
from controller.domain.names import check_model_name
from controller.domain.payloads import (
    InvalidPayload,
    check_payload,
    check_signal,
    is_in_range,
    storable_text,
)
from controller.domain.payloads.bounds import DEEPEST
from controller.domain.payloads.fields import LATEST, Shape
from controller.domain.payloads.kinds import DECLARATIONS, FREE
from controller.domain.rules.vocabulary import MODEL_NAME_TEXT
from controller.domain.signals import SignalKind
from controller.rulefmt.reference import json_schema
from tests.support.makers import new_signal
from tests.support.nonsense import (
    NAMES,
    TIMES,
    VALID,
    nonsense_values,
    signals_of_nonsense,
    too_large,
)

TOO_LARGE = too_large()
MOST_CALLS = 300_000
"""Calls of functions that refusing may take: 30 for each of 10,000 keys."""


def refusal(kind: SignalKind, payload: Any) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as caught:
        check_payload(kind, payload)
    return caught.value


@pytest.mark.parametrize("kind", SignalKind)
def test_every_kind_is_declared_and_takes_its_valid_payload(kind: SignalKind):
    declaration = DECLARATIONS[kind]
    assert {*declaration.required} <= {*declaration.fields}
    assert check_payload(kind, VALID[kind]) is VALID[kind]


def test_no_declaration_is_about_nothing():
    assert {*DECLARATIONS} == {*SignalKind} == {*VALID}


@settings(max_examples=400, deadline=None)
@example(drawn=(SignalKind.DECAY, {"\N{GRINNING FACE}" * 100: 1}))
@given(drawn=signals_of_nonsense())
def test_nonsense_is_refused_by_a_field_or_can_be_stored(drawn: tuple[SignalKind, dict[str, Any]]):
    kind, payload = drawn
    try:
        check_payload(kind, payload)
    except InvalidPayload as refused:
        _is_one_good_sentence(refused)
    else:
        assert {*payload} <= {*DECLARATIONS[kind].fields}
        assert canonical_json(payload).encode()


def _is_one_good_sentence(refused: InvalidPayload) -> None:
    said = refused.sentence()
    assert refused.field.startswith("payload")
    assert said.isprintable()
    assert len(said) < 1_000


@settings(max_examples=100, deadline=None)
@given(value=nonsense_values(), kind=st.sampled_from(SignalKind))
def test_a_payload_that_is_no_object_is_refused(value: Any, kind: SignalKind):
    if not isinstance(value, dict):
        assert refusal(kind, value).field.startswith("payload")


@pytest.mark.parametrize("kind", SignalKind)
@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_at_once_for_every_kind(kind: SignalKind, name: str):
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        refused = refusal(kind, TOO_LARGE[name])
    finally:
        sys.setprofile(None)
    assert calls < MOST_CALLS
    assert refused.sentence().isprintable()


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (SignalKind.WEBHOOK, {"version": 202611301200}, "payload.version"),
        (SignalKind.METRIC, {"metric": [1]}, "payload.metric"),
        (SignalKind.METRIC, {"value": {}}, "payload.value"),
        (SignalKind.METRIC, {"n": -5}, "payload.n"),
        (SignalKind.METRIC, {"n": 2**53 + 1}, "payload.n"),
        (SignalKind.METRIC, {"value": float("nan")}, "payload.value"),
        (SignalKind.METRIC, {"value": 10**400}, "payload.value"),
        (SignalKind.METRIC, {"value": True}, "payload.value"),
        (SignalKind.METRIC, {"p_worse": 1.5}, "payload.p_worse"),
        (SignalKind.METRIC, {"version": 2**31}, "payload.version"),
        (SignalKind.METRIC, {"version": 1.0}, "payload.version"),
        (SignalKind.ALIAS, {"version": 1180591620717411303424}, "payload.version"),
        (SignalKind.ALIAS, {"alias": "champion"}, "payload.alias"),
        (SignalKind.DRIFT, {"columns": {"a": {"psi": "high"}}}, "payload.columns.a.psi"),
        (SignalKind.DRIFT, {"columns": {"a\n": 3}}, "payload.columns['a\\n']"),
        (SignalKind.RETAIN, {"versions": [1, 2**31]}, "payload.versions[1]"),
        (SignalKind.RUN_FINISHED, {"kind": "tarin"}, "payload.kind"),
        (SignalKind.RUN_FINISHED, {"readings": [3]}, "payload.readings[0]"),
        (SignalKind.RUN_FINISHED, {"metrics": {"mae": None}}, "payload.metrics.mae"),
        (SignalKind.NEW_DATA, {"rows": {"not": "a number"}}, "payload.rows"),
        (SignalKind.SCHEDULE, {"due": "0001-01-01T00:00:00+14:00"}, "payload.due"),
        (SignalKind.MANUAL, {"reason": "a\x00b"}, "payload.reason"),
        (SignalKind.MANUAL, {"reason": "\ud800"}, "payload.reason"),
        (SignalKind.MANUAL, {"data": {"x": ["\ud800"]}}, "payload.data.x[0]"),
        (SignalKind.MANUAL, {"data": {"x": 2**70}}, "payload.data.x"),
        (SignalKind.MANUAL, {"hello": 1}, "payload.hello"),
        (SignalKind.MANUAL, {"data": {1, 2}}, "payload.data"),
    ],
)  # fmt: skip
def test_the_field_is_named(kind: SignalKind, changes: dict[str, Any], field: str):
    assert refusal(kind, {**VALID[kind], **changes}).field == field


@pytest.mark.parametrize(
    ("kind", "name"), [(k, name) for k in SignalKind for name in DECLARATIONS[k].required]
)
def test_what_must_be_there_is_asked_for(kind: SignalKind, name: str):
    rest = {key: value for key, value in VALID[kind].items() if key != name}
    assert refusal(kind, rest).field == f"payload.{name}"


def test_a_refusal_says_what_was_found_expected_and_what_to_do():
    assert refusal(SignalKind.ROLLBACK, {"to": 2**31}).sentence() == (
        "payload.to is 2147483648, and a whole number from 0 to 2,147,483,647 was expected."
    )
    said = refusal(SignalKind.MANUAL, {"rows": 3}).sentence()
    assert said.startswith("payload.rows is not known here. Known are ")
    assert said.endswith("What nobody shall interpret goes below data.")


@given(st.recursive(st.none() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_below_data_stands_what_anybody_likes(value: Any):
    payload = {FREE: value}
    try:
        check_payload(SignalKind.MANUAL, payload)
    except InvalidPayload:
        assert "\\x00" in repr(value)


def test_the_depth_that_is_taken_is_the_depth_that_is_said():
    deep: Any = "x"
    for _ in range(DEEPEST - 1):
        deep = [deep]
    check_payload(SignalKind.MANUAL, {FREE: deep})
    assert "deeper" in refusal(SignalKind.MANUAL, {FREE: [deep]}).what


@pytest.mark.parametrize("text", TIMES)
def test_no_time_overflows(text: str):
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return
    if is_in_range(moment):
        assert 1970 <= moment.year < LATEST.year


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_policy_may_have_is_no_model_s_anywhere(name: str):
    with pytest.raises(UserError):
        check_model_name(name)
    with pytest.raises(InvalidPayload) as caught:
        check_signal(new_signal(model=name))
    assert caught.value.field == "model"
    assert caught.value.sentence().isprintable()


@given(st.text(max_size=120))
def test_policies_and_doors_have_one_rule_for_names(name: str):
    properties: Any = json_schema()["properties"]
    shape = properties["model"]
    assert f"^(?:{MODEL_NAME_TEXT.pattern})$" == shape["pattern"]
    try:
        check_model_name(name)
    except UserError:
        return
    assert name.isascii()
    assert len(name) <= shape["maxLength"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": "k" * 2_001}, "key"),
        ({"actor": "webhook:" + "a" * 2_000}, "actor"),
        ({"trigger": "t" * 201}, "trigger"),
        ({"occurred_at": datetime(2013, 1, 1)}, "occurred_at"),  # noqa: DTZ001 - the point
        ({"occurred_at": datetime.fromisoformat("0001-01-01T00:00:00+14:00")}, "occurred_at"),
        ({"occurred_at": datetime.fromisoformat("9999-12-31T23:59:59-14:00")}, "occurred_at"),
    ],
)
def test_what_stands_beside_the_payload_is_bounded_too(changes: dict[str, Any], field: str):
    with pytest.raises(InvalidPayload) as caught:
        check_signal(new_signal(**changes))
    assert caught.value.field == field


def test_the_end_of_a_run_is_told_whatever_its_words_are():
    rng = random.Random(7)
    for _ in range(50):
        text = "".join(rng.choice("a\x00\ud800ü") for _ in range(rng.randrange(30_000)))
        check_payload(
            SignalKind.RUN_FAILED,
            {**VALID[SignalKind.RUN_FAILED], "reason": storable_text(text)},
        )


def test_an_unknown_field_of_an_open_shape_is_nobody_s():
    Shape({}, more=True).check({"x": object()}, "payload")


@given(value=st.floats(0.0, 1.0))
def test_what_a_test_of_many_rows_gives_is_a_chance_however_small(value: float):
    check_payload(SignalKind.DECAY, {**VALID[SignalKind.DECAY], "p_worse": value})
