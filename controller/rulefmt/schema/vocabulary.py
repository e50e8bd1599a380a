"""Types that several sections share: names of metrics, columns, gates, groups."""

from __future__ import annotations

from controller.domain.names import LONGEST_MODEL_NAME, MODEL_NAME
from controller.rulefmt.types import Text

METRIC = Text("a metric's name such as mae", r"[A-Za-z_][A-Za-z0-9_.@:/-]*", 100, label="metric")
COLUMN = Text("a column's name", longest=200, label="column")
FREE_NAME = Text("a name", r"[^\x00-\x1f]+", 100, label="name")
GROUP = Text("a group's name", r"[A-Za-z0-9][A-Za-z0-9._@:/-]*", 100, label="group")
CHANNEL = Text("a channel's name", r"[A-Za-z0-9#][A-Za-z0-9._@:/#-]*", 100, label="channel")
MODEL_NAME_TYPE = Text(
    "a name of letters, digits, `.`, `_` and `-`", MODEL_NAME, LONGEST_MODEL_NAME, label="name"
)
ENTRYPOINT = Text(
    "an entry point such as package.module:function",
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*",
    300,
    label="`module:function`",
)
EVENT_TYPE = Text(
    "a CloudEvents type such as com.example.labels.ready", r"[^\s]+", 200, label="text"
)
