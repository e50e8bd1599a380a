"""A channel: `to = ["example-file:///var/log/incumbent.jsonl"]` in the file of INCUMBENT_NOTIFY."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def send(url: str, message: Mapping[str, Any]) -> None:
    """Writes the message as one line. What it raises is told, and the message is tried again.

    ``message`` has ``key``, the same when it is tried again, ``channel``, ``subject``, ``text``, ``at`` and ``data``.
    """
    with Path(urlsplit(url).path).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(dict(message)) + "\n")
