"""A policy: its format and its values, declared together. Each section is a frozen dataclass with its defaults.

How it is written down (spellings, positions) is read by :mod:`controller.rulefmt`; nothing here knows YAML. ``line``
fields (1-based) point into the policy's text so that an explanation can quote the rule that decided. Durations are
:class:`datetime.timedelta`; shares and percentages are fractions (``0.03`` for 3 %). Where a section is written
otherwise than the rest of the product uses it, ``Written...`` declares the keys and says what is meant.
"""

from controller.domain.rules.data import DataSection, Expectation, Holdout, Served, SourceKey
from controller.domain.rules.gates import (
    NO_MARGIN,
    SERVABLE,
    Comparison,
    ErrorBudget,
    Gate,
    GateQuestion,
    Margin,
    Reference,
    Slices,
    WhenInconclusive,
)
from controller.domain.rules.people import Approval, Escalate
from controller.domain.rules.policy import (
    EVENTS,
    Deprecate,
    Mode,
    Policy,
    RegistrySection,
    Silenced,
    Stretch,
    Unimproving,
)
from controller.domain.rules.rollout import RollbackCondition, RollbackSection, RolloutStep
from controller.domain.rules.train import Recipe, Search, TrainSection
from controller.domain.rules.triggers import ONE_BATCH, Hold, Limits, Trigger

__all__ = [
    "EVENTS",
    "NO_MARGIN",
    "ONE_BATCH",
    "SERVABLE",
    "Approval",
    "Comparison",
    "DataSection",
    "Deprecate",
    "ErrorBudget",
    "Escalate",
    "Expectation",
    "Gate",
    "GateQuestion",
    "Hold",
    "Holdout",
    "Limits",
    "Margin",
    "Mode",
    "Policy",
    "Recipe",
    "Reference",
    "RegistrySection",
    "RollbackCondition",
    "RollbackSection",
    "RolloutStep",
    "Search",
    "Served",
    "Silenced",
    "Slices",
    "SourceKey",
    "Stretch",
    "TrainSection",
    "Trigger",
    "Unimproving",
    "WhenInconclusive",
]
