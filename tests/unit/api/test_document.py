"""The API against its own document: whatever is sent, no 5xx and no answer that is not written down (Schemathesis).

Its plugin for pytest does not know pytest 9.2; the operations are walked here instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from hypothesis import strategies
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error

from tests.support.house import MODEL
from tests.support.page import Office

EXAMPLES = 15
KNOWN = {"model": MODEL, "run": f"{MODEL}.r1", "number": 3, "subject": "decision:3"}
STREAM = "/v1/stream"  # without an end; test_api has it


def test_no_answer_is_a_surprise(tmp_path: Path):
    office = Office(tmp_path, {"api_rate": 1e6})
    office.held()
    load_all_checks()
    names = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
    checks = [not_a_server_error, *CHECKS.get_by_names(names)]
    named = {"host": "127.0.0.1"}
    headers = named | {"authorization": f"Bearer {office.token()}"}
    document = schemathesis.openapi.from_asgi("/v1/openapi.json", office.app, headers=named)
    operations = [_good(found) for found in document.exclude(path=STREAM).get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            if mode is schemathesis.GenerationMode.POSITIVE or operation.body:
                _try(operation.as_strategy(generation_mode=mode), headers, checks)


def _good(found: Any) -> Any:
    """The operation; raises what is wrong with its place in the document."""
    return found.ok()


def _try(cases: Any, headers: dict[str, str], checks: Any) -> None:
    @hypothesis.given(case=cases, real=strategies.booleans())
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def one(case: Any, real: bool) -> None:
        if real:
            case.path_parameters = {
                name: KNOWN.get(name, value) for name, value in case.path_parameters.items()
            }
            if isinstance(case.body, dict) and "model" in case.body:
                case.body["model"] = MODEL
        case.call_and_validate(headers=headers, checks=checks)

    one()
