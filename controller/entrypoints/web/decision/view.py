"""The decision page's content: everything that a reviewer needs within a minute, from what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from controller.domain import codec
from controller.domain.canonical import to_plain
from controller.domain.decisions import DecisionRecord
from controller.domain.errors import IncumbentError
from controller.domain.rules import Policy
from controller.domain.snapshot import BudgetView
from controller.domain.versions import Version
from controller.entrypoints.api.context import AppContext
from controller.entrypoints.web.decision.buttons import buttons
from controller.entrypoints.web.decision.gates import gate_rows, tally
from controller.entrypoints.web.decision.panel import judged_evaluation, panel_of
from controller.entrypoints.web.decision.sides import side_by_side
from controller.policy.budget import wealth_words
from controller.policy.triggers import WATCHED_SIGNALS
from controller.ports import Transaction
from controller.service.commands.access import Person, standing_in
from controller.service.commands.submit import owner_of
from controller.service.explain.decision import as_document, describe_signal, explain_decision
from controller.service.explain.decision_progress import decision_progress
from controller.service.explain.provenance import provenance
from controller.service.replay.flips import flips
from controller.service.replay.verify import Verifier
from controller.service.replay.what_if import otherwise


def decision_view(
    tx: Transaction, app_context: AppContext, record: DecisionRecord, person: Person
) -> dict[str, Any]:
    """What the template shows, in the order that it shows it."""
    document = as_document(explain_decision(tx, record))
    text = tx.rules.text(record.rules.blob) or ""
    policy = _policy(app_context, text, record.rules.path)
    judged = next((n for n in document["tree"]["children"] if n["name"] == "promote"), None)
    challenger = _version(tx, record.model, document["challenger"])
    champion = _version(tx, record.model, document["champion_before"])
    rows = list(gate_rows(judged["children"], policy)) if judged else []
    return {
        "d": document,
        "tally": tally(rows) if rows else "",
        "stages": decision_progress(tx, record, policy, app_context.clock.now()),
        "steps": list(_chain(tx, document, challenger)),
        "judged": judged if judged and judged["children"] else None,
        "gates": rows,
        "wealth": _wealth(record, policy, judged),
        "panel": panel_of(judged_evaluation(record, document["challenger"])),
        "subjects": side_by_side(tx, app_context, champion, challenger),
        "challenger": challenger,
        "champion": champion,
        "drift": _drift(record),
        "rule_lines": list(_rule_lines(text, document["tree"])),
        "review": provenance(tx, record.rules),
        "flips": flips(record, policy) if policy and judged else [],
        "otherwise": otherwise(tx, record, policy, app_context.parse) if policy and judged else [],
        "buttons": list(
            buttons(tx, app_context, document, challenger, _standing_in(tx, app_context, person))
        ),
        "verification": Verifier(tx, app_context.parse, app_context.blob_id).one(record.id),
        "trail": _trail(tx, record, challenger),
        "comments": tx.comments.of(f"decision:{record.id}"),
        "may_comment": person.why_not("comment", owner_of(tx, record.model, app_context.parse)),
    }


def _standing_in(tx: Transaction, app_context: AppContext, person: Person) -> Person:
    return standing_in(tx, person, app_context.settings.groups, app_context.clock.now())


def _policy(app_context: AppContext, text: str, path: str) -> Policy | None:
    try:
        return app_context.parse(text, path)
    except (IncumbentError, KeyError):
        return None


def _version(tx: Transaction, model: str, number: int | None) -> Version | None:
    if number is None:
        return None
    found = tx.registry.versions(model, numbers=(number,))
    return found[0] if found else None


def _wealth(record: DecisionRecord, policy: Policy | None, judged: Mapping[str, Any] | None) -> str:
    """The error budget's book as the decision saw it, in words; empty without a budget."""
    level = judged["values"].get("alpha") if judged else None
    if policy is None or policy.error_budget is None or level is None:
        return ""
    book = codec.load_plain(BudgetView, json.loads(record.snapshot)["budget"])
    return wealth_words(policy.error_budget, book, level)


# --- the chain ---------------------------------------------------------------------------------------------


