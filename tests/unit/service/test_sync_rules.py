from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from controller.adapters.memory import MemoryRules
from controller.domain.catalog import NewFreeVersion
from controller.domain.errors import Unavailable
from controller.ports import RuleText, Store, Transaction
from controller.rulefmt import blob_id, load_policy
from controller.service.rules.sync import PORTION, SyncRules
from tests.support.house import House

POLICY = """\
version: 1
model: {model}
data: {{source: "data/*.parquet", time: t, target: y}}
train: {{entrypoint: "m:train"}}
triggers:
  - new_data: {{rows: {rows}}}
promote:
  - {{metric: mae, better_than: champion}}
"""


def text(model: str, rows: int = 100, path: str = "", **more: Any) -> RuleText:
    content = POLICY.format(model=model, rows=rows)
    return RuleText(
        path=path or f"rules/{model}.yaml", text=content, blob=blob_id(content.encode()), **more
    )


def broken(path: str) -> RuleText:
    return RuleText(path=path, text="model: [", blob="x")


class Rules:
    def __init__(self) -> None:
        self.house = House()
        with self.house.store.begin() as tx:
            for rules in tx.rules.all_active():
                tx.rules.retire(rules.model, "", self.house.clock.now())
        self.source = MemoryRules()
        self.service = SyncRules(self.house.store, self.house.clock, self.source, load_policy)

    def sync(self, *texts: RuleText):
        self.source.texts = list(texts)
        return self.service.run_once()

    def active(self) -> dict[str, str]:
        with self.house.store.read() as tx:
            return {rules.model: rules.ref.blob for rules in tx.rules.all_active()}

    def refused(self, model: str) -> str:
        with self.house.store.read() as tx:
            found = tx.rules.active(model)
        assert found is not None
        return found.refused


@pytest.fixture
def rules() -> Rules:
    return Rules()


def test_policy_is_put_in_force_once(rules):
    assert rules.sync(text("a"), text("b")).activated == 2
    assert rules.active() == {"a": text("a").blob, "b": text("b").blob}
    assert rules.sync(text("a"), text("b")).changes == 0


def test_text_is_parsed_once_while_it_is_there(rules, monkeypatch):
    rules.sync(text("a"), broken("rules/b.yaml"))
    monkeypatch.setattr(rules.service, "_parse", lambda *_: pytest.fail("it was parsed again"))
    assert rules.sync(text("a"), broken("rules/b.yaml")).refused == 1


def test_changed_policy_replaces_the_old_one(rules):
    rules.sync(text("a"))
    assert rules.sync(text("a", rows=200)).activated == 1
    assert rules.active() == {"a": text("a", rows=200).blob}


def test_last_good_policy_stays_when_the_new_one_does_not_parse(rules):
    rules.sync(text("a"))
    report = rules.sync(broken("rules/a.yaml"))
    assert (report.refused, report.retired) == (1, 0)
    assert rules.active() == {"a": text("a").blob}
    assert rules.refused("a").startswith("rules/a.yaml:2:1: ")
    assert report.refusals == (rules.refused("a"),)


def test_mended_policy_ends_the_refusal(rules):
    rules.sync(text("a"))
    rules.sync(broken("rules/a.yaml"))
    rules.sync(text("a"))
    assert rules.refused("a") == ""


def test_unproven_policy_is_refused_with_the_reason_of_the_source(rules):
    rules.sync(text("a"))
    report = rules.sync(text("a", rows=200, refused="no approved review of 3f2a."))
    assert report.activated == 0
    assert rules.active() == {"a": text("a").blob}
    assert rules.refused("a") == "no approved review of 3f2a."


def test_refusal_is_told_once_to_whom_the_rules_in_force_want(rules):
    old = text("a").text + "notify: {rules_refused: [leads, feed]}\n"
    kept = RuleText(path="rules/a.yaml", text=old, blob=blob_id(old.encode()))
    rules.sync(kept)
    newer = text("a", rows=200, refused="not proven.")
    rules.sync(kept, newer)
    rules.sync(kept)
    rules.sync(kept, newer)
    assert rules.active() == {"a": kept.blob}
    with rules.house.store.read() as tx:
        letters = tx.outbox.due("notify")
    assert [(x.payload["channel"], x.payload["sentence"]) for x in letters] == [
        ("leads", "rules/a.yaml stays as it is: not proven."),
        ("feed", "rules/a.yaml stays as it is: not proven."),
    ]


