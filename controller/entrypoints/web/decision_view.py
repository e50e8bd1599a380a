"""The decision page's content: everything that a reviewer needs within a minute, from what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from controller.domain.canonical import digest, to_plain
from controller.domain.decisions import DecisionRecord
from controller.domain.errors import IncumbentError
from controller.domain.metrics import is_lower_better
from controller.domain.rules import Comparison, Gate, Policy
from controller.domain.versions import Version, VersionState
from controller.entrypoints.api.desk import Desk
from controller.entrypoints.web.charts import Interval, Scale, interval_svg, scale_of
from controller.policy.phrase import need
from controller.ports import Transaction
from controller.service.access import Person
from controller.service.explain import as_document, describe_signal, explain
from controller.service.verify import Verifier
from controller.service.what_if import otherwise
from controller.service.words import askers, owner_of

_SHOWN_DIFFERENCES = 60


def decision_view(
    tx: Transaction, desk: Desk, record: DecisionRecord, person: Person
) -> dict[str, Any]:
    """What the template shows."""
    document = as_document(explain(tx, record))
    text = tx.rules.text(record.rules.blob) or ""
    policy = _policy(desk, text, record.rules.path)
    judged = next((n for n in document["tree"]["children"] if n["name"] == "promote"), None)
    state = tx.models.state(record.model)
    challenger = _version(tx, record.model, document["challenger"])
    champion = _version(tx, record.model, document["champion_before"])
    return {
        "d": document,
        "judged": judged if judged and judged["children"] else None,
        "gates": list(_gates(judged["children"], policy)) if judged else [],
        "steps": list(_chain(tx, document, challenger)),
        "challenger": challenger,
        "champion": champion,
        "differences": _differences(tx, desk, champion, challenger),
        "rule_lines": list(_rule_lines(text, document["tree"])),
        "review": tx.reviews.get(record.rules.review) if record.rules.review else None,
        "otherwise": otherwise(tx, record, policy, desk.parse) if policy and judged else [],
        "verification": Verifier(tx, desk.parse, desk.blob_id).one(record.id),
        "buttons": list(_buttons(tx, desk, document, person)),
        "trail": _trail(tx, record, challenger),
        "comments": tx.comments.of(f"decision:{record.id}"),
        "may_comment": person.why_not("comment", owner_of(tx, record.model, desk.parse)),
        "state": state,
        "drift": _drift(record),
    }


def _policy(desk: Desk, text: str, path: str) -> Policy | None:
    try:
        return desk.parse(text, path)
    except (IncumbentError, KeyError):
        return None


def _version(tx: Transaction, model: str, number: int | None) -> Version | None:
    if number is None:
        return None
    found = tx.registry.versions(model, numbers=(number,))
    return found[0] if found else None


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
    yield _step("Decision", document["verdict"], None, _done(document))


def _step(what: str, title: str, href: str | None, note: str) -> dict[str, Any]:
    return {"what": what, "title": title, "href": href, "note": note}


def _done(document: Mapping[str, Any]) -> str:
    kinds = {action["kind"] for action in document["actions"]}
    if "set_champion" in kinds:
        return f"v{document['champion_after']} took the seat"
    runs = [a["run"] for a in document["actions"] if a["kind"] == "start_run"]
    if runs:
        return f"ordered {runs[0]}"
    moved = [a for a in document["actions"] if a["kind"] == "move_version"]
    return f"v{moved[0]['version']} is {moved[0]['after']}" if moved else "nothing was changed"


# --- gates -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A gate, or a slice of one, ready to be shown."""

    name: str
    result: str
    sentence: str
    values: Mapping[str, Any]
    line: int | None = None
    needed: str = ""
    dry_run: bool = False
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    chart: Markup = Markup()  # noqa: RUF009 - immutable
    slices: tuple[Row, ...] = ()
    threshold: float | None = None


_WORST = {"error": 0, "no data": 0, "fail": 1, "inconclusive": 2, "pass": 3, "skipped": 4}


def _gates(nodes: list[dict[str, Any]], policy: Policy | None) -> Iterator[Row]:
    by_name = {gate.name: gate for gate in policy.promote} if policy else {}
    for node in nodes:
        gate = by_name.get(node["name"])
        whole = _interval(node, gate)
        parts = [(child, _interval(child, gate)) for child in node["children"]]
        shown = [i for i in (whole, *(i for _, i in parts)) if i is not None]
        scale = scale_of(shown)
        slices = sorted(
            (_row(child, gate, interval, scale) for child, interval in parts),
            key=lambda row: (_WORST.get(row.result, 3), row.low if row.low is not None else 0.0),
        )
        yield _row(
            node, gate, whole, scale_of([whole]) if whole and not parts else scale, tuple(slices)
        )


