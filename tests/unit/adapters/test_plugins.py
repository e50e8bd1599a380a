"""A plugin that is missing, broken, doubled or of another API is one clear sentence, and is never imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from controller.adapters.notify.load import load_plan
from controller.adapters.plugins import PluginGroup, ask_plugin, find_plugin, installed
from controller.adapters.sources.open import open_source
from controller.domain.errors import ConfigurationError, IncumbentError, Unavailable
from controller.domain.rules import SourceKey
from tests.support.plugins import package
from tests.support.waiting import lives, until
from workers.plugins import load_plugin

CHANNEL = "[incumbent.channels]\nacme = acme:made\n"
GOOD = "api = 1\n[channels.acme]\ntitle = 'a bell'\n"
CODE = (
    "import os, sys\nclass Made:\n    def send(self, url, message):\n        BODY\nmade = Made()\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages are installed into; seen by this process and by the plugin's own."""
    path = tmp_path / "packages"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    monkeypatch.setenv("PYTHONPATH", f"{path}:{Path.cwd()}")
    return path


def channel(folder: Path, body: str, declaration: str | None = GOOD, **more: str) -> None:
    package(folder, "acme", CHANNEL, declaration, more.get("code", CODE.replace("BODY", body)))


PROBLEMS = {
    "no declaration": (None, "acme 1.0 has no incumbent-plugin.toml"),
    "another API": (
        "api = 2\n[channels.acme]\n",
        "acme 1.0 is written for version 2 of the plugin API, this Incumbent has 1",
    ),
    "no API": ("[channels.acme]\n", "for version None"),
    "no TOML": ("api = \n", "cannot be read"),
    "too long": ("#" * 70_000, "larger than 65,536 bytes"),
    "nothing of it": ("api = 1\n", r"\[channels.acme\] is missing"),
    "not a table": ("api = 1\nchannels = 3\n", r"\[channels.acme\] is missing"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_declaration_that_is_wrong_is_one_sentence(folder: Path, name: str):
    declaration, sentence = PROBLEMS[name]
    channel(folder, "pass", declaration)
    plugin = find_plugin(PluginGroup.CHANNELS, "acme")
    assert plugin is not None
    with pytest.raises(ConfigurationError, match=sentence):
        plugin.usable()
    with pytest.raises(ConfigurationError, match=sentence):
        ask_plugin(plugin, {})


def test_two_packages_of_one_name_are_both_refused(folder: Path):
    channel(folder, "pass")
    package(folder, "other", CHANNEL.replace("acme:", "other:"), GOOD)
    (plugin,) = [one for one in installed() if one.name == "acme"]
    assert plugin.problem == (
        "acme 1.0 and other 1.0 bring the channel acme twice: neither is used until one is uninstalled."
    )


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("metrics", "mae"),
        ("sources", "sql"),
        ("channels", "mailto"),
        ("scorers", "onnx"),
        ("metrics", "A B"),
    ],
)
def test_our_own_names_and_odd_ones_are_not_taken(folder: Path, group: str, name: str):
    package(
        folder,
        "acme",
        f"[incumbent.{group}]\n{name} = acme:made\n",
        f"api = 1\n[{group}.'{name}']\n",
    )
    (plugin,) = [one for one in installed() if one.package == "acme 1.0"]
    assert "own" in plugin.problem or "no name of small letters" in plugin.problem


def test_what_decides_is_no_plugin(folder: Path):
    package(
        folder,
        "acme",
        "[incumbent.gates]\nacme = acme:made\n[incumbent]\nx = acme:made\n",
        "api = 1\n",
    )
    assert [one for one in installed() if one.package == "acme 1.0"] == []


def test_a_message_is_handed_over_in_a_process_of_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    channel(
        folder,
        "print('noise'); open(url.removeprefix('acme://'), 'w').write(message['subject'] + str(sorted(os.environ)))",
    )
    said = tmp_path / "said"
    (tmp_path / "notify.toml").write_text(f"[channels.ops]\nto = ['acme://{said}']\n")
    (tmp_path / "notify.toml").chmod(0o600)
    monkeypatch.setenv("INCUMBENT_SIGNING_KEY", "secret")
    plan = load_plan(tmp_path / "notify.toml", source="here")
    assert plan.problems == ()
    (sender,) = plan.senders["ops"]
    assert sender.label == "acme 1"
    assert "acme" not in sys.modules
    plugin = find_plugin(PluginGroup.CHANNELS, "acme")
    assert plugin is not None
    ask_plugin(plugin, {"url": f"acme://{said}", "message": {"subject": "hello"}})
    assert said.read_text().startswith("hello")
    assert "INCUMBENT_" not in said.read_text()
    assert "acme" not in sys.modules


