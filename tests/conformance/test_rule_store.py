"""What every store of rules does."""

from __future__ import annotations

from typing import Any

from controller.domain.decisions import RulesRef
from controller.ports import ActiveRules, RuleQuery, Store
from tests.support.makers import AT, HOUR, MODEL


def rules(blob: str = "b1", model: str = MODEL, text: str = "version: 1\n") -> ActiveRules:
    ref = RulesRef(path="rules/a.yaml", blob=blob, revision="r1", review="e1", reviewers=("ana",))
    return ActiveRules(model=model, ref=ref, text=text, activated_at=AT)


def test_rules_in_force(store: Store):
    with store.begin() as tx:
        tx.rules.activate(rules(text="ü: 1\n"))
        tx.rules.activate(rules("b2", "other"))
    with store.read() as tx:
        assert tx.rules.active(MODEL) == rules(text="ü: 1\n")
        assert [r.model for r in tx.rules.all_active()] == [MODEL, "other"]
        assert tx.rules.text("b1") == "ü: 1\n"
        assert tx.rules.text("b9") is None
        assert tx.rules.active("third") is None
        assert tx.models.due(AT) == [MODEL, "other"]


def test_new_rules_take_the_place_of_the_old_whose_text_stays(store: Store):
    with store.begin() as tx:
        tx.rules.activate(rules("b1", text="one"))
        tx.rules.refuse(MODEL, "The next revision has no review.")
        refused = tx.rules.active(MODEL)
        assert refused is not None
        assert refused.refused == "The next revision has no review."
        assert refused.ref.blob == "b1"
        tx.rules.activate(rules("b2", text="two"))
    with store.read() as tx:
        assert tx.rules.active(MODEL) == rules("b2", text="two")
        assert (tx.rules.text("b1"), tx.rules.text("b2")) == ("one", "two")


def test_refusing_rules_of_an_unknown_model_does_nothing(store: Store):
    with store.begin() as tx:
        tx.rules.refuse("other", "Why not.")
        assert tx.rules.active("other") is None


def test_retired_rules_act_no_more(store: Store):
    with store.begin() as tx:
        tx.rules.activate(rules())
        tx.rules.retire(MODEL, "The file is gone.", AT + HOUR)
        tx.rules.retire("other", "It never was.", AT)
    with store.read() as tx:
        assert tx.rules.active(MODEL) is None
        assert tx.rules.all_active() == []
        assert tx.rules.text("b1") is not None
        assert tx.models.due(AT) == []
        assert tx.models.due(AT + HOUR) == [MODEL]
    with store.begin() as tx:
        tx.rules.activate(rules())
        assert tx.rules.active(MODEL) == rules()


def test_a_part_of_the_rules_in_force_is_found(store: Store):
    with store.begin() as tx:
        for number, model in enumerate(("delay", "churn", "Delay-2", "fraud_a", "fraudXa", "gone")):
            tx.rules.activate(rules(f"b{number}", model))
        tx.rules.refuse("churn", "It has no review.")
        tx.rules.retire("gone", "Its file is gone.", AT)
    with store.read() as tx:

        def found(**asked: Any) -> set[str]:
            return {one.model for one in tx.rules.find(RuleQuery(**asked))}

        everything = {"delay", "churn", "Delay-2", "fraud_a", "fraudXa"}
        assert found() == everything
        assert found(name="DELAY") == {"delay", "Delay-2"}
        assert found(name="d_a") == {"fraud_a"}
        assert found(refused=True) == {"churn"}
        seen: list[str] = []
        while part := tx.rules.find(RuleQuery(limit=2, after=seen[-1] if seen else "")):
            assert len(part) <= 2
            seen += [one.model for one in part]
        assert len(seen) == 5
        assert {*seen} == everything
        assert tx.rules.find(RuleQuery(name="churn"))[0] == tx.rules.active("churn")
        assert tx.rules.blobs() == {
            "delay": "b0", "churn": "b1", "Delay-2": "b2", "fraud_a": "b3", "fraudXa": "b4"
        }  # fmt: skip
