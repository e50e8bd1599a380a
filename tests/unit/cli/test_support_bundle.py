"""A support bundle helps and holds no secret, wherever one was planted."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.bootstrap import open_store
from controller.domain.decisions import RulesRef, StartRun
from controller.domain.runs import RunState
from controller.entrypoints.cli.main import main
from controller.ports import ActiveRules, Delivery, DeliveryState, RunEnd, SourceState
from controller.rulefmt import blob_id
from controller.service.messages.redact import Redactor
from controller.settings import load_settings
from tests.support.makers import HOUR, decide, new_decision, new_signal, spec

MODEL = "flight-delay"
SECRETS = {
    "database": "Dat3nbank-Passw0rt",
    "broker": "Br0ker/Pass?wort",
    "hook": "w3bhook-geheimnis",
    "token": "inc_Zm9vYmFyYmF6cXV4",
    "mail": "m4il-kennwort",
    "slack": "T0AAAAAAA/B0BBBBBBB/abcdefghijklmnopqrstuvwx",
    "file": "aus-einer-datei-41",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "variable": "aws-geheim-wJalrXUtnFEMI",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "key": "MIIEpAIBAAKCAQEA75Xyz",
    "policy": "regelgeheim77",
    "source": "quellgeheim88",
}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Secrets in settings, files, environment, policy, errors, signals, runs and messages."""
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    monkeypatch.setenv("INCUMBENT_HOME", str(home))
    monkeypatch.setenv("INCUMBENT_BROKER_URL", f"redis://:{SECRETS['broker']}@127.0.0.1:1/0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["variable"])
    (tmp_path / "hook").write_text(SECRETS["file"])
    monkeypatch.setenv("INCUMBENT_WEBHOOK_SECRET_FILE", str(tmp_path / "hook"))
    monkeypatch.setenv("MAIL", f"mailtos://ana:{SECRETS['mail']}@example.org")
    notify = tmp_path / "notify.toml"
    notify.write_text(
        f'[channels.a]\nto = ["env:MAIL", "slack://{SECRETS["slack"]}"]\n'
        f'[[channels.a.webhooks]]\nurl = "https://example.org"\nsecret = "{SECRETS["hook"]}"\n'
    )
    monkeypatch.setenv("INCUMBENT_NOTIFY", str(notify))
    store = open_store(load_settings(), create=True)
    now = datetime.now(UTC)
    text = (
        f'version: 1\nmodel: {MODEL}\ndata: {{source: "postgresql://u:{SECRETS["policy"]}@db/x"}}\n'
    )
    ref = RulesRef(path="rules/a.yaml", blob=blob_id(text.encode()))
    with store.begin() as tx:
        tx.rules.activate(ActiveRules(model=MODEL, ref=ref, text=text, activated_at=now))
        error = f"connection to postgresql://u:{SECRETS['source']}@db failed, password={SECRETS['database']}"
        tx.sources.note(
            [SourceState(model=MODEL, source="x", checked_at=now, error=error, failures=2)]
        )
        said = f'{{"reason": "Authorization: Bearer {SECRETS["token"]}", "verdict": "none"}}'
        tx.decisions.record(replace(new_decision(MODEL), decision=said))
        tx.signals.append([new_signal(model=MODEL)], now - timedelta(hours=2))
        order = StartRun(run=f"{MODEL}.r1", number=1, spec=spec(model=MODEL))
        tx.runs.order(MODEL, order, decision=decide(tx, MODEL), at=now)
        run = tx.runs.claim(order.run, 0, worker="w", lease=HOUR)
        assert run is not None
        why = (
            f"KeyError: {SECRETS['aws']} {SECRETS['jwt']} {SECRETS['variable']}\n"
            f"-----BEGIN RSA PRIVATE KEY-----\n{SECRETS['key']}\n-----END RSA PRIVATE KEY-----"
        )
        tx.runs.finish(run.id, run.fence, RunEnd(state=RunState.FAILED, reason=why), at=now)
        tx.models.update(MODEL, error=f"git said {SECRETS['github']}")
        tx.deliveries.put(
            Delivery(channel="a", address="slack 2", lane="", state=DeliveryState.FAILED, created_at=now,
                     due_at=now, last_error=f"https://hooks.slack.com/services/{SECRETS['slack']} said no")
        )  # fmt: skip
    store.close()
    return tmp_path


def test_no_secret_is_in_the_bundle_and_what_helps_is(planted: Path):
    result = CliRunner().invoke(main, ["support-bundle", "b.zip"])
    assert result.exit_code == 0, result.output
    assert (planted / "b.zip").stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(planted / "b.zip") as bundle:
        parts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    whole = "\n".join(parts.values()) + result.output
    page_key = planted / "home" / "page.key"
    known = dict(SECRETS) | ({"page": page_key.read_text()} if page_key.exists() else {})
    found = sorted(name for name, secret in known.items() if secret in whole)
    assert found == []
    assert {
        "doctor.json",
        "settings.json",
        "decisions.json",
        "runs.json",
        "policies.yaml",
    } <= parts.keys()
    settings = {row["setting"]: row for row in json.loads(parts["settings.json"])}
    assert settings["broker_url"]["origin"] == "INCUMBENT_BROKER_URL"
    (run,) = json.loads(parts["runs.json"])
    assert (run["id"], run["state"]) == (f"{MODEL}.r1", "failed")
    assert "KeyError" in run["reason"]
    assert f"model: {MODEL}" in parts["policies.yaml"]
    assert any(not one["ok"] for one in json.loads(parts["doctor.json"]))
    assert json.loads(parts["system.json"])["packages"]["SQLAlchemy"]


def test_a_bundle_is_made_when_nothing_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCUMBENT_DATABASE_URL", "postgresql://u:geheimes@127.0.0.1:1/x")
    result = CliRunner().invoke(main, ["support-bundle", "b.zip"])
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
        assert "not_gathered" in bundle.read("books.json").decode()
        assert "geheimes" not in "".join(bundle.read(n).decode() for n in bundle.namelist())


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("redis://:pw@host:1/0", "redis://***@host:1/0"),
        ("password = 'a b c', next", "password = ***, next"),
        ('{"api_key": "x1"}', '{"api_key": ***}'),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: ***"),
        ("the token was spent", "the token was spent"),
        ("https://example.org/a?sig=abc&x=1", "https://example.org/a?sig=***&x=1"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, left: str):
    assert Redactor()(text) == left


def test_a_known_secret_is_hidden_in_every_form():
    redact = Redactor(["p/ss wörd"])
    for form in ("p/ss wörd", "p%2Fss%20w%C3%B6rd", "cC9zcyB3w7ZyZA=="):
        assert redact(f"x {form} y") == "x *** y"
        assert redact.leaks(form)
