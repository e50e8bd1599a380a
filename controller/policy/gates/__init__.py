"""Gates: a file for each kind, the registry of them, and the judging that all share."""

from controller.policy.gates.judge import GateVerdict, judge_gate, judge_gates, worst_result
from controller.policy.gates.registry import COMPARISONS, KINDS, kind_by_key, kind_of, need

__all__ = [
    "COMPARISONS",
    "KINDS",
    "GateVerdict",
    "judge_gate",
    "judge_gates",
    "kind_by_key",
    "kind_of",
    "need",
    "worst_result",
]
