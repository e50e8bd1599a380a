"""Which adapters the settings choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.adapters.git.rules import GitRules
from controller.adapters.memory import MemoryStore, SimulatedClock
from controller.adapters.rules_folder import RulesFolder
from controller.adapters.sources.files import FileSource
from controller.adapters.sources.sql_table import SqlSource
from controller.bootstrap import rule_source, source_of_policy
from controller.domain.errors import ConfigurationError
from controller.domain.rules import SourceKey
from controller.settings import load_settings
from tests.support.house import START

REVIEW = """\
provider = "github"
remote = "https://github.com/team/rules"
project = "team/rules"
[[reviewers]]
name = "Bob"
accounts = ["bob"]
"""


def rules(folder: Path, **settings: object) -> object:
    clock = SimulatedClock(START)
    return rule_source(load_settings(home=folder / "home", **settings), MemoryStore(clock), clock)


def test_rules_come_from_a_folder(tmp_path):
    assert isinstance(rules(tmp_path, rules=str(tmp_path)), RulesFolder)


def test_rules_come_from_a_repository_when_reviewers_are_named(tmp_path):
    (tmp_path / "review.toml").write_text(REVIEW)
    assert isinstance(rules(tmp_path, review=tmp_path / "review.toml"), GitRules)


def test_missing_file_of_reviewers_never_means_unreviewed(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        rules(tmp_path, review=tmp_path / "review.toml")


@pytest.mark.parametrize(
    ("address", "kind"),
    [("data/*.parquet", FileSource), ("sql:shop/t?watermark=id", SqlSource)],
    ids=["files", "sql"],
)
def test_data_come_from_where_the_policy_says(tmp_path, monkeypatch, address, kind):
    monkeypatch.setenv("INCUMBENT_CONNECTION_SHOP", "sqlite://")
    opened = source_of_policy(load_settings(home=tmp_path, code=tmp_path))
    source = opened(SourceKey(address=address))
    assert isinstance(source, kind)