def _interval(node: Mapping[str, Any], gate: Gate | None) -> Interval | None:
    """On the scale of the gain: the margin is what theta leaves between the gain and zero."""
    values = node["values"]
    if gate is None or values.get("challenger") is None:
        return None
    sign = -1.0 if is_lower_better(gate.metric, higher_is_better=gate.higher_is_better) else 1.0
    if gate.threshold is not None:
        sign = -1.0 if gate.comparison is Comparison.AT_MOST else 1.0
        room = sign * (values["challenger"] - gate.threshold)
        return Interval(point=room, need=0.0, result=node["result"])
    if values.get("difference") is None:
        return None
    gain, theta = sign * values["difference"], values.get("theta")
    ends = [
        sign * values[k] for k in ("interval_low", "interval_high") if values.get(k) is not None
    ]
    return Interval(
        point=gain,
        need=gain + theta if theta is not None else 0.0,
        low=min(ends) if len(ends) == 2 else None,
        high=max(ends) if len(ends) == 2 else None,
        result=node["result"],
    )


def _row(
    node: Mapping[str, Any],
    gate: Gate | None,
    interval: Interval | None,
    scale: Scale,
    slices: tuple[Row, ...] = (),
) -> Row:
    values = node["values"]
    chart = Markup()
    if interval is not None:
        bounds = (
            f", bounds {interval.low:.4g} to {interval.high:.4g}"
            if interval.low is not None and interval.high is not None
            else ""
        )
        words = f"{node['name']}: gain {interval.point:.4g}{bounds}, needed {interval.need:.4g}: {node['result']}"
        chart = interval_svg(interval, scale, words)
    no_data = node["result"] == "error" and values.get("challenger") is None
    return Row(
        name=node["name"],
        result="no data" if no_data else node["result"],
        sentence=node["sentence"],
        values=values,
        line=node.get("line"),
        needed=need(gate) if gate else "",
        dry_run=bool(gate and gate.dry_run),
        gain=interval.point if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        margin=interval.need if interval else None,
        chart=chart,
        slices=slices,
        threshold=gate.threshold if gate else None,
    )


# --- side by side ------------------------------------------------------------------------------------------


def _differences(
    tx: Transaction, desk: Desk, champion: Version | None, challenger: Version | None
) -> list[dict[str, Any]]:
    """Champion and challenger side by side: data, parameters, code, environment; what differs comes first."""
    if challenger is None:
        return []
    left = _facts(tx, desk, champion) if champion else {}
    right = _facts(tx, desk, challenger)
    rows = [
        {
            "what": key,
            "champion": left.get(key),
            "challenger": right.get(key),
            "differs": left.get(key) != right.get(key),
        }
        for key in dict.fromkeys((*right, *left))
    ]
    about = [row for row in rows if not str(row["what"]).startswith("packages.")]
    packages = [row for row in rows if str(row["what"]).startswith("packages.") and row["differs"]]
    return [*about, *packages][:_SHOWN_DIFFERENCES]


def _facts(tx: Transaction, desk: Desk, version: Version) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "version": f"v{version.number}",
        **{f"metric {name}": value for name, value in sorted(version.metrics.items())},
        "data up to batch": version.data_through,
        "recipe": version.recipe,
    }
    run = tx.runs.get(version.run)
    if run is not None:
        spec = run.spec
        facts |= {"entry point": spec.entrypoint or " ".join(spec.command or ()), "seed": spec.seed}
        facts |= {"window": str(spec.window) if spec.window else None}
        facts |= {f"parameter {k}": v for k, v in sorted(to_plain(spec.params).items())}
    facts |= {"artifact": version.digest[:12], "size (bytes)": version.size, "trained": version.run}
    return facts | _lineage(desk, version)


def _lineage(desk: Desk, version: Version) -> dict[str, Any]:
    if version.lineage is None or desk.artifacts is None:
        return {}
    try:
        kept = json.loads(desk.artifacts.read_bytes(version.lineage))
    except (IncumbentError, ValueError, OSError):
        return {}
    return dict(_flat(kept)) if isinstance(kept, dict) else {}


