"""The file of INCUMBENT_NOTIFY: what is right, and one sentence for each thing that is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from controller.adapters.notify.load import NotifyPlan, load_plan
from controller.domain.errors import ConfigurationError
from controller.ports import Message
from tests.support.makers import AT

GOOD = """\
allow = ["127.0.0.1"]

[channels.ml-leads]
to = ["env:MAIL_URL", "file:{folder}/slack"]
group = "10s"
interval = "1m"
quiet = {{from = "22:00", to = "07:00", timezone = "Europe/Berlin", days = ["mon", "tue"]}}

[channels.oncall]
urgent = ["rolled_back", "failed"]
[[channels.oncall.webhooks]]
name = "pager"
url = "https://pager.example.org/in"
secret = "file:{folder}/key"

[templates.held]
subject = "{{model}} waits"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slack").write_text("slack://TEF8PJ91A/BL1F8PJ6B/ya9rcQBp5Wnc9GhY5sUmNvqE/#ml\n")
    (tmp_path / "key").write_text("geheim\n")
    monkeypatch.setenv("MAIL_URL", "mailtos://ana:geheim@example.org")
    return tmp_path


def plan(folder: Path, text: str) -> NotifyPlan:
    file = folder / "notify.toml"
    file.write_text(text)
    file.chmod(0o644 if "a:b@" in text else 0o600)
    return load_plan(file, source="http://page/")


def test_a_good_file(folder: Path):
    held = plan(folder, GOOD.format(folder=folder))
    assert held.problems == ()
    assert {name: [s.label for s in senders] for name, senders in held.senders.items()} == {
        "ml-leads": ["mailtos 1", "slack 2"],
        "oncall": ["pager"],
    }
    leads = held.channels["ml-leads"]
    assert (leads.group, leads.interval) == (timedelta(seconds=10), timedelta(minutes=1))
    assert leads.quiet is not None
    assert leads.quiet.days == {0, 1}
    assert leads.template("held").subject == "{model} waits"
    assert held.channels["oncall"].urgent == {"rolled_back", "failed"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[channels.a]\nto = []\ngrup = "1s"\n', "channels.a.grup: there is no such key"),
        (
            '[channels.a]\ngroup = "soon"\n',
            "channels.a.group: 'soon' is no span of time; write 30s",
        ),
        ('[channels.a]\nquiet = {from = "25:00", to = "07:00"}\n', "channels.a.quiet.from"),
        (
            '[channels.a]\nquiet = {from = "20:00", to = "07:00", timezone = "Mars"}\n',
            "'Mars' is no time zone",
        ),
        ("[channels.a\n", "is no TOML"),
    ],
    ids=["unknown key", "span", "hour", "zone", "syntax"],
)
def test_a_file_of_another_shape_is_refused_in_one_sentence(folder: Path, text: str, said: str):
    with pytest.raises(ConfigurationError) as refusal:
        plan(folder, text)
    assert said in refusal.value.sentence()
    assert len(refusal.value.sentence().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[channels.a]\n", "The channel a leads nowhere"),
        ('[channels.a]\nto = ["carrier-pigeon://x"]\n', "of the kind carrier-pigeon"),
        ('[channels.a]\nto = ["example.org"]\n', "no address with a scheme"),
        ('[channels.a]\nto = ["file:/nowhere/url"]\n', "cannot be read: No such file"),
        ('[channels.a]\nto = ["env:NOT_SET_AT_ALL"]\n', "NOT_SET_AT_ALL, which is not set"),
        (
            '[[channels.a.webhooks]]\nurl = "pager.example.org/in"\nsecret = "env:MAIL_URL"\n',
            "webhook 1 has an address without http:// or https://",
        ),
        (
            '[channels.a]\nto = ["env:MAIL_URL"]\n[templates.held]\nline = "{modle}"\n',
            "The template 'held' is not used: its line names {modle}, which no notice has."
            " Did you mean {model}?",
        ),
        (
            '[channels.a]\nto = ["mailtos://a:b@example.org"]\n',
            "holds secrets and others may read it",
        ),
    ],
    ids=["empty", "scheme", "no scheme", "file", "variable", "url", "template", "mode"],
)
def test_a_mistake_is_one_sentence_and_stops_no_other_channel(folder: Path, text: str, said: str):
    good = '\n[channels.good]\nto = ["env:MAIL_URL"]\n'
    held = plan(folder, text + good)
    (problem,) = held.problems
    assert said in problem
    assert [s.label for s in held.senders["good"]] == ["mailtos 1"]


def test_a_broken_address_fails_with_its_reason(folder: Path):
    held = plan(folder, '[channels.a]\nto = ["carrier-pigeon://x"]\n')
    (sender,) = held.senders["a"]
    with pytest.raises(ConfigurationError, match="carrier-pigeon"):
        sender.send(Message(key="k", channel="a", subject="s", text="t", at=AT))


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"cannot be read: No such file or directory\."):
        load_plan(tmp_path / "none.toml", source="x")
