"""`incumbent explain`: one screen about one decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from controller.domain.canonical import to_plain
from controller.entrypoints.cli.interval import interval_line
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    json_option,
    print_json,
    style,
)
from controller.entrypoints.cli.session import CliSession, pass_session
from controller.ports import Transaction
from controller.service.deciding.causes import posted_by

_COLOUR = {
    "pass": "green",
    "firing": "green",
    "done": "green",
    "fail": "red",
    "error": "red",
    "inconclusive": "yellow",
    "pending": "yellow",
    "blocked": "yellow",
}
_WIDTH = 12


@click.command()
@click.argument("name")
@json_option
@pass_session
def explain(session: CliSession, name: str, as_json: bool) -> None:
    """Show what happened, why, and what was done.

    NAME is a decision's number, signal:ID, a run's id, or a model: its newest decision, and what
    could happen next.
    """
    from controller.service.explain.decision import as_document, explain_decision, find_decision

    with session.read() as tx:
        document = as_document(explain_decision(tx, find_decision(tx, name)))
        if document["model"] == name:
            document["outlook"] = _outlook(session, tx, name)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, **document})
        return
    for line in screen(document):
        click.echo(line)


def _outlook(session: CliSession, tx: Transaction, model: str) -> dict[str, Any] | None:
    from controller.service.explain.forecast import outlook

    found = outlook(tx, session.parse_rules, model, session.now())
    return None if found is None else to_plain(found)


def screen(document: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the screen."""
    yield _headline(document)
    yield document["reason"]
    yield from _section("Why", _why(document))
    yield from _section("Caused by", _causes(document))
    yield from _section("Done", (_action(action) for action in document["actions"]))
    yield from _section("Rules", _rules(document))
    yield from _section("Record", _record(document))
    if document.get("outlook"):
        yield from _section("What could happen next", _next(document["outlook"], document))


def _headline(document: Mapping[str, Any]) -> str:
    at = document["decided_at"][:16].replace("T", " ")
    verdict = style(document["verdict"].upper(), bold=True)
    by = "" if document["actor"] == "system" else f"  by {document['actor']}"
    by += posted_by(document["caused_by"])
    return f"{verdict}  decision {document['id']}  {document['model']}  {at} UTC{by}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield style(title, bold=True)
        yield from (f"  {line}" for line in found)


def _why(document: Mapping[str, Any]) -> Iterator[str]:
    for node in document["tree"]["children"]:
        yield from _node(node, document, 0)


def _node(node: Mapping[str, Any], document: Mapping[str, Any], depth: int) -> Iterator[str]:
    """One line a node: its result, its name, the sentence with the compared values, and where the rule stands."""
    result = style(f"{node['result']:<{_WIDTH}}", fg=_COLOUR.get(node["result"]))
    place = f"  ({document['rules']['path']}:{node['line']})" if node.get("line") else ""
    # The leading reason's sentence is the headline already.
    said = "" if node["sentence"] == document["reason"] else f": {node['sentence']}"
    yield f"{'  ' * depth}{result} {node['name']}{said}{place}"
    plot = interval_line(node.get("values") or {})
    if plot is not None:
        yield f"{'  ' * depth}{' ' * _WIDTH} {plot}"
    for child in node["children"]:
        yield from _node(child, document, depth + 1)


def _causes(document: Mapping[str, Any]) -> Iterator[str]:
    from controller.service.explain.decision import describe_signal

    for signal in document["signals"]:
        answer = signal["answer"]
        told = "" if answer["reason"] == document["reason"] else f": {answer['reason']}"
        yield f"signal {signal['id']}  {describe_signal(signal)}  -> {answer['status']}{told}"
    for step in document["led_by"]:
        yield f"decision {step['decision']}  {step['reason']}"


def _action(action: Mapping[str, Any]) -> str:
    kind = action["kind"]
    if kind == "start_run":
        spec = action["spec"]
        return f"ordered {action['run']} ({spec['kind']}, recipe {spec['recipe']}, seed {spec['seed']})"
    if kind == "register_version":
        return (
            f"registered v{action['version']} of {action['run']}, artifact {action['digest'][:12]}"
        )
    if kind == "move_version":
        return f"v{action['version']}: {action['before']} -> {action['after']}"
    if kind == "set_champion":
        how = (
            f"replaced v{action['previous']} as champion"
            if action["previous"]
            else "is the first champion"
        )
        return f"v{action['version']} {how}, generation {action['generation'] + 1}"
    if kind == "advance_rollout":
        share = f"{action['traffic']:.0%} of the traffic" if action["traffic"] else "in shadow"
        return f"v{action['version']} entered stage {action['stage'] + 1} of its rollout: {share}"
    if kind == "record_evaluation":
        return f"kept the evaluation {action['evaluation']['run']} of v{action['evaluation']['version']}"
    if kind == "notify":
        return f"told {', '.join(action['channels'])}: {action['event']}"
    plain = (f"{key} {value}" for key, value in action.items() if key != "kind" and value != "")
    return f"{kind.replace('_', ' ')}: {', '.join(plain)}"


def _rules(document: Mapping[str, Any]) -> Iterator[str]:
    rules = document["rules"]
    at = f" at revision {rules['revision'][:12]}" if rules["revision"] else ""
    reviewed = (
        f", reviewed by {', '.join(rules['reviewers'])}" if rules["reviewers"] else ", unreviewed"
    )
    yield f"{rules['path']}{at}, blob {rules['blob'][:12]}{reviewed}"
    for line, text in document["rule_lines"].items():
        yield f"{line:>4} | {text}"


def _next(outlook: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    for node in outlook["triggers"]:
        yield from _node(node, document, 0)
    yield f"now: {outlook['sentence']}"
    if outlook["wake_at"]:
        yield f"checked again at {outlook['wake_at'][:16].replace('T', ' ')} UTC without any news"


def _record(document: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"hash {document['hash'][:12]} after {document['prev_hash'][:12]}, engine version {document['code']}; "
        f"check it with `incumbent verify {document['id']}`"
    )
