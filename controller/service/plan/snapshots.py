"""Reads stored snapshots one after the other. An evaluation stands in the snapshots of all decisions of its version's
life, and is most of their bytes: it is turned into a value once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controller.domain import codec
from controller.domain.errors import IntegrityError
from controller.domain.evidence import Evaluation
from controller.domain.snapshot import Snapshot

_KEPT = 64
_OPENS = '"evaluation":{'
_KNOWN = "known evaluation"
"""Key of the mark that stands for an evaluation which was read before."""


@dataclass(slots=True)
class Snapshots:
    """The same values as ``codec.load(Snapshot, text)`` gives, from the canonical text that is stored."""

    _values: dict[str, Evaluation] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _marks: dict[str, str] = field(default_factory=dict)

    def read(self, text: str) -> Snapshot:
        """IntegrityError if the text is no snapshot."""
        try:
            plain = json.loads("".join(self._shortened(text)))
        except ValueError as error:
            raise IntegrityError(f"a stored Snapshot is no JSON: {error}.") from error
        versions = plain.get("versions") if isinstance(plain, dict) else None
        if isinstance(versions, list):
            for version in versions:
                if isinstance(version, dict) and version.get("evaluation") is not None:
                    version["evaluation"] = self._evaluation(version["evaluation"])
        snapshot: Snapshot = codec.load_plain(Snapshot, plain)
        return snapshot

    def _shortened(self, text: str) -> Iterator[str]:
        """The text with a mark in the place of each evaluation that is known, letter for letter."""
        done = 0
        while (at := text.find(_OPENS, done)) >= 0:
            begins = at + len(_OPENS) - 1
            found = next((r for r, t in self._texts.items() if text.startswith(t, begins)), None)
            if found is None:
                yield text[done : begins + 1]
                done = begins + 1
            else:
                yield text[done:begins]
                yield self._marks[found]
                done = begins + len(self._texts[found])
        yield text[done:]

    def _evaluation(self, plain: Any) -> Evaluation:
        if isinstance(plain, dict) and _KNOWN in plain:
            return self._values[plain[_KNOWN]]
        evaluation: Evaluation = codec.load_plain(Evaluation, plain)
        if len(self._values) >= _KEPT:
            oldest = next(iter(self._values))
            del self._values[oldest], self._texts[oldest], self._marks[oldest]
        self._values[evaluation.run] = evaluation
        self._marks[evaluation.run] = json.dumps({_KNOWN: evaluation.run})
        self._texts[evaluation.run] = json.dumps(
            plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return evaluation
