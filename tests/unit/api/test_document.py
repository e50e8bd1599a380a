"""The API against its own document: whatever is sent, no 5xx and no answer that is not written down (Schemathesis).

Its plugin for pytest does not know pytest 9.2; the operations are walked here instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error

from tests.support.page import Office

EXAMPLES = 15
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
    operations = [found.ok() for found in document.exclude(path=STREAM).get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        _try(operation.as_strategy(), headers, checks)


def _try(cases: Any, headers: dict[str, str], checks: Any) -> None:
    @hypothesis.given(case=cases)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def one(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=checks)

    one()
