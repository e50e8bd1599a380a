"""What nobody reaches goes: functions, classes and methods that neither the product nor its benchmarks name.

Vulture goes by names, so that a name that is used anywhere counts as used everywhere. What tests alone use counts as
unused. Whoever adds an exception says who reaches it.
"""

from __future__ import annotations

import re
from pathlib import Path

import vulture

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("controller", "workers")
USERS = ("benchmarks", "scripts", "examples")
KINDS = {"function", "class", "method", "property", "unreachable_code"}

BY_DECORATOR = [  # who decorates, calls
    "@router.*",
    "@pages.*",
    "@app.*",
    "@main.*",
    "@*.command*",
    "@*.group*",
    "@event.*",
    "@*.listens_for*",
    "@*.register",
    "@*.exception_handler*",
]
EXCEPTIONS = {
    "MemoryRevisions": "the memory adapter of RevisionSource, for who tests a follower of rules",
    "MemoryTeamRegistry": "the memory adapter of RemoteRegistry, for who tests a publisher",
    "lose_everything": "what MemoryTeamRegistry can be asked to do",
    "judge": "a follower of rules judges a revision and writes nothing, for who tests one",
    "verification": "a method of the public client",
    "signals_batch": "a method of the public client",
    "log_artifact": "a method of the context that training code gets",
    "next_in": "tests read the rhythm of looks from it",
    "TerseConsumer": "Celery loads it by the name in worker_consumer",
    "on_unknown_message": "Celery's consumer calls it",
    "on_unknown_task": "Celery's consumer calls it",
    "on_invalid_task": "Celery's consumer calls it",
    "on_decode_error": "Celery's consumer calls it",
    "generate_span_id": "OpenTelemetry calls it",
    "generate_trace_id": "OpenTelemetry calls it",
    "stream_response": "Starlette calls it",
    "log_message": "http.server calls it",
    "handle_error": "socketserver calls it",
    "convert": "click calls it",
    "format_commands": "click calls it",
    "settings_customise_sources": "pydantic-settings calls it",
    "process_bind_param": "SQLAlchemy calls it",
    "process_result_value": "SQLAlchemy calls it",
    "load_dialect_impl": "SQLAlchemy calls it",
}
PREFIXES = ("_check_",)  # workers/quality.py asks for the check by the name that the policy says
NEVER_ENDS = {
    "controller/adapters/remote/store.py"
}  # a yield that makes a generator of what only raises


def unreachable() -> list[str]:
    tool = vulture.Vulture(ignore_decorators=BY_DECORATOR)
    tool.scavenge([str(ROOT / name) for name in (*PRODUCT, *USERS)])
    for template in (ROOT / "controller").rglob("*.html"):  # a page asks its values by name, too
        tool.used_names |= set(re.findall(r"\w+", template.read_text(encoding="utf-8")))
    found = []
    for item in tool.get_unused_code(min_confidence=60):
        place = Path(item.filename).relative_to(ROOT).as_posix()
        ours = place.startswith(PRODUCT) and item.typ in KINDS
        known = item.name in EXCEPTIONS or item.name.startswith(PREFIXES) or place in NEVER_ENDS
        if ours and not known:
            found.append(f"{place}:{item.first_lineno}: nobody reaches the {item.typ} {item.name}")
    return found


def test_everything_is_reached():
    assert unreachable() == []


def test_what_nobody_reaches_is_found(monkeypatch):
    monkeypatch.delitem(EXCEPTIONS, "log_artifact")
    assert any(line.endswith("the method log_artifact") for line in unreachable())


def test_no_exception_outlives_what_it_excuses():
    text = "\n".join(
        path.read_text(encoding="utf-8") for name in PRODUCT for path in (ROOT / name).rglob("*.py")
    )
    assert [name for name in EXCEPTIONS if f"{name}" not in text] == []
