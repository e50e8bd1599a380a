"""A policy's reader. What gates and triggers say depends on their kinds, which bring keys of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any

from controller.domain.keys import Choice, Key
from controller.domain.rules import NO_MARGIN, Gate, Margin, Policy, Reference, Slices, Trigger
from controller.policy.gates import COMPARISONS, KINDS
from controller.policy.triggers import TRIGGERS, TriggerKind
from controller.rulefmt.declared import Declarations, doc_of
from controller.rulefmt.sections import KeyReader, SectionReader

_Version = Annotated[Reference, Choice(("champion", "anchor", "previous", "baseline"))]
_OF_KINDS = Declarations({})


def _comparisons() -> Iterator[KeyReader]:
    for kind in KINDS:
        asked = _OF_KINDS.reader(_Version if kind.question.paired else float)
        yield _OF_KINDS.key(kind.keys[0], kind.key, asked, None)
        if kind.margin_key is not None:
            amount = _OF_KINDS.reader(Margin)
            yield _OF_KINDS.key(kind.keys[1], kind.margin_key, amount, NO_MARGIN)


def _gate(*, metric: str, name: str = "", slices: Slices | None = None, **said: object) -> Gate:
    """The gate of the one comparison that was said; it is called after it, where it has no name."""
    make: Callable[..., Gate] = Gate
    kind = next(kind for kind in KINDS if kind.key in said)
    asked = said.pop(kind.key)
    margin = said.pop(kind.margin_key or "", NO_MARGIN)
    shown = f"{asked:g}" if isinstance(asked, float) else str(asked)
    by = f" by {' and '.join(slices.by)}" if slices is not None else ""
    return make(
        name=name or f"{metric} {kind.key.replace('_', ' ')} {shown}{by}",
        metric=metric,
        comparison=kind.comparison,
        reference=asked if isinstance(asked, Reference) else None,
        threshold=asked if isinstance(asked, float) else None,
        margin=margin,
        slices=slices,
        **said,
    )


_NAME, _METRIC, *_OTHERS = _OF_KINDS.keys_of(Gate)

GATE = SectionReader(
    title=Gate.section.title,
    doc=doc_of(Gate),
    keys=(_NAME, _METRIC, *_comparisons(), *_OTHERS),
    make=_gate,
    one_of=COMPARISONS,
    only_with={
        **{kind.margin_key: (kind.key,) for kind in KINDS if kind.margin_key},
        "test": tuple(kind.key for kind in KINDS if kind.question.paired),
    },
    has_line=True,
)


def kind_section(kind: TriggerKind[Any]) -> SectionReader:
    """What a policy says of a trigger of this kind; its name stands beside it."""

    def make(**said: object) -> Trigger:
        value: Trigger = kind.value(name=kind.key, **said)
        return value

    return SectionReader(
        title=f"triggers[].{kind.key}",
        doc=doc_of(kind.value),
        keys=tuple(key for key in _OF_KINDS.keys_of(kind.value) if key.name != "name"),
        make=make,
        one_of=kind.value.section.one_of,
        only_with=kind.value.section.only_with,
    )


def _trigger(*, line: int, name: str = "", **kinds: Trigger) -> Trigger:
    (trigger,) = kinds.values()
    return replace(trigger, name=name or trigger.name, line=line)


TRIGGER = SectionReader(
    title=Trigger.section.title,
    doc=doc_of(Trigger),
    keys=(
        *_OF_KINDS.keys_of(Trigger),
        *(
            _OF_KINDS.key(Key("", kind.example), kind.key, kind_section(kind), None)
            for kind in TRIGGERS.values()
        ),
    ),
    make=_trigger,
    one_of=tuple(TRIGGERS),
    has_line=True,
)

POLICY = Declarations({Gate: GATE, Trigger: TRIGGER}).section(Policy)
