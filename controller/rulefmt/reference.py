"""JSON Schema and the reference page, both made from the table of keys: they cannot disagree with the parser."""

from __future__ import annotations

from collections.abc import Iterator

from controller.rulefmt.collection_readers import EitherReader, ListReader, MapReader
from controller.rulefmt.declared import section_in
from controller.rulefmt.scalar_readers import JsonSchema, Reader
from controller.rulefmt.schema.policy import POLICY
from controller.rulefmt.schema.ruletest import RULE_TEST
from controller.rulefmt.sections import KeyReader, SectionReader

SCHEMA_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_INTRODUCTION = """\
# Reference of the policy format

<!-- Made by `controller.rulefmt.reference`; `incumbent schema --markdown` prints it. Do not edit. -->

A policy is one YAML file a model. Editors check it while you type with this first line:

```yaml
# yaml-language-server: $schema=policy.schema.json
```

where `incumbent schema > policy.schema.json` wrote the schema. `incumbent check` finds more than an
editor can: it reports every mistake at once as `file:line:col`, and what is legal and dangerous.

**Durations** are written `45s`, `1h30m`, `2d`, `1w` (units `w d h m s`, largest first).
**Percentages** are written `3%`; a fraction below one (`0.03`) is the same. **Sizes** have a unit:
`512MiB`, `2GiB`. **Cron lines** have five fields, and weekdays count from Sunday = 0 as in every
crontab.

What readers of YAML disagree on is refused, never guessed: `yes`, `no`, `on` and `off`, `1e-3`,
`1:30`, `010`, `0x10`, `1_000`, `.nan`, `.inf`, bare dates, anchors and aliases, merge keys, tags, tabs,
repeated keys, several documents. A file has at most 256 KiB.
"""


_TESTS_INTRODUCTION = """\
# Reference of rule tests

<!-- Made by `controller.rulefmt.reference`. Do not edit. -->

A rule test lies beside its policy as `NAME.test.yaml`. `incumbent test` runs it in simulated time, through
the same function that decides in production: signals come in, triggers fire or wait, trainings bring
the candidates that the test describes, gates are judged, and what was decided is compared with what is
expected. Only the workers' results are written by hand. `schedule` triggers fire by themselves.

A test that names a gate, trigger or metric that the policy does not have, that expects nothing, or whose
candidates nobody trained, fails: a test that cannot fail shows nothing.

Durations and numbers are written as in [policies](policy.md).
"""


def json_schema() -> JsonSchema:
    """The format as JSON Schema (draft 2020-12), for editors. The parser refuses more than it can say."""
    return {
        "$schema": SCHEMA_DRAFT,
        "title": "Incumbent policy",
        "description": POLICY.doc,
        **POLICY.json(),
    }


def reference_markdown() -> str:
    """The page `docs/reference/policy.md`: every key with its type, default and an example."""
    return _page(_INTRODUCTION, POLICY)


def rule_test_markdown() -> str:
    """The page `docs/reference/rule-tests.md`."""
    return _page(_TESTS_INTRODUCTION, RULE_TEST)


def _page(introduction: str, root: SectionReader) -> str:
    return "\n".join([introduction, *(_section_page(section) for section in all_sections(root))])


def all_sections(root: SectionReader = POLICY) -> Iterator[SectionReader]:
    """A section (the policy), and those below it in the order of the table, each once."""
    seen: list[str] = []
    stack = [root]
    while stack:
        current = stack.pop(0)
        if current.title in seen:
            continue
        seen.append(current.title)
        yield current
        below = [section_in(key.reader) for key in current.keys]
        stack[:0] = [inner for inner in below if inner is not None]


def _section_page(section: SectionReader) -> str:
    lines = [f"## {section.title}", "", section.doc, ""]
    if section.one_of:
        lines += [f"Exactly one of {', '.join(f'`{name}`' for name in section.one_of)}.", ""]
    lines += ["| key | type | default | example | what for |", "|---|---|---|---|---|"]
    lines += [_row(key) for key in section.keys]
    return "\n".join([*lines, ""])


def _row(key: KeyReader) -> str:
    cells = (f"`{key.name}`", _label(key.reader), _default(key), f"`{key.example}`", key.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(key: KeyReader) -> str:
    if key.required:
        return "required"
    return f"`{key.constant}`" if key.constant is not None else key.default_says or "–"


def _label(kind: Reader) -> str:
    inner = section_in(kind)
    if inner is None:
        return kind.label
    anchor = "".join(c for c in inner.title.lower() if c.isalnum() or c in "-_")
    link = f"[{inner.title}](#{anchor})"
    if isinstance(kind, EitherReader):
        return f"{kind.short.label}, or {link}"
    if isinstance(kind, ListReader):
        return f"list of {link}"
    if isinstance(kind, MapReader):
        return f"mapping from {kind.noun} to {_label(kind.value)}"
    return link
