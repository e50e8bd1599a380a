"""How the notes of a check are printed: for people, as JSON, as commands of GitHub's log, as SARIF."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from controller import __version__
from controller.rulefmt.check import CheckReport
from controller.rulefmt.lints import known_lints
from controller.rulefmt.problems import Note

ANNOTATIONS_SCHEMA_VERSION = 1
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_GITHUB_LEVEL = {"error": "error", "danger": "error", "advice": "warning"}
_SARIF_LEVEL = {"error": "error", "danger": "error", "advice": "note"}


def annotations_as_text(checked: CheckReport, *, strict: bool) -> str:
    """One line a note, the failure that a lint stops below it, and a line that sums up."""
    lines: list[str] = []
    for note in checked.notes:
        if note.silenced:
            continue
        lines.append(f"{note}" if note.level == "error" else f"{note} {note.level}")
        if note.stops:
            lines.append(f"    {note.stops}")
    counted = [
        _count(checked.files, "file"),
        _count(checked.count("error"), "problem"),
        _count(checked.count("danger"), "danger"),
        f"{checked.count('advice')} advice",
    ]
    silenced = sum(1 for note in checked.notes if note.silenced)
    if silenced:
        counted.append(f"{silenced} silenced")
    word = "refused" if checked.refuses(strict=strict) else "good"
    return "\n".join([*lines, f"{word}: {', '.join(counted)}"])


def annotations_as_json(checked: CheckReport, *, strict: bool) -> str:
    """One object with all notes, silenced ones among them."""
    return json.dumps(
        {
            "schema_version": ANNOTATIONS_SCHEMA_VERSION,
            "good": not checked.refuses(strict=strict),
            "files": checked.files,
            "notes": [note.as_dict() for note in checked.notes],
        },
        indent=2,
        ensure_ascii=False,
    )


def as_github(checked: CheckReport, *, strict: bool) -> str:
    """Workflow commands that GitHub shows at the lines of a pull request."""
    del strict
    return "\n".join(_github_line(note) for note in checked.notes if not note.silenced)


def _github_line(note: Note) -> str:
    place = (
        f"file={_property(note.path)},line={note.line},col={note.col},title={_property(note.code)}"
    )
    tail = f"; {note.hint}" if note.hint else ""
    message = f"{note.message}{tail}" + (f" ({note.stops})" if note.stops else "")
    return f"::{_GITHUB_LEVEL[note.level]} {place}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(checked: CheckReport, *, strict: bool) -> str:
    """SARIF 2.1.0, as code scanning reads it; silenced findings are suppressed with their reason."""
    del strict
    lints = known_lints()
    codes = sorted({note.code for note in checked.notes} | set(lints))
    rules = [
        {"id": code, "shortDescription": {"text": lints[code].stops if code in lints else code}}
        for code in codes
    ]
    driver = {
        "name": "incumbent",
        "version": __version__,
        "rules": rules,
    }
    run = {"tool": {"driver": driver}, "results": [_sarif_result(n) for n in checked.notes]}
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _sarif_result(note: Note) -> dict[str, Any]:
    tail = f"; {note.hint}" if note.hint else ""
    place = {
        "artifactLocation": {"uri": note.path.replace("\\", "/")},
        "region": {"startLine": note.line, "startColumn": note.col},
    }
    result: dict[str, Any] = {
        "ruleId": note.code,
        "level": _SARIF_LEVEL[note.level],
        "message": {"text": f"{note.message}{tail}"},
        "locations": [{"physicalLocation": place}],
    }
    if note.silenced:
        result["suppressions"] = [{"kind": "inSource", "justification": note.silenced}]
    return result


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


ANNOTATION_FORMATS: dict[str, Callable[..., str]] = {
    "text": annotations_as_text,
    "json": annotations_as_json,
    "github": as_github,
    "sarif": as_sarif,
}
"""Every format by the name that `--format` takes."""
