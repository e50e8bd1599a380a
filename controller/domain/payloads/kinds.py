"""What each kind of signal may say: one declaration a kind, and no kind without one.

A field that stands here is read by somebody (a reason, a trigger, a snapshot, a page); its bounds are those of the
column, the sum or the sentence that it ends in. What somebody wants to say beyond that goes below ``data``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.domain.payloads.bounds import Bounds
from controller.domain.payloads.fields import (
    EXACT,
    INTEGER,
    Choice,
    Count,
    FieldType,
    Flag,
    Free,
    Items,
    Maybe,
    Moment,
    Named,
    Real,
    Shape,
    Table,
    Text,
    Whole,
)
from controller.domain.runs import RunKind, RunState
from controller.domain.signals import SignalKind
from controller.domain.use import check_alias

FREE: Final = "data"
"""The key below which a sender may say anything: nobody interprets it."""

SENT: Final = Bounds(size=1 << 17, values=20_000)
"""Of what anybody sends. An event of CloudEvents' 64 KiB fits, as hexadecimal digits, too."""
TOLD: Final = Bounds(size=1 << 20, values=100_000)
"""Of distances of many columns."""
REPORTED: Final = Bounds(size=1 << 23, values=1_000_000)
"""Of what a worker reports."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """The fields of one kind, which of them must be there, and the bounds of the whole."""

    fields: Mapping[str, FieldType]
    required: tuple[str, ...] = ()
    bounds: Bounds = SENT

    @property
    def shape(self) -> Shape:
        """The payload as a type."""
        return Shape(
            fields=self.fields,
            required=frozenset(self.required),
            free=FREE if FREE in self.fields else "",
        )


_REASON = Maybe(Text(2_000))
_SENTENCE = Maybe(Text(20_000))
_VERSION = Whole()
_SEQUENCE = Whole(most=EXACT)
_COUNT = Maybe(Count())
_NAME = Text(500)
_URI = Text(8_000)
_DIGEST = Maybe(Text(200))
_NUMBER = Maybe(Real())
_CHANCE = Maybe(Real(0.0, 1.0))
_METRIC = Text(200)
_MOMENT = Maybe(Moment())
_RUN = Text(300)

_DISTANCES = Table(Table(_NUMBER, 100), 20_000)
_JUDGED = Table(
    Shape(
        {
            "verdict": Maybe(Text(100)),
            "significant": Maybe(Flag()),
            "ceiling": Maybe(Table(_NUMBER, 100)),
        },
        more=True,
    ),
    20_000,
)
_COMPARED: Mapping[str, FieldType] = {
    "columns": Maybe(_DISTANCES),
    "judged": Maybe(_JUDGED),
    "verdict": Maybe(Text(100)),
    "reasons": Maybe(Items(Text(20_000), 20_000)),
    "n": _COUNT,
    "problem": _SENTENCE,
}
_AGAINST = Maybe(Table(Shape(_COMPARED, more=True), 100))

_DATA: Mapping[str, FieldType] = {"reason": _REASON, FREE: Free()}
_DISTANCE_SIGNAL = Declaration(fields={**_COMPARED, "against": _AGAINST, **_DATA}, bounds=TOLD)
_BATCH: Mapping[str, FieldType] = {"uri": _URI, "rows": _COUNT, "sequence": _SEQUENCE}
_READING = Shape(
    {
        "name": Maybe(_NAME),
        "asked_by": Maybe(_NAME),
        "metric": Maybe(_METRIC),
        "version": Maybe(_VERSION),
        "verdict": Maybe(Text(100)),
        "value": _NUMBER,
        "reference": _NUMBER,
        "n": _COUNT,
        "labels": _COUNT,
        "p_worse": _CHANCE,
    },
    more=True,
)
_REPORT = Declaration(
    fields={
        "run": _RUN,
        "kind": Choice(tuple(kind.value for kind in RunKind)),
        "state": Choice(tuple(state.value for state in RunState)),
        "reason": _SENTENCE,
        # what every run uses
        "output": _DIGEST,
        "cpu_seconds": _NUMBER,
        "peak_memory": _COUNT,
        "seconds": _NUMBER,
        # a training
        "digest": _DIGEST,
        "size": _COUNT,
        "format": Maybe(_NAME),
        "metrics": Maybe(Table(Real(), 10_000)),
        "lineage": _DIGEST,
        "recipe": Maybe(_NAME),
        "rows": _COUNT,
        "data_through": _COUNT,
        # an evaluation or a proof
        "evaluation": Maybe(Shape({}, more=True)),
        "version": Maybe(_VERSION),
        "verified": Maybe(Flag()),
        # a profile or a look at what is served
        **_COMPARED,
        "against": _AGAINST,
        "quarantine": Maybe(
            Items(
                Shape(
                    {"sequence": _SEQUENCE, "uri": _URI, "sentence": _SENTENCE},
                    required=frozenset({"sequence"}),
                    more=True,
                ),
                10_000,
            )
        ),
        "schema_changes": Maybe(Items(Text(20_000), 10_000)),
        "report": _DIGEST,
        "reports": _DIGEST,
        "profile": _DIGEST,
        "profiles": _DIGEST,
        "reference": _DIGEST,
        "reference_through": _COUNT,
        "served_through": _COUNT,
        "matched": _COUNT,
        # a look at decay
        "labels": _COUNT,
        "readings": Maybe(Items(_READING, 1_000)),
        "estimates": Maybe(Items(_READING, 1_000)),
        "look_again": _MOMENT,
    },
    required=("run", "kind", "state"),
    bounds=REPORTED,
)
_ABOUT_VERSION = Declaration(fields={"version": _VERSION, "reason": _REASON}, required=("version",))
_HOLD = Declaration(fields={"version": Maybe(_VERSION), "reason": _REASON})

DECLARATIONS: Final[Mapping[SignalKind, Declaration]] = {
    SignalKind.SCHEDULE: Declaration(
        fields={"due": Moment(), "missed": Count()}, required=("due",)
    ),
    SignalKind.NEW_DATA: Declaration(
        fields={
            **_BATCH,
            "size": _COUNT,
            "digest": _DIGEST,
            "files": _COUNT,
            "time_min": Maybe(_NAME),
            "time_max": Maybe(_NAME),
        }
    ),
    SignalKind.DRIFT: _DISTANCE_SIGNAL,
    SignalKind.SKEW: _DISTANCE_SIGNAL,
    SignalKind.DECAY: Declaration(
        fields={
            "metric": _METRIC,
            "value": _NUMBER,
            "reference": _NUMBER,
            "labels": _COUNT,
            "p_worse": _CHANCE,
            **_DATA,
        },
        required=("metric",),
    ),
    SignalKind.WEBHOOK: Declaration(
        fields={
            "type": Text(200, least=1),
            "source": Maybe(_URI),
            "id": Maybe(Text(1_000)),
            "subject": Maybe(Text(1_000)),
            **_DATA,
        },
        required=("type",),
    ),
    SignalKind.MANUAL: Declaration(fields={"retry_of": _RUN, **_DATA}),
    SignalKind.SERVED: Declaration(fields=_BATCH),
    SignalKind.SCHEMA_CHANGED: Declaration(
        fields={
            "uri": _URI,
            "sequence": _SEQUENCE,
            "added": Items(Text(1_000), 20_000),
            "removed": Items(Text(1_000), 20_000),
            "retyped": Table(Text(1_000), 20_000, longest=1_000),
            "sentence": _SENTENCE,
        },
        bounds=TOLD,
    ),
    SignalKind.QUARANTINED: Declaration(
        fields={"uri": _URI, "sequence": _SEQUENCE, "sentence": _SENTENCE, "reason": _REASON}
    ),
    SignalKind.RUN_FINISHED: _REPORT,
    SignalKind.RUN_FAILED: _REPORT,
    SignalKind.METRIC: Declaration(
        fields={
            "metric": _METRIC,
            "condition": Maybe(_NAME),
            "value": _NUMBER,
            "n": _COUNT,
            "std": Maybe(Real(0.0)),
            "reference": _NUMBER,
            "p_worse": _CHANCE,
            "version": Maybe(_VERSION),
            **_DATA,
        },
        required=("metric",),
    ),
    SignalKind.LIFECYCLE: Declaration(
        fields={"version": Maybe(_VERSION), "sentence": _SENTENCE, "reason": _REASON}
    ),
    SignalKind.APPROVAL: Declaration(
        fields={
            "version": _VERSION,
            "agrees": Flag(),
            "withdraw": Flag(),
            "evidence": Text(200),
            "groups": Items(_NAME, 1_000),
            "behalf": _NAME,
            "reason": _REASON,
        },
        required=("version",),
    ),
    SignalKind.PROMOTE: Declaration(
        fields={"version": _VERSION, "expect_version": Maybe(_VERSION), "reason": _REASON},
        required=("version",),
    ),
    SignalKind.REJECT: _ABOUT_VERSION,
    SignalKind.ROLLBACK: Declaration(
        fields={
            "to": Maybe(_VERSION),
            "expect_version": Maybe(_VERSION),
            "force": Flag(),
            "reason": _REASON,
        }
    ),
    SignalKind.HOLD: _HOLD,
    SignalKind.RELEASE: _HOLD,
    SignalKind.RELEASE_BATCH: Declaration(
        fields={**_BATCH, "files": _COUNT, "reason": _REASON}, required=("sequence",)
    ),
    SignalKind.CANCEL: Declaration(fields={"run": _RUN, "reason": _REASON}, required=("run",)),
    SignalKind.ALIAS: Declaration(
        fields={
            "alias": Named("the name of an alias", check_alias),
            "version": Maybe(_VERSION),
            "expect_version": Maybe(_VERSION),
            "reason": _REASON,
        },
        required=("alias",),
    ),
    SignalKind.DEPRECATE: Declaration(
        fields={"version": _VERSION, "sunset": _MOMENT, "firm": Flag(), "reason": _REASON},
        required=("version",),
    ),
    SignalKind.ARCHIVE: _ABOUT_VERSION,
    SignalKind.RESTORE: _ABOUT_VERSION,
    SignalKind.RETAIN: Declaration(
        fields={"versions": Items(_VERSION, 1_000), "reason": _REASON}, required=("versions",)
    ),
    SignalKind.DRILL: Declaration(
        fields={"drill": Flag(), "to": Maybe(_VERSION), "reason": _REASON}
    ),
    SignalKind.DISMISS: Declaration(
        fields={"signal": Whole(least=1, most=EXACT), "reason": _REASON}, required=("signal",)
    ),
    SignalKind.FOREIGN_MOVE: Declaration(
        fields={
            "reason": _REASON,
            "place": Text(2_000),
            "alias": Text(255),
            "expected": Maybe(Whole(most=EXACT)),
            "found": Maybe(Whole(most=EXACT)),
            "version": Maybe(_VERSION),
            "generation": Maybe(Whole(most=INTEGER)),
            "lost": Flag(),
            "rules": Maybe(_NAME),
            "otherwise": Maybe(Text(100)),
            "may_adopt": Flag(),
            "source": Maybe(_URI),
            "run": Maybe(_NAME),
            "entered_by": Maybe(_NAME),
            "entered_at": _MOMENT,
        }
    ),
}
"""Of every kind exactly one; a test asks each kind."""
