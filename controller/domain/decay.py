"""What is known of a model's quality after it was trained: measured once labels came, estimated before.

A measurement may prove decay. An estimate may alert a person; it never is a reason to roll back
by itself, and its shape says so (``Estimate`` is no ``MetricPoint``). Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class DecayVerdict(StrEnum):
    """The answer of the sequential test."""

    DECAYED = "decayed"
    HOLDING = "holding"
    UNDECIDED = "undecided"
    NOT_ENOUGH_DATA = "not_enough_data"

    @property
    def lacks_data(self) -> bool:
        """Whether nothing could be said for want of rows."""
        return self is DecayVerdict.NOT_ENOUGH_DATA


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricPoint:
    """A metric over one window of time, of all rows (``slice`` is None) or one slice of them.

    ``value`` is None where the metric is undefined (AUC of one class) or the labels are too few.
    """

    start: datetime
    end: datetime
    labels: int
    value: float | None
    slice: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayReport:
    """The metric since training against its value at training time.

    ``limit`` is that value with the margin; ``low`` and ``high`` bound the mean over ``blocks`` at
    every look at once. ``proven_at`` is the end of the block at which decay was proven first, ``last_proven_at`` that
    of the newest one, and ``p_worse`` the p-value that holds at any look. Held against another version, ``low`` and
    ``high`` bound the difference from it on the same rows.
    """

    metric: str
    verdict: DecayVerdict
    reference: float
    limit: float
    labels: int
    blocks: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    proven_at: datetime | None = None
    last_proven_at: datetime | None = None
    p_worse: float | None = None
    reasons: tuple[str, ...] = ()
    points: tuple[MetricPoint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A metric that nobody measured: computed from predictions whose labels have not come yet.

    ``method`` is "cbpe" or "dle"; ``assumption`` what must hold for it to be right.
    """

    metric: str
    value: float
    low: float
    high: float
    rows: int
    method: str
    assumption: str
    is_estimate: bool = field(default=True, init=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamAlarm:
    """A change that a detector saw in a stream of values; ``at`` is the position of the value."""

    detector: str
    at: int
    mean_before: float
    mean_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSkew:
    """Rows with one key whose value differs between training and serving.

    ``examples`` are (key, value when training, value when serving), as text.
    """

    feature: str
    rows: int
    mismatches: int
    rate: float | None
    examples: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SkewReport:
    """The comparison row by row: how many keys met, and each feature's rate of mismatch."""

    matched: int
    only_training: int
    only_serving: int
    features: tuple[FeatureSkew, ...]
    missing_features: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricWatch:
    """One question about the champion's metric since it was judged: is it worse than its reference?

    ``asked_by`` is ``trigger`` or ``rollback``, ``name`` that of the trigger or condition. ``worse_than`` is
    ``training`` (its own value when it was judged), or ``previous``, ``anchor`` or ``baseline`` on the same rows.
    ``window`` is in seconds, ``margin`` in the metric's unit or, if ``relative``, a fraction of the reference.
    """

    name: str
    asked_by: str
    metric: str
    worse_than: str
    margin: float
    relative: bool
    window: float
    min_labels: int
    confidence: float = 0.95
    higher_is_better: bool | None = None
    test: str = "sequence"


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayReading:
    """The answer to one :class:`MetricWatch`, as it stands in the signal of a finished run.

    ``value`` is over the newest window, ``n`` its labels; ``p_worse`` holds at any number of looks. ``problem`` says
    why there is no answer.
    """

    name: str
    asked_by: str
    metric: str
    version: int
    worse_than: str
    verdict: DecayVerdict
    value: float | None = None
    reference: float | None = None
    limit: float | None = None
    n: int = 0
    labels: int = 0
    blocks: int = 0
    p_worse: float | None = None
    low: float | None = None
    high: float | None = None
    proven_at: datetime | None = None
    test: str = "sequence"
    sentence: str = ""
    problem: str = ""
