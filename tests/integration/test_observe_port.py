"""A controller's own port knows no logins, so where owners are isolated it names no model."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.installation import MODEL, Installation
from tests.support.waiting import until


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    held = Installation(tmp_path, {"INCUMBENT_OBSERVE_PORT": "0"})
    yield held
    held.close()


def read(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:  # a condition that does not hold
        with error:
            return error.read().decode()


@pytest.mark.parametrize("isolation", ["none", "owner"])
def test_where_owners_are_isolated_the_controllers_port_names_no_model(
    house: Installation, isolation: str
):
    house.settings = {**house.settings, "INCUMBENT_ISOLATION": isolation}
    with house.store() as store, store.begin() as tx:
        tx.models.state(MODEL)
        tx.models.update(
            MODEL,
            error=f"the rules of {MODEL} cannot be read",
            wake_at=datetime.now(UTC) + timedelta(days=1),
        )
    running = house.launch("controller").says("the controller runs")
    (url,) = re.findall(r"http://\S+/", running.said())
    until(lambda: "rest" in read(f"{url}readyz"), words=lambda: read(f"{url}readyz"))
    until(
        lambda: (
            f'{{model="{MODEL if isolation == "none" else "other"}"}} 1.0' in read(f"{url}metrics")
        ),
        words=lambda: read(f"{url}metrics"),
    )
    said = read(f"{url}readyz") + read(f"{url}metrics") + read(f"{url}healthz")
    assert (MODEL in said) == (isolation == "none"), said