def test_proven_rules_and_refused_newer_ones_are_both_heeded(rules):
    rules.sync(text("a"), text("a", rows=200, refused="not proven."))
    assert rules.active() == {"a": text("a").blob}
    assert rules.refused("a") == "not proven."
    assert rules.sync(text("a"), text("a", rows=200, refused="not proven.")).changes == 0
    rules.sync(text("a", rows=200))
    assert rules.refused("a") == ""


def test_proof_that_comes_later_puts_the_policy_in_force(rules):
    rules.sync(text("a", refused="not proven."))
    assert rules.active() == {}
    assert rules.sync(text("a", review="e1", reviewers=("ann",))).activated == 1


def test_model_whose_file_is_gone_is_retired(rules):
    rules.sync(text("a"), text("b"))
    assert rules.sync(text("b")).retired == 1
    assert rules.active() == {"b": text("b").blob}


def test_model_is_not_retired_while_nobody_can_say_whose_a_broken_file_is(rules):
    rules.sync(text("a"))
    assert rules.sync(broken("rules/renamed.yaml")).retired == 0
    assert rules.active() == {"a": text("a").blob}


def test_two_files_for_one_model_are_refused_by_both_names(rules):
    rules.sync(text("a"))
    report = rules.sync(text("a", rows=5), text("a", rows=6, path="rules/copy.yaml"))
    assert report.activated == 0
    assert rules.refused("a") == (
        "rules/a.yaml and rules/copy.yaml both rule the model a; keep one of them."
    )
    assert rules.active() == {"a": text("a").blob}
    assert rules.sync(text("a", rows=5)).activated == 1


def test_moved_file_keeps_its_model(rules):
    rules.sync(text("a"))
    report = rules.sync(text("a", path="rules/new.yaml"))
    assert (report.activated, report.retired) == (1, 0)


def test_source_that_is_away_changes_nothing(rules, monkeypatch):
    rules.sync(text("a"))

    def away():
        raise Unavailable("the repository does not answer.")

    monkeypatch.setattr(rules.source, "read", away)
    with pytest.raises(Unavailable):
        rules.service.run_once()
    assert rules.active() == {"a": text("a").blob}


def test_a_policy_does_not_take_the_name_of_a_free_model():
    """Serving goes by alias and number: both would mean something else from one moment to the next."""
    rules = Rules()
    now = rules.house.clock.now()
    with rules.house.store.begin() as tx:
        tx.free.add_model("a", description="theirs", tags={}, at=now)
        tx.free.add_version("a", NewFreeVersion(source="s3://x", storage="s3://x", number=7), now)
        tx.free.point("a", "champion", 7)
    report = rules.sync(text("a"), text("b"))
    assert set(rules.active()) == {"b"}
    (sentence,) = report.refusals
    assert sentence.startswith("rules/a.yaml rules a, and a model of that name is here")
    with rules.house.store.read() as tx:
        champion = tx.catalog.by_alias("a", "champion")
    assert champion is not None
    assert champion.number == 7

    with rules.house.store.begin() as tx:
        tx.free.change_model("a", new_name="a-mlflow", at=now)
    assert rules.sync(text("a"), text("b")).refusals == ()
    assert set(rules.active()) == {"a", "b"}
    with rules.house.store.read() as tx:
        moved = tx.catalog.by_alias("a-mlflow", "champion")
    assert moved is not None
    assert moved.number == 7


class Portions:
    """The store of a house; it notes how many models have rules after each transaction that writes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.active: list[int] = []

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        with self.store.begin() as tx:
            yield tx
            self.active.append(len(tx.rules.all_active()))

    def read(self, *, snapshot: bool = True) -> AbstractContextManager[Transaction]:
        return self.store.read(snapshot=snapshot)

    def close(self) -> None:
        self.store.close()


def test_very_many_rules_come_and_go_in_portions():
    """Between two of them others may write: the first start of hundreds kept all waiting until they gave up."""
    rules = Rules()
    portions = Portions(rules.house.store)
    rules.service = SyncRules(portions, rules.house.clock, rules.source, load_policy)
    texts = [text(f"m{number}") for number in range(2 * PORTION + 1)]
    assert rules.sync(*texts).activated == len(texts)
    assert portions.active == [PORTION, 2 * PORTION, 2 * PORTION + 1]
    assert rules.sync().retired == len(texts)
    assert portions.active[3:] == [PORTION + 1, 1, 0]
    assert rules.sync().changes == 0
    assert len(portions.active) == 6
