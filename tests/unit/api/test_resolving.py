"""The short way to a champion answers as the documented routes do, and hands on what is not plain."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from starlette.types import Scope

from controller.entrypoints.api.resolving import plain
from controller.service.registry.use import ResolveRequest
from tests.support.command import POLICY
from tests.support.house import MODEL
from tests.support.page import Office

AT = f"/v1/models/{MODEL}"
THE_LONG_WAY = {"unknown": "parameter"}


@pytest.fixture(params=[False, True], ids=["asks-a-server", "looks-at-a-file"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    """Two champions one after the other, the first deprecated."""
    office = Office(tmp_path)
    object.__setattr__(office.served, "near", request.param)
    office.app_context.enforce(POLICY + "deprecate: {keep: 1, after: 30d}\n")
    for name in ("jan", "feb"):
        office.house.data(30_000, name)
        office.house.work()
        office.house.clock.advance(timedelta(days=31))
    return office


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        pytest.param(f"{AT}/champion", {}, id="champion"),
        pytest.param(f"{AT}/champion", {"consumer": "checkout", "lease": "3600"}, id="with a lease"),
        pytest.param(f"{AT}/champion", {"for": "customer 4711"}, id="for a request"),
        pytest.param(f"{AT}/versions/1", {"consumer": "reports"}, id="a pinned version"),
        pytest.param(f"{AT}/aliases/canary", {}, id="no such alias"),
        pytest.param(f"{AT}/versions/99", {}, id="no such version"),
        pytest.param("/v1/models/nobody/champion", {}, id="no such model"),
        pytest.param(f"{AT}/champion", {"consumer": "\n"}, id="no consumer's name"),
        pytest.param(f"{AT}/champion", {"lease": "59"}, id="too short a lease"),
        pytest.param(f"{AT}/champion", {"lease": "never"}, id="no lease at all"),
        pytest.param(f"{AT}/champion", {"consumer": "c" * 201}, id="too long a name"),
    ],
)  # fmt: skip
def test_both_ways_say_the_same(office: Office, path: str, parameters: dict[str, str]):
    api = office.client(role="viewer")
    short = api.get(path, params=parameters)
    long = api.get(path, params=parameters | THE_LONG_WAY)
    assert short.status_code == long.status_code
    assert short.json() == long.json()
    assert dict(short.headers) == dict(long.headers)


@pytest.mark.parametrize("parameters", [{}, THE_LONG_WAY], ids=["short", "long"])
def test_who_shows_no_token_is_told_so_either_way(office: Office, parameters: dict[str, str]):
    answer = office.client(actor=None).get(f"{AT}/champion", params=parameters)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    answer = office.client(actor=None).get(
        f"{AT}/champion", params=parameters, headers={"authorization": "Bearer inc_wrong"}
    )
    assert (answer.status_code, answer.json()["detail"]) == (401, "This token is not known here.")


def asked(path: str, query: str = "") -> ResolveRequest | None:
    scope: Scope = {"path": path, "query_string": query.encode()}
    return plain(scope)


def test_what_a_plain_question_says():
    query = "consumer=check%20out&lease=3600&for=customer+4711"
    assert asked("/v1/models/m/champion", query) == ResolveRequest(
        model="m", consumer="check out", lease=timedelta(hours=1), request="customer 4711"
    )
    assert asked("/v1/models/m/aliases/canary") == ResolveRequest(model="m", selector="canary")
    assert asked("/v1/models/m/versions/12") == ResolveRequest(model="m", selector="12")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/models/m", ""),
        ("/v1/models/m/aliases", ""),
        ("/v1/models/m/versions/0", ""),
        ("/v1/models/m/versions/3/artifact", ""),
        (f"/v1/models/{'m' * 201}/champion", ""),
        ("/v1/models/m/champion", "consumer=a&consumer=b"),
        ("/v1/models/m/champion", "lease=99999999"),
        ("/v1/models/m/champion", "lease=-60"),
        ("/v1/models/m/champion", "page=2"),
        ("/v1/models/m/aliases/canary", "for=customer"),
    ],
)
def test_what_is_not_plain_goes_the_long_way(path: str, query: str):
    assert asked(path, query) is None
