"""The kinds of runs, in the order of :class:`~controller.domain.runs.RunKind`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from controller.domain.run_kinds.base import RunWork
from controller.domain.run_kinds.decay import DECAY
from controller.domain.run_kinds.evaluate import EVALUATE
from controller.domain.run_kinds.profile import PROFILE
from controller.domain.run_kinds.skew import SKEW
from controller.domain.run_kinds.train import TRAIN
from controller.domain.run_kinds.verify import VERIFY
from controller.domain.runs import RunKind


def register(kinds: Iterable[RunWork]) -> Mapping[RunKind, RunWork]:
    """The kinds by their member. ValueError unless each member has one."""
    listed = list(kinds)
    if [work.kind for work in listed] != list(RunKind):
        missing = [kind.value for kind in RunKind if kind not in {work.kind for work in listed}]
        raise ValueError(f"each RunKind has one entry, in its order; missing: {missing or 'none'}")
    return MappingProxyType({work.kind: work for work in listed})


RUN_WORK = register((TRAIN, EVALUATE, PROFILE, VERIFY, DECAY, SKEW))


def run_work(kind: str) -> RunWork:
    """The kind of a run, by its member or by the word of a report; ValueError for a word that no kind has."""
    return RUN_WORK[RunKind(kind)]
