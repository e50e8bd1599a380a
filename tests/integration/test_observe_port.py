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
    running = house.launch("controller").says("the controller runs")
    (url,) = re.findall(r"http://\S+/", running.said())

    def says(path: str, text: str) -> bool:
        """Whether it is said of a model at rest; the model is laid to rest again, as no rest lasts longer."""
        with store.begin() as tx:
            tx.models.state(MODEL)
            tx.models.update(
                MODEL,
                error=f"the rules of {MODEL} cannot be read",
                wake_at=datetime.now(UTC) + timedelta(seconds=20),
            )
        return text in read(url + path)

    one = f'{{model="{MODEL if isolation == "none" else "other"}"}} 1.0'
    with house.store() as store:
        until(
            lambda: says("readyz", '"name": "models", "ok": false'),
            words=lambda: read(f"{url}readyz"),
            pause=0.2,
        )
        until(lambda: says("metrics", one), words=lambda: read(f"{url}metrics"), pause=0.2)
    said = read(f"{url}readyz") + read(f"{url}metrics") + read(f"{url}healthz")
    assert (MODEL in said) == (isolation == "none"), said
