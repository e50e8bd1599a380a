"""Writes what was told to a folder: the time line, the messages, the figures, the trace, the answers of commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.incident.acts import Record
from scripts.incident.scene import RULES, Scene
from tests.support.collector import Got

_HEAD = """\
# An incident, as the system told it

This page and the files beside it are written by `python -m scripts.incident`; nobody edited them. A test plays the
incident anew. The database, engine, polling, outbox, messages, metrics, traces and commands are the real ones, in
simulated time; the warehouse and the worker are played, with the figures that the script gives. Mail went to a real
SMTP server, chat to a webhook like Slack's, the pager got signed CloudEvents, whose signatures were checked; spans went
to a collector over OTLP.

The rules:

```yaml
{rules}```

## Time line

| time (UTC) | who | what |
|---|---|---|
"""


def write(folder: Path, scene: Scene, record: Record) -> None:
    """The page and its files."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_HEAD.format(rules=RULES)]
    parts += [f"| {at:%m-%d %H:%M} | {who} | {_cell(what)} |\n" for at, who, what in scene.line]
    parts += ["\n## Figures after each act\n\n", *_figures(record.figures)]
    parts += [
        "\n## One trace: from the late data to the champion\n\n```text\n",
        *_trace(record.trace),
        "```\n",
    ]
    parts += ["\n## Messages\n\n", *_messages(scene)]
    parts += ["\n## What was asked\n\n"]
    parts += [
        f"```console\n{asked}\n{answer.rstrip()}\n```\n\n" for asked, answer in record.answers
    ]
    text = "".join(parts).rstrip() + "\n"
    (folder / "index.md").write_text(_steady(text), encoding="utf-8")
    events = [
        _steady(json.dumps(hit.json, indent=1, ensure_ascii=False)) for hit in scene.hook.hits
    ]
    (folder / "pager.json").write_text("[\n" + ",\n".join(events) + "\n]\n", encoding="utf-8")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _figures(rows: list[tuple[str, Mapping[str, float]]]) -> Iterator[str]:
    names = sorted({name for _, seen in rows for name in seen if "seconds" not in name})
    yield f"| series | {' | '.join(str(number) for number in range(1, len(rows) + 1))} |\n"
    yield f"|---|{'---|' * len(rows)}\n"
    for name in names:
        values = [seen.get(name) for _, seen in rows]
        if len(set(values)) > 1:
            cells = ["" if value is None else f"{value:g}" for value in values]
            yield f"| `{name}` | {' | '.join(cells)} |\n"
    yield "\n" + "".join(f"{number}. {said}\n" for number, (said, _) in enumerate(rows, 1))


def _trace(spans: list[Got]) -> Iterator[str]:
    """The tree, each span below its parent, with minutes since the beginning."""
    begin = spans[0].start
    known = {span.span for span in spans}

    def below(parent: str, depth: int) -> Iterator[str]:
        for span in spans:
            if span.parent == parent or (not parent and span.parent not in known):
                minutes = (span.start - begin) / 60e9
                words = f"{'  ' * depth}{span.name}"
                detail = span.attributes.get("incumbent.run") or span.attributes.get(
                    "incumbent.decision", ""
                )
                yield f"{minutes:7.1f} min  {words:<44} {detail}\n"
                yield from below(span.span, depth + 1)

    yield f"trace {spans[0].trace}\n"
    yield from below("", 0)


def _messages(scene: Scene) -> Iterator[str]:
    for mail, text in zip(scene.mail.mails, scene.mail.texts, strict=True):
        yield f"Mail: **{mail['subject']}**\n\n```text\n{text.strip()}\n```\n\n"
    for hit in scene.chat.hits:
        yield f"Chat: **{hit.json['title']}**\n\n```text\n{hit.json['message'].strip()}\n```\n\n"
    for hit in scene.hook.hits:
        data = hit.json["data"]
        yield f"Pager, signed `{hit.headers['webhook-signature'][:12]}...`: **{data['subject']}**\n\n"
        yield f"```text\n{data['notices'][0]['sentence']}\n```\n\n"
    yield "The pager's events in full: [pager.json](pager.json).\n"


def _steady(text: str) -> str:
    """What differs from run to run is cut short: signatures of links and of events."""
    text = re.sub(r"(go\?to=[\w-]{8})[\w.=-]*", r"\1...", text)
    return re.sub(r"v1,[\w+/]{9}", "v1,", text)
