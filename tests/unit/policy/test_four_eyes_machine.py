"""Hypothesis plays people, data and time: nobody approves what they caused, and approved challengers stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.domain import codec
from controller.domain.canonical import digest
from controller.domain.decisions import (
    Decision,
    MoveVersion,
    RecordApproval,
    RegisterVersion,
    SetChampion,
    StartRun,
)
from controller.domain.rules import Approval, RolloutStep
from controller.domain.runs import RunKind
from controller.domain.signals import SignalKind
from controller.domain.snapshot import ApprovalView, Snapshot
from controller.domain.versions import VersionState
from controller.policy.decide import decide
from controller.policy.triggers import NewDataTrigger
from controller.policy.triggers.webhook import WebhookTrigger
from tests.support.house import FAILS, MODEL, PASSES, UNDECIDED, House, policy

PEOPLE = st.sampled_from(["person:ana", "person:ben", "person:carl"])
OUTCOMES = st.sampled_from([UNDECIDED, UNDECIDED, UNDECIDED, PASSES, FAILS])
TERMS = st.builds(
    Approval,
    when=st.sampled_from(["inconclusive", "inconclusive", "always", "never"]),
    groups=st.just(("leads",)),
    count=st.sampled_from([1, 2, 2]),
    expires=st.sampled_from([timedelta(days=1), timedelta(days=3)]),
    supersede=st.sampled_from(["keep_approved", "keep_approved", "newest"]),
)
ROLLOUTS = st.sampled_from([(), (RolloutStep(shadow=timedelta(days=1)),)])
EXPIRED = " waited for approval until "


class FourEyes(RuleBasedStateMachine):
    """One model. The log is read as it grows, and what must hold is computed from it alone."""

    @initialize(terms=TERMS, rollout=ROLLOUTS)
    def begin(self, terms: Approval, rollout: tuple[RolloutStep, ...]) -> None:
        self.files = self.read = 0
        self.asked: dict[int, set[str]] = {}
        self.runs: dict[str, set[str]] = {}
        self.rollout = rollout
        self.house = House(policy())
        self.house.data(30_000, "first")
        self.house.work()
        self.change_rules(terms)

    @rule(terms=TERMS)
    def change_rules(self, terms: Approval) -> None:
        self.house.review(
            policy(
                approval=terms,
                rollout=self.rollout,
                triggers=(
                    NewDataTrigger(name="new_data", rows=20_000),
                    WebhookTrigger(name="ready", type="ready"),
                ),
            )
        )
        self.house.tick()

    @rule(actor=PEOPLE, by_hand=st.booleans(), outcome=OUTCOMES)
    def train(self, actor: str, outcome: dict[str, float], *, by_hand: bool) -> None:
        self.files += 1
        if by_hand:
            self.house.signal(SignalKind.MANUAL, f"m{self.files}", actor=actor, reason="please")
        else:
            key = f"w{self.files}"
            self.house.signal(SignalKind.WEBHOOK, key, actor=actor, trigger="ready", type="ready")
        self.house.work(outcome)

    @rule(actor=PEOPLE, outcome=OUTCOMES)
    def retry_what_fails(self, actor: str, outcome: dict[str, float]) -> None:
        self.files += 1
        self.house.signal(SignalKind.MANUAL, f"f{self.files}", actor="person:ana", reason="try")
        self.house.tick()
        run = self.house.claim()
        if run is not None and run.spec.kind is RunKind.TRAIN:
            self.house.fail(run, "no luck")
            self.house.tick()
            said = {"reason": "again", "retry_of": run.id}
            self.house.signal(SignalKind.MANUAL, f"r{self.files}", actor=actor, **said)
        self.house.work(outcome)

    @rule(outcome=OUTCOMES)
    def data(self, outcome: dict[str, float]) -> None:
        self.files += 1
        self.house.data(30_000, f"{self.files}")
        self.house.work(outcome)

    @precondition(lambda self: "challenger" in self.house.states().values())
    @rule(
        dice=st.integers(0, 3),
        actor=PEOPLE,
        behalf=st.sampled_from(["", "", "person:ana"]),
        withdraw=st.sampled_from([False, False, False, True]),
    )
    def speak(self, dice: int, actor: str, behalf: str, *, withdraw: bool) -> None:
        waiting = sorted(n for n, state in self.house.states().items() if state == "challenger")
        number = waiting[dice % len(waiting)]
        with self.house.store.read() as tx:
            seen = digest(tx.registry.evaluations(MODEL, (number,))[number])
        self.files += 1
        said = {"version": number, "evidence": seen, "groups": ["leads"], "reason": "fine"}
        said |= {"withdraw": True} if withdraw else {}
        said |= {"behalf": behalf} if behalf else {}
        self.house.signal(SignalKind.APPROVAL, f"a{self.files}", actor=actor, **said)
        self.house.work(UNDECIDED)

    @rule(days=st.sampled_from([0.5, 1, 2]))
    def time(self, days: float) -> None:
        self.house.clock.advance(timedelta(days=days))
        self.house.work(UNDECIDED)

    @rule(kind=st.sampled_from([SignalKind.HOLD, SignalKind.RELEASE]))
    def hold(self, kind: SignalKind) -> None:
        self.files += 1
        self.house.signal(kind, f"h{self.files}", actor="person:carl", reason="an audit")
        self.house.work(UNDECIDED)

    @invariant()
    def every_decision_keeps_four_eyes(self) -> None:
        with self.house.store.read() as tx:
            news = list(tx.decisions.walk(self.read + 1))
        for record in news:
            self.read = record.id
            decision = codec.load_value(Decision, record.decision)
            snapshot = codec.load_value(Snapshot, record.snapshot)
            rules = self.house.policies[self._text(record.rules.blob)]
            assert decide(snapshot, rules, record.decided_at) == decision
            self._learn(snapshot, decision)
            self._nobody_approves_what_they_caused(snapshot, decision, rules.approval)
            self._what_was_approved_stays(snapshot, decision, rules.approval)
            self._nobody_is_rejected_unasked(snapshot, decision)

    def _text(self, blob: str) -> str:
        with self.house.store.read() as tx:
            found = tx.rules.text(blob)
        assert found is not None
        return found

    def _learn(self, snapshot: Snapshot, decision: Decision) -> None:
        """Whom the log itself names as causes: of each run, then of the version that it brought."""
        by_number = {signal.id: signal for signal in snapshot.signals}
        for action in decision.actions:
            if isinstance(action, StartRun) and action.spec.kind is RunKind.TRAIN:
                told = [by_number[n] for cause in action.spec.causes for n in cause.signals]
                who = {signal.actor for signal in told}
                for signal in told:
                    who |= self.runs.get(str(signal.payload.get("retry_of")), set())
                self.runs[action.run] = who
            elif isinstance(action, RegisterVersion):
                self.asked[action.version] = self.runs.get(action.run, set())

    def _nobody_approves_what_they_caused(
        self, snapshot: Snapshot, decision: Decision, approval: Approval
    ) -> None:
        booked = [a for a in decision.actions if isinstance(a, RecordApproval) and a.agrees]
        for word in booked:
            assert not {word.actor, word.behalf} & self.asked[word.version]
        for seat in decision.actions:
            if isinstance(seat, SetChampion) and approval.when == "always":
                present = self._evidence(snapshot, seat.version)
                views = [w for w in snapshot.approvals if w.version == seat.version]
                people = {w.actor for w in self._standing(views, present, seat.version)}
                people |= {w.actor for w in booked}
                assert len(people) >= approval.count

    def _what_was_approved_stays(
        self, snapshot: Snapshot, decision: Decision, approval: Approval
    ) -> None:
        if approval.when == "never" or approval.supersede == "newest":
            return
        for move in decision.actions:
            if not isinstance(move, MoveVersion) or move.after is not VersionState.REJECTED:
                continue
            if move.before is VersionState.CHALLENGER and move.version != decision.challenger:
                views = [w for w in snapshot.approvals if w.version == move.version]
                present = self._evidence(snapshot, move.version)
                assert not self._standing(views, present, move.version), move.reason

    def _nobody_is_rejected_unasked(self, snapshot: Snapshot, decision: Decision) -> None:
        if EXPIRED not in decision.reason:
            return
        words = [w for w in snapshot.approvals if w.version == decision.challenger]
        asked = [w.at for w in words if w.word == "request"]
        assert asked
        assert decision.decided_at - max(asked) >= timedelta(days=1)

    def _standing(
        self, words: list[ApprovalView], present: str, version: int
    ) -> list[ApprovalView]:
        last = {w.actor: w for w in words if w.evidence == present and w.actor != "system"}
        asked = self.asked[version]
        return [w for w in last.values() if w.agrees and not {w.actor, w.behalf} & asked]

    def _evidence(self, snapshot: Snapshot, version: int) -> str:
        found = snapshot.version(version)
        return digest(found.evaluation) if found is not None and found.evaluation else ""


class FourEyesForLong(FourEyes):
    """The same, for as long as the long tests may take."""


FourEyes.TestCase.settings = settings(max_examples=5, stateful_step_count=10, deadline=None)
FourEyesForLong.TestCase.settings = settings(
    max_examples=100, stateful_step_count=20, deadline=None
)
TestFourEyes = FourEyes.TestCase
TestFourEyesForLong = pytest.mark.long(FourEyesForLong.TestCase)
