"""Logging in at a real OpenID Connect provider: roles from claims, and every way in which a token is no good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey

from controller.domain.errors import ConfigurationError
from controller.entrypoints.api.app import check_exposure
from controller.settings import load_settings
from tests.support.page import ASKS, BASE, Office, form
from tests.support.provider import CLIENT, SECRET, Provider, running_provider

HELD = 6
ROLES = {"viewer": ["*"], "reviewer@arrivals-team": ["group:leads"]}


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.signed_in, running.skew, running.audience = "ana", 0, CLIENT
    running.issuer, running.nonce = "", None
    return running


@pytest.fixture
def office(tmp_path: Path, provider: Provider) -> Office:
    changes: dict[str, Any] = {
        "login": "oidc", "roles": ROLES, "oidc_issuer": provider.url, "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
    }  # fmt: skip
    office = Office(tmp_path, changes)
    office.held()
    return office


def browser(office: Office) -> TestClient:
    return TestClient(office.app, base_url=BASE, headers={"accept": "text/html"})


def log_in(client: TestClient, start: str = "/oidc/login?next=%2Fdecisions%2F6") -> Any:
    """There, and back with what the provider says."""
    there = client.get(start, follow_redirects=False)
    assert there.status_code == 303, there.text
    back = requests.get(there.headers["location"], allow_redirects=False, timeout=10)
    assert back.status_code == 302, back.text
    return client.get(back.headers["location"], follow_redirects=False)


def test_a_person_logs_in_and_approves_with_the_role_that_the_claims_give(office: Office):
    ana = browser(office)
    asked = ana.get(f"/decisions/{HELD}", follow_redirects=False).headers["location"]
    assert "Log in with your organisation" in ana.get(asked).text
    came = log_in(ana)
    assert (came.status_code, came.headers["location"]) == (303, "/decisions/6")
    text = ana.get(f"/decisions/{HELD}").text
    assert "person:ana" in text
    assert "This takes the role operator for models of arrivals-team; you are reviewer." in text
    answer = ana.post("/words", data=form(text, "approve") | {"reason": "fine"})
    assert "v2 replaces" in answer.text
    assert office.house.records()[-1].actor == "person:ana"


def test_the_role_is_for_the_models_of_one_owner(office: Office):
    office.app_context.enforce(ASKS.replace("arrivals-team", "others"))
    ana = browser(office)
    log_in(ana)
    text = ana.get(f"/decisions/{HELD}").text
    assert "This takes the role reviewer for models of others; you are viewer." in text


def test_who_is_in_no_group_only_reads(office: Office, provider: Provider):
    provider.signed_in = "eve"
    eve = browser(office)
    log_in(eve)
    text = eve.get(f"/decisions/{HELD}").text
    assert "you are viewer" in text
    assert eve.post("/words", data=form(text, "approve") | {"reason": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param({"skew": -3600}, "cannot be believed", id="a clock an hour behind"),
        pytest.param({"skew": 3600}, "cannot be believed", id="a clock an hour ahead"),
        pytest.param({"audience": "somebody else"}, "cannot be believed", id="for another server"),
        pytest.param({"issuer": "https://evil.example"}, "cannot be believed", id="of another issuer"),
        pytest.param({"nonce": "of another login"}, "cannot be believed", id="of another login"),
        pytest.param({"signed_in": "nameless"}, "names no preferred_username", id="without a name"),
        pytest.param({"signed_in": "alike"}, "mixes alphabets", id="a name that looks like another"),
        pytest.param({"signed_in": None}, "refused", id="not signed in there"),
    ],
)  # fmt: skip
def test_a_token_that_is_no_good_lets_nobody_in(
    office: Office, provider: Provider, spoil: dict[str, Any], said: str
):
    for name, value in spoil.items():
        setattr(provider, name, value)
    client = browser(office)
    refused = log_in(client)
    assert (refused.status_code, said in refused.text) == (401, True), refused.text
    assert "Traceback" not in refused.text
    assert client.get("/", follow_redirects=False).status_code == 303


def test_keys_that_the_provider_changed_are_fetched_again(office: Office, provider: Provider):
    log_in(browser(office))
    provider.key = RSAKey.generate_key(2048, auto_kid=True)
    assert log_in(browser(office)).status_code == 303


def test_a_token_signed_by_somebody_else_is_refused(office: Office, provider: Provider):
    log_in(browser(office))
    provider.published = provider.key
    provider.key = RSAKey.generate_key(2048, {"kid": provider.published.kid})
    refused = log_in(browser(office))
    provider.key, provider.published = provider.published, None
    assert (refused.status_code, "cannot be believed" in refused.text) == (401, True)


def test_a_callback_that_was_not_begun_here_is_refused(office: Office):
    ana, mallory = browser(office), browser(office)
    there = ana.get("/oidc/login", follow_redirects=False)
    back = requests.get(there.headers["location"], allow_redirects=False, timeout=10)
    stolen = mallory.get(back.headers["location"], follow_redirects=False)
    assert (stolen.status_code, "not begun here" in stolen.text) == (401, True)
    assert ana.get(back.headers["location"], follow_redirects=False).status_code == 303
    again = ana.get(back.headers["location"], follow_redirects=False)
    assert again.status_code == 401


def test_it_asks_with_a_challenge_and_goes_nowhere_else(office: Office, provider: Provider):
    there = browser(office).get("/oidc/login?next=//evil.example", follow_redirects=False)
    asked = parse_qs(urlsplit(there.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{BASE}/oidc/callback"]
    cookie = there.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    came = log_in(browser(office), "/oidc/login?next=//evil.example")
    assert came.headers["location"] == "/"


def test_a_provider_that_is_away_is_one_sentence(tmp_path: Path):
    changes: dict[str, Any] = {
        "login": "oidc", "roles": ROLES, "oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
    }  # fmt: skip
    answer = browser(Office(tmp_path, changes)).get("/oidc/login")
    assert (answer.status_code, "does not answer" in answer.text) == (503, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({}, "needs a provider", id="nothing"),
        pytest.param({"oidc_issuer": "http://login.example"}, "expected an https address", id="http"),
        pytest.param({"oidc_issuer": "https://login.example", "roles": {}}, "no roles", id="no roles"),
    ],
)  # fmt: skip
def test_it_refuses_to_start_with_half_a_provider(
    tmp_path: Path, changes: dict[str, Any], said: str
):
    given: dict[str, Any] = {
        "login": "oidc", "roles": ROLES, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET
    }  # fmt: skip
    settings = load_settings(home=tmp_path, **(given | changes))
    with pytest.raises(ConfigurationError, match=said):
        check_exposure(settings)
