"""Puts reviewed rules in force, and keeps the last good ones where the newer ones must not be.

A source may give a model's proven rules and, refused, the newer ones: both are heeded. A policy is refused when its
source says so (its review is not proven), when it does not parse, when two files rule the same model, or when a model
that MLflow's clients keep here has the name. The reason
is kept with the rules that stay in force, or, where the model has none, in the report. A model whose file is gone is
retired, unless some file is refused of which nobody can say whose it is: a policy that was renamed and broken at
once must not take its model out of service.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from controller.crashpoints import reach
from controller.domain.canonical import digest
from controller.domain.decisions import RulesRef
from controller.domain.errors import PolicyInvalid
from controller.ports import ActiveRules, Clock, RuleSource, RuleText, Store, Transaction
from controller.service.rules.active import Parse

log = logging.getLogger(__name__)

PORTION = 50
"""Models that one transaction gives other rules: at the first start of hundreds all other writers would wait."""

_Write = Callable[[Transaction], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncReport:
    """What one look at the rules did. ``refusals`` are sentences, of all refused files."""

    activated: int = 0
    refused: int = 0
    retired: int = 0
    refusals: tuple[str, ...] = ()

    @property
    def changes(self) -> int:
        """How many models have other rules now."""
        return self.activated + self.retired


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a file asks for: rules for a model, or nothing because it was refused."""

    text: RuleText
    model: str | None
    refused: str


class SyncRules:
    """Looks at the rule source; ``run_once`` makes what it holds the rules in force."""

    def __init__(self, store: Store, clock: Clock, source: RuleSource, parse: Parse) -> None:
        self._store = store
        self._clock = clock
        self._source = source
        self._parse = parse
        self._refusals: tuple[str, ...] = ()
        self._parsed: dict[tuple[str, str], tuple[str | None, str]] = {}

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why files of the last look are not in force."""
        return self._refusals

    def run_once(self) -> SyncReport:
        """Read the source once and follow it; raises Unavailable if it can't be read (nothing changes then)."""
        texts = self._source.read()
        judged = [self._judge(text) for text in texts]
        with self._store.read() as tx:
            active = {rules.model: rules for rules in tx.rules.all_active()}
            taken = {
                item.model
                for item in judged
                if item.model and item.model not in active and tx.catalog.kind(item.model) == "free"
            }
        wanted = _refuse_taken(_refuse_doubles(judged), taken)
        seen = {(text.path, text.blob) for text in texts}
        self._parsed = {key: found for key, found in self._parsed.items() if key in seen}
        report = self._follow(wanted, active)
        for sentence in report.refusals:
            if sentence not in self._refusals:
                log.warning("%s", sentence, extra={"action": "rules_refused"})
        self._refusals = report.refusals
        return report

    def _judge(self, text: RuleText) -> _Wanted:
        if text.refused and not text.text:
            return _Wanted(text, None, text.refused)
        key = (text.path, text.blob)
        if key not in self._parsed:
            self._parsed[key] = self._try(text)
        model, problem = self._parsed[key]
        return _Wanted(text, model, problem or text.refused)

    def _try(self, text: RuleText) -> tuple[str | None, str]:
        """The model that a text rules, or why it does not parse. Each text is parsed once while it is there."""
        try:
            return self._parse(text.text, text.path).model, ""
        except PolicyInvalid as error:
            return None, error.sentence()

    def _follow(self, wanted: Sequence[_Wanted], active: dict[str, ActiveRules]) -> SyncReport:
        good = {w.model: w.text for w in wanted if w.model is not None and not w.refused}
        refused = _by_model([w for w in wanted if w.refused], active)
        fresh = [m for m, text in good.items() if _differs(active.get(m), text)]
        gone = [m for m in active if m not in good and m not in refused]
        if any(w.refused for w in wanted if _model_of(w, active) is None):
            gone = []
        told = [
            model
            for model in active.keys() | set(fresh)
            if model not in gone and _refusal(active, model, fresh) != refused.get(model, "")
        ]
        writes: list[_Write] = [
            *(partial(self._activate, model=model, text=good[model]) for model in fresh),
            *(partial(self._retire, model=model, path=active[model].ref.path) for model in gone),
            *(
                partial(self._refuse, rules=active.get(m), model=m, why=refused.get(m, ""))
                for m in told
            ),
        ]
        for start in range(0, len(writes), PORTION):
            with self._store.begin() as tx:
                for write in writes[start : start + PORTION]:
                    write(tx)
                reach("rules-written")
            reach("rules-in-force")
        return SyncReport(
            activated=len(fresh),
            refused=sum(bool(w.refused) for w in wanted),
            retired=len(gone),
            refusals=tuple(dict.fromkeys(w.refused for w in wanted if w.refused)),
        )

    def _activate(self, tx: Transaction, *, model: str, text: RuleText) -> None:
        ref = RulesRef(
            path=text.path,
            blob=text.blob,
            revision=text.revision,
            review=text.review,
            reviewers=text.reviewers,
        )
        at = self._clock.now()
        tx.rules.activate(ActiveRules(model=model, ref=ref, text=text.text, activated_at=at))
        log.info(
            "rules in force: %s",
            text.path,
            extra={"action": "rules_activated", "model": model, "blob": text.blob},
        )

    def _refuse(self, tx: Transaction, *, rules: ActiveRules | None, model: str, why: str) -> None:
        tx.rules.refuse(model, why)
        self._notify(tx, rules, why)

    def _notify(self, tx: Transaction, rules: ActiveRules | None, reason: str) -> None:
        """Tell whom the rules in force want told that newer ones are refused; each reason once."""
        if rules is None or not reason:
            return
        known = digest(reason.encode())[:16]
        for channel in self._parse(rules.text, rules.ref.path).notify.get("rules_refused", ()):
            payload = {
                "channel": channel,
                "event": "rules_refused",
                "model": rules.model,
                "sentence": f"{rules.ref.path} stays as it is: {reason}",
                "decision": None,
            }
            tx.outbox.put("notify", f"rules:{rules.model}:{known}:{channel}", payload)

    def _retire(self, tx: Transaction, *, model: str, path: str) -> None:
        tx.rules.retire(model, f"{path} is gone.", self._clock.now())
        log.info("rules gone: %s", path, extra={"action": "rules_retired", "model": model})