BROKEN = {
    "it raises": ("raise OSError('no bell')", "it raised OSError: no bell", Unavailable),
    "it ends": ("os._exit(3)", "ended with exit code 3 and no answer", Unavailable),
    "it says nothing": ("os.write(1, b'{\"ok\": true}'); os._exit(0)", "no answer", Unavailable),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_fails_is_one_sentence(folder: Path, name: str):
    body, sentence, kind = BROKEN[name]
    channel(folder, body)
    plugin = find_plugin(PluginGroup.CHANNELS, "acme")
    assert plugin is not None
    with pytest.raises(kind, match=f"the channel acme of acme 1.0.*{sentence}"):
        ask_plugin(plugin, {"url": "acme://x", "message": {}})


def test_a_plugin_that_takes_too_long_is_ended(folder: Path):
    channel(folder, "sys.stdin.read(); import threading; threading.Event().wait()")
    plugin = find_plugin(PluginGroup.CHANNELS, "acme")
    assert plugin is not None
    with pytest.raises(Unavailable, match=r"gave no answer within 0\.5 s"):
        ask_plugin(plugin, {"url": "acme://x", "message": {}}, longest=0.5)


def test_what_a_plugin_started_ends_with_it(folder: Path, tmp_path: Path):
    """It holds the plugin's output, and would keep whoever reads that waiting for as long as it runs."""
    child = "[sys.executable, '-c', 'import threading; threading.Event().wait()']"
    told = tmp_path / "child"
    channel(
        folder,
        f"import subprocess; one = subprocess.Popen({child}); open('{told}', 'w').write(str(one.pid)); one.wait()",
    )
    plugin = find_plugin(PluginGroup.CHANNELS, "acme")
    assert plugin is not None
    with pytest.raises(Unavailable, match="gave no answer within 5 s"):
        ask_plugin(plugin, {"url": "acme://x", "message": {}}, longest=5)
    until(lambda: not lives(int(told.read_text())))


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("raise RuntimeError('no licence')", "cannot be loaded: RuntimeError: no licence"),
        ("", "cannot be loaded: AttributeError"),
        ("made = 3", "has no function send"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_one_sentence(folder: Path, code: str, sentence: str):
    channel(folder, "", code=code)
    plugin = find_plugin(PluginGroup.CHANNELS, "acme")
    assert plugin is not None
    with pytest.raises(ConfigurationError, match=sentence):
        ask_plugin(plugin, {})
    with pytest.raises(ConfigurationError, match=sentence):
        load_plugin(plugin)
    sys.modules.pop("acme", None)


SOURCE = "[incumbent.sources]\nacme = acme\n"


def test_a_source_names_only_what_it_wrote(folder: Path, tmp_path: Path):
    secret = tmp_path / "secret.parquet"
    secret.write_bytes(b"x")
    code = f"def poll(address, cursor, folder):\n    return [{str(secret)!r}], ''\n"
    package(folder, "acme", SOURCE, "api = 1\n[sources.acme]\n", code)
    source = open_source(SourceKey(address="acme:x"), base=tmp_path, spool=tmp_path / "spool")
    with pytest.raises(ConfigurationError, match="no Parquet file in the folder"):
        source.poll(None)
    assert secret.exists()


def test_a_source_that_nobody_brings_is_one_sentence(tmp_path: Path):
    with pytest.raises(
        ConfigurationError, match="No package that is installed here brings the source nowhere"
    ):
        open_source(SourceKey(address="nowhere:x"), base=tmp_path, spool=tmp_path)


def test_a_source_stays_within_the_places(folder: Path, tmp_path: Path):
    package(folder, "acme", SOURCE, "api = 1\n[sources.acme]\n", "def poll(*_): return [], '1'\n")

    def opened(*places: str) -> None:
        open_source(
            SourceKey(address="acme:x/y"), base=tmp_path, spool=tmp_path / "spool", places=places
        ).poll(None)

    opened()
    opened("acme:x")
    with pytest.raises(IncumbentError, match="none of the places"):
        opened("acme:z")