def _chain(
    tx: Transaction, document: Mapping[str, Any], challenger: Version | None
) -> Iterator[dict[str, Any]]:
    """Signal → run → challenger → gates → action, as far as this decision has them."""
    run = tx.runs.get(challenger.run) if challenger else None
    causes = [n for cause in run.spec.causes for n in cause.signals] if run else []
    signals = [s for n in causes[:3] if (s := tx.signals.get(n))]
    told = [(s.id, describe_signal(to_plain(s)), s.actor) for s in signals]
    if not told:
        told = [(s["id"], describe_signal(s), s["actor"]) for s in document["signals"][:3]]
    for number, words, actor in told[:1]:
        more = f" and {len(told) - 1} more" if len(told) > 1 else ""
        yield _step("Signal", words + more, f"signals/{number}", actor)
    if run is not None:
        yield _step(
            "Run", f"{run.id} {run.state.value}", f"runs/{run.id}", f"recipe {run.spec.recipe}"
        )
    if challenger is not None:
        yield _step(
            "Challenger",
            f"v{challenger.number}",
            f"models/{challenger.model}",
            challenger.digest[:12],
        )
    gates: list[dict[str, Any]] = next(
        (n["children"] for n in document["tree"]["children"] if n["name"] == "promote"), []
    )
    if gates:
        passed = sum(g["result"] == "pass" for g in gates)
        yield _step("Gates", f"{passed} of {len(gates)} passed", "#gates", "")
    yield _step("Action", _done(document), None, "")


def _step(what: str, title: str, href: str | None, note: str) -> dict[str, Any]:
    return {"what": what, "title": title, "href": href, "note": note}


def _done(document: Mapping[str, Any]) -> str:
    kinds = {action["kind"] for action in document["actions"]}
    if "set_champion" in kinds:
        return f"v{document['champion_after']} became champion"
    stages = [a for a in document["actions"] if a["kind"] == "advance_rollout"]
    if stages:
        return f"v{stages[0]['version']} entered stage {stages[0]['stage'] + 1} of its rollout"
    runs = [a["run"] for a in document["actions"] if a["kind"] == "start_run"]
    if runs:
        return f"ordered {runs[0]}"
    moved = [a for a in document["actions"] if a["kind"] == "move_version"]
    return f"v{moved[0]['version']} is {moved[0]['after']}" if moved else "nothing was changed"


_SAID = {
    "approve": "approved",
    "reject": "rejected",
    "withdraw": "took the approval back of",
    "request": "asked people about",
    "cancel_request": "asks nobody any more about",
    "escalate": "asked more people about",
}


# --- rules, drift, trail -----------------------------------------------------------------------------------


def _rule_lines(text: str, tree: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    results = dict(_results(tree))
    for number, line in enumerate(text.splitlines(), 1):
        yield {"number": number, "text": line, "result": results.get(number, "")}


def _results(node: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    if node.get("line"):
        yield node["line"], node["result"]
    for child in node["children"]:
        yield from _results(child)


def _drift(record: DecisionRecord) -> list[dict[str, Any]]:
    found = json.loads(record.snapshot)["signals"]
    return [s for s in found if s["kind"] in WATCHED_SIGNALS]


def _trail(
    tx: Transaction, record: DecisionRecord, challenger: Version | None
) -> list[dict[str, Any]]:
    """Who did what and when, about this challenger, oldest first, with what people said."""
    rows: list[dict[str, Any]] = []

    def add(at: Any, actor: str, what: str, decision: int | None = None) -> None:
        rows.append({"at": at, "actor": actor, "what": what, "decision": decision})

    for comment in tx.comments.of(f"decision:{record.id}"):
        add(comment.at, comment.actor, f"said: {comment.text[:200]}")
    if challenger is None:
        add(record.decided_at, record.actor, "decided", record.id)
        return sorted(rows, key=lambda row: row["at"])
    number = challenger.number
    for fact in tx.facts.of(record.model, number):
        what = f"{fact.before} → {fact.after}" if fact.before else f"entered as {fact.after}"
        add(fact.at, fact.actor, f"v{number} {what}", fact.decision)
    for word in tx.models.approvals(record.model):
        if word.version == number:
            instead = f" for {word.behalf}" if word.behalf else ""
            add(word.at, word.actor, f"{_SAID[word.word]} v{number}{instead}: {word.reason}")
    return sorted(rows, key=lambda row: row["at"])
