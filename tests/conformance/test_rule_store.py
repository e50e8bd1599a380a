"""What every store of rules does."""

from __future__ import annotations

from controller.domain.decisions import RulesRef
from controller.ports import ActiveRules, Store
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
