"""``servable``, which is always on: the challenger loads in a fresh process and takes the columns that serving has."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.decisions import Outcome, Result
from controller.domain.evidence import GateEvidence
from controller.domain.rules import SERVABLE as NAME
from controller.domain.rules import Comparison, Gate
from controller.policy.gates.at_least import KIND as AT_LEAST
from controller.policy.gates.at_least import AtLeast
from controller.policy.gates.outcomes import shown


@dataclass(frozen=True, kw_only=True)
class Servable(AtLeast):
    """No policy writes it, so it has no keys; as a number it is 1 where the challenger answered."""

    def missing(self, gate: Gate) -> str:  # noqa: ARG002
        """Nobody tried."""
        return "nobody tried to load the challenger in a fresh process"

    def judge(self, gate: Gate, evidence: GateEvidence, level: float | None) -> Outcome:  # noqa: ARG002
        """What went wrong stands in the sentence alone: nothing is needed beyond an answer."""
        values = shown(evidence)
        if evidence.problem is not None or evidence.challenger != 1.0:
            why = evidence.problem or "the challenger did not answer"
            return Outcome(name=gate.name, result=Result.FAIL, sentence=why, values=values)
        what = "loads in a fresh process and takes the columns that serving has"
        return Outcome(name=gate.name, result=Result.PASS, sentence=what, values=values)


SERVABLE = Servable(comparison=Comparison.AT_LEAST, keys=(), flip=AT_LEAST.flip, improves=False)
GATE = Gate(name=NAME, metric=NAME, comparison=Comparison.AT_LEAST, threshold=1.0)
