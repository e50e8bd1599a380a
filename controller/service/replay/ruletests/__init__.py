"""Runs rule tests: the policy's own decisions, in simulated time, on a store in memory."""

from __future__ import annotations

from controller.service.replay.ruletests.coverage import Coverage, cover
from controller.service.replay.ruletests.judge import RuleTestDifference
from controller.service.replay.ruletests.run import RuleTestResult, run_rule_test

__all__ = ["Coverage", "RuleTestDifference", "RuleTestResult", "cover", "run_rule_test"]
