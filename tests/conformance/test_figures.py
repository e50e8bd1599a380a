"""What every book of figures counts."""

from __future__ import annotations

from controller.domain.decisions import StartRun
from controller.domain.runs import RunState
from controller.ports import RunEnd, Store
from tests.support.makers import AT, HOUR, decide, spec


def test_verdicts_are_counted_behind_what_is_known(store: Store):
    with store.begin() as tx:
        for model in ("a", "a", "b"):
            decide(tx, model)
    with store.read() as tx:
        last, found = tx.figures.verdicts()
        assert (last, sum(found.values())) == (3, 3)
        assert {model for model, _ in found} == {"a", "b"}
        assert tx.figures.verdicts(last) == (last, {})
        assert tx.figures.verdicts(2)[0] == 3


def test_runs_are_asked_for_once_they_are_new_or_while_they_last(store: Store):
    with store.begin() as tx:
        decision = decide(tx, "a")
        for number in (1, 2):
            order = StartRun(run=f"a.r{number}", number=number, spec=spec(model="a"))
            tx.runs.order("a", order, decision=decision, at=AT)
    with store.begin() as tx:
        first, second = tx.figures.runs()
        assert (first.state, first.waited, first.seconds) == ("queued", None, None)
        run = tx.runs.claim("a.r1", 0, worker="w", lease=HOUR)
        assert run is not None
        tx.runs.finish(run.id, run.fence, RunEnd(state=RunState.FAILED, reason="no"), at=AT)
    with store.read() as tx:
        assert tx.figures.runs(second.entry) == []
        (ended,) = tx.figures.runs(second.entry, [first.entry])
        assert (ended.kind, ended.state, ended.model) == ("train", "failed", "a")
        assert ended.waited is not None
        assert ended.seconds is not None
