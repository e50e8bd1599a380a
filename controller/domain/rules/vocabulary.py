"""Types that several sections of a policy share: names of metrics, columns, groups, and spans and shares."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from controller.domain.keys import Number, Share, Span, Text
from controller.domain.names import LONGEST_MODEL_NAME, MODEL_NAME

METRIC = Text("a metric's name such as mae", r"[A-Za-z_][A-Za-z0-9_.@:/-]*", 100, label="metric")
COLUMN = Text("a column's name", longest=200, label="column")
FREE_NAME = Text("a name", r"[^\x00-\x1f]+", 100, label="name")
MODEL_NAME_TEXT = Text(
    "a name of letters, digits, `.`, `_` and `-`", MODEL_NAME, LONGEST_MODEL_NAME, label="name"
)

MetricName = Annotated[str, METRIC]
ColumnName = Annotated[str, COLUMN]
FreeName = Annotated[str, FREE_NAME]
GroupName = Annotated[
    str, Text("a group's name", r"[A-Za-z0-9][A-Za-z0-9._@:/-]*", 100, label="group")
]
ChannelName = Annotated[
    str, Text("a channel's name", r"[A-Za-z0-9#][A-Za-z0-9._@:/#-]*", 100, label="channel")
]
Address = Annotated[str, Text("a path, glob or URL", longest=1000)]
Query = Annotated[str, Text("a PromQL query", longest=2000)]
Entrypoint = Annotated[
    str,
    Text(
        "an entry point such as package.module:function",
        r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*",
        300,
        label="`module:function`",
    ),
]
EventType = Annotated[
    str, Text("a CloudEvents type such as com.example.labels.ready", r"[^\s]+", 200, label="text")
]
Count = Annotated[int, Number(1)]
Fraction = Annotated[float, Share()]
PositiveFraction = Annotated[float, Share(positive=True)]
MaybeNoTime = Annotated[timedelta, Span(positive=False)]
"""A span that may be zero."""