def _refusal(active: dict[str, ActiveRules], model: str, fresh: Sequence[str]) -> str:
    """What the store says of newer rules after ``fresh`` were put in force."""
    return "" if model in fresh else active[model].refused


def _differs(active: ActiveRules | None, text: RuleText) -> bool:
    """Whether other rules (or the same with another proof) are to be put in force."""
    if active is None:
        return True
    held, proof = active.ref, (text.review, text.reviewers)
    return (held.path, held.blob) != (text.path, text.blob) or (
        held.review,
        held.reviewers,
    ) != proof


def _refuse_doubles(wanted: Sequence[_Wanted]) -> list[_Wanted]:
    """Two files for one model: neither is put in force, and both are named."""
    files: dict[str, list[str]] = defaultdict(list)
    for item in wanted:
        if item.model is not None and not item.refused:
            files[item.model].append(item.text.path)
    found = []
    for item in wanted:
        paths = files.get(item.model or "", [])
        if len(paths) > 1 and not item.refused:
            both = " and ".join(sorted(paths))
            why = f"{both} both rule the model {item.model}; keep one of them."
            found.append(_Wanted(item.text, item.model, why))
        else:
            found.append(item)
    return found


def _refuse_taken(wanted: Sequence[_Wanted], taken: Collection[str]) -> list[_Wanted]:
    """A policy must not take a free model's name: what serves it by alias or number would find something else."""
    return [
        _Wanted(item.text, item.model, item.refused or _taken(item))
        if item.model in taken
        else item
        for item in wanted
    ]


def _taken(item: _Wanted) -> str:
    return (
        f"{item.text.path} rules {item.model}, and a model of that name is here that MLflow's clients keep; rename "
        "that one first (rename_registered_model), so that its aliases and numbers go on meaning what they mean."
    )


def _model_of(item: _Wanted, active: dict[str, ActiveRules]) -> str | None:
    """A file that does not parse stands for the model that it ruled before."""
    if item.model is not None:
        return item.model
    path = item.text.path
    return next((model for model, rules in active.items() if rules.ref.path == path), None)


def _by_model(refused: Sequence[_Wanted], active: dict[str, ActiveRules]) -> dict[str, str]:
    named = ((_model_of(item, active), item.refused) for item in refused)
    return {model: reason for model, reason in named if model is not None}
