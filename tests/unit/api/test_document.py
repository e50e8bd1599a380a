"""The API against its own document: whatever is sent, no 5xx and no answer that is not written down (Schemathesis).

Its plugin for pytest does not know pytest 9.2; the operations are walked here instead, in its two phases: coverage
(each bound and each way to break it, once) and fuzzing (drawn at random).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error

from tests.support.house import MODEL
from tests.support.page import Office

EXAMPLES = 15
COVERED = 12
"""Cases of the coverage phase of each operation in a short run; the long one takes all."""
LONG = 600.0
"""Seconds of the long run."""
KNOWN = {"model": MODEL, "run": f"{MODEL}.r1", "number": 3, "subject": "decision:3"}
STREAM = "/v1/stream"  # without an end; test_api has it


def test_no_answer_is_a_surprise(tmp_path: Path):
    office, operations, (headers, checks) = _asked(tmp_path)
    for operation in operations:
        for case in islice(_coverage(operation), COVERED):
            _call(case, office, headers, checks, real=True)
        _fuzz(operation, office, headers, checks)


@pytest.mark.long
def test_no_answer_is_a_surprise_for_ten_minutes(tmp_path: Path):
    office, operations, (headers, checks) = _asked(tmp_path)
    ends = time.monotonic() + LONG
    for operation in operations:
        for case in _coverage(operation):
            _call(case, office, headers, checks, real=True)
    for seed in count(1):
        for operation in operations:
            if time.monotonic() > ends:
                return
            _fuzz(operation, office, headers, checks, seed=seed)


def _asked(place: Path) -> tuple[Office, list[Any], tuple[dict[str, str], list[Any]]]:
    office = Office(place, {"api_rate": 1e6})
    office.held()
    load_all_checks()
    names = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
    checks = [not_a_server_error, *CHECKS.get_by_names(names)]
    named = {"host": "127.0.0.1"}
    headers = named | {"authorization": f"Bearer {office.token()}"}
    document = schemathesis.openapi.from_asgi("/v1/openapi.json", office.app, headers=named)
    operations = [_good(found) for found in document.exclude(path=STREAM).get_all_operations()]
    assert len(operations) > 30
    return office, operations, (headers, checks)


def _good(found: Any) -> Any:
    """The operation; raises what is wrong with its place in the document."""
    return found.ok()


def _coverage(operation: Any) -> Iterator[Any]:
    schema = operation.schema
    return iter(
        schema.iter_coverage_cases(
            operation,
            generation_modes=list(schemathesis.GenerationMode),
            generation_config=schema.config.generation_for(operation=operation, phase="coverage"),
        )
    )


def _fuzz(
    operation: Any, office: Office, headers: dict[str, str], checks: Any, *, seed: int = 0
) -> None:
    for mode in schemathesis.GenerationMode:
        if mode is schemathesis.GenerationMode.POSITIVE or operation.body:
            cases = operation.as_strategy(generation_mode=mode)

            @hypothesis.given(case=cases, real=strategies.booleans())
            @hypothesis.settings(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=not seed,
                database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            def one(case: Any, real: bool) -> None:
                _call(case, office, headers, checks, real=real)

            (hypothesis.seed(seed)(one) if seed else one)()


def _call(case: Any, office: Office, headers: dict[str, str], checks: Any, *, real: bool) -> None:
    """One request, ``real``: about a model that there is; the engine decides what was kept, whatever it was."""
    if real:
        case.path_parameters = {
            name: KNOWN.get(name, value) for name, value in (case.path_parameters or {}).items()
        }
        if isinstance(case.body, dict) and "model" in case.body:
            case.body["model"] = MODEL
    case.call_and_validate(headers=headers, checks=checks)
    if case.method in {"POST", "PUT", "DELETE"}:
        assert office.house.engine.run_once().poisoned == 0
