"""The reasons to act, the most urgent first. The first that wants to act decides; the others wait a tick."""

from __future__ import annotations

from collections.abc import Iterable

from controller.policy.reasons.admit import ADMIT
from controller.policy.reasons.base import Reason
from controller.policy.reasons.dismiss import DISMISS
from controller.policy.reasons.drill import DRILL
from controller.policy.reasons.isolate import ISOLATE
from controller.policy.reasons.next_recipe import NEXT_RECIPE
from controller.policy.reasons.observe import OBSERVE
from controller.policy.reasons.person_commands import PERSON_COMMANDS
from controller.policy.reasons.profile import PROFILE
from controller.policy.reasons.promote import PROMOTE
from controller.policy.reasons.report import REPORT
from controller.policy.reasons.resolve_foreign_move import RESOLVE_FOREIGN_MOVE
from controller.policy.reasons.retire import RETIRE
from controller.policy.reasons.roll_back import ROLL_BACK
from controller.policy.reasons.train import TRAIN
from controller.policy.reasons.version_commands import VERSION_COMMANDS
from controller.policy.reasons.watch_rollout import WATCH_ROLLOUT


def register(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons in their order; ValueError for two of one key."""
    listed = tuple(reasons)
    keys = [reason.key for reason in listed]
    if len({*keys}) != len(keys):
        raise ValueError(f"a reason stands twice in REASONS: {max(keys, key=keys.count)}")
    return listed


REASONS = register(
    (
        ISOLATE,
        DISMISS,
        PERSON_COMMANDS,
        ROLL_BACK,
        WATCH_ROLLOUT,
        VERSION_COMMANDS,
        RESOLVE_FOREIGN_MOVE,
        PROMOTE,
        RETIRE,
        ADMIT,
        REPORT,
        PROFILE,
        OBSERVE,
        DRILL,
        NEXT_RECIPE,
        TRAIN,
    )
)
"""Why each stands where it stands is its ``rank``."""

AT_REST = tuple(reason for reason in REASONS if reason.at_rest)
"""What is decided of a model that rests in error."""