def _flat(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{before}{key}.")
        elif isinstance(inner, (str, int, float)) and len(str(inner)) <= 120:
            yield f"{before}{key}", inner


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
    return [s for s in found if s["kind"] in {"drift", "decay", "skew"}]


def _trail(
    tx: Transaction, record: DecisionRecord, challenger: Version | None
) -> list[dict[str, Any]]:
    """Who did what and when, about this challenger, oldest first."""
    rows: list[dict[str, Any]] = []
    if challenger is None:
        rows.append(
            {
                "at": record.decided_at,
                "actor": record.actor,
                "what": "decided",
                "decision": record.id,
            }
        )
        return rows
    number = challenger.number
    for fact in tx.facts.of(record.model, number):
        what = f"{fact.before} → {fact.after}" if fact.before else f"entered as {fact.after}"
        rows.append(
            {
                "at": fact.at,
                "actor": fact.actor,
                "what": f"v{number} {what}",
                "decision": fact.decision,
            }
        )
    for word in tx.models.approvals(record.model):
        if word.version == number:
            said = "approved" if word.agrees else "rejected"
            rows.append(
                {
                    "at": word.at,
                    "actor": word.actor,
                    "what": f"{said} v{number}: {word.reason}",
                    "decision": None,
                }
            )
    return sorted(rows, key=lambda row: row["at"])


# --- buttons -----------------------------------------------------------------------------------------------


def _buttons(
    tx: Transaction, desk: Desk, document: Mapping[str, Any], person: Person
) -> Iterator[dict[str, Any]]:
    """What can be done now about what this decision is about; a button that is off says why."""
    model = document["model"]
    owner = owner_of(tx, model, desk.parse)
    state = tx.models.state(model)
    challenger = _version(tx, model, document["challenger"])
    if challenger is not None and challenger.state in {
        VersionState.CHALLENGER,
        VersionState.CANDIDATE,
    }:
        yield from _about_challenger(tx, document, challenger, person, owner)
    if document["verdict"] == "promote" and state.champion == document["champion_after"]:
        yield _button(
            "rollback", f"Roll back v{state.champion}",
            "The seat goes back to the last champion the policy trusts, once it is proven to answer.",
            person.why_not("rollback", owner), "danger", expect_version=state.champion,
        )  # fmt: skip
    if state.hold is None:
        yield _button(
            "hold", "Hold", f"Automatic promotion of {model} rests until somebody releases it.",
            person.why_not("hold", owner), "quiet",
        )  # fmt: skip
    else:
        yield _button(
            "release", "Release", f"Ends the hold by {state.hold.actor}: {state.hold.reason}",
            person.why_not("release", owner), "quiet",
        )  # fmt: skip


def _about_challenger(
    tx: Transaction,
    document: Mapping[str, Any],
    challenger: Version,
    person: Person,
    owner: str | None,
) -> Iterator[dict[str, Any]]:
    number = challenger.number
    evaluation = tx.registry.evaluations(challenger.model, (number,)).get(number)
    present = digest(evaluation) if evaluation else None
    judged = next((n for n in document["tree"]["children"] if n["name"] == "promote"), None)
    seen = judged["values"].get("evidence") if judged else None
    why = person.why_not("approve", owner)
    if not why and present is None:
        why = "There is no evidence yet."
    if not why and seen != present:
        why = "The evidence has changed since this decision; approve on the newer one."
    if not why and person.actor in askers(tx, challenger.model, number):
        why = "You asked for this training; somebody else has to approve it."
    yield _button(
        "approve", f"Approve v{number}",
        f"v{number} takes the seat once enough people agree. Counts for the evidence {(present or '')[:12]} only.",
        why, "primary", version=number, evidence=present,
    )  # fmt: skip
    yield _button(
        "reject", f"Reject v{number}", f"v{number} is sent away for good; the champion stays.",
        person.why_not("reject", owner), "danger", version=number,
    )  # fmt: skip
    yield _button(
        "promote", f"Promote v{number} by hand", "Seats it whatever its gates said; recorded with your name.",
        person.why_not("promote", owner), "quiet", version=number,
    )  # fmt: skip


def _button(
    word: str, label: str, effect: str, why_not: str, style: str, **fields: Any
) -> dict[str, Any]:
    return {
        "word": word,
        "label": label,
        "effect": effect,
        "why_not": why_not,
        "style": style,
        "fields": {k: v for k, v in fields.items() if v is not None},
    }
