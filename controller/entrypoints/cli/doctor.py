"""`incumbent doctor`: looks at everything that must work together, and says what to do about what does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from controller.domain.errors import IncumbentError, PolicyInvalid
from controller.domain.runs import RunState
from controller.domain.signals import SignalStatus
from controller.entrypoints.cli.findings import (
    SILENT_LOOP,
    DoctorFinding,
    broker_problem,
    look_at_addresses,
    look_at_champions,
    look_at_clock,
    look_at_code,
    look_at_groups,
    look_at_home,
    look_at_messages,
    look_at_plugins,
    look_at_queues,
    look_at_signing,
)
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    Column,
    json_option,
    print_json,
    print_table,
    time_cell,
)
from controller.entrypoints.cli.session import CliSession, pass_session
from controller.ports import Query, Transaction
from controller.service.loops.leadership import who_leads

_LEAST_SPACE = 1 << 30
"""Bytes free where artifacts go; below that a disk that fills is a matter of days."""
_SLOW_START = timedelta(minutes=2)
"""After so long in the queue a run waits for a worker that is not there."""
_UNANSWERED = timedelta(minutes=1)
"""After so long a signal without an answer waits for a controller that is not there."""


def _names() -> list[str]:
    return [name for name, _ in CHECKS]


class _Check(click.ParamType[str]):
    """The name of a check."""

    name = "check"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, or a sentence that lists them all."""
        if value not in _names():
            self.fail(f"{value!r} is none of {', '.join(_names())}.", param, ctx)
        return value


@click.command()
@click.option("--only", "wanted", multiple=True, type=_Check(), help="Only this; may be repeated.")
@json_option
@pass_session
def doctor(session: CliSession, *, wanted: tuple[str, ...], as_json: bool) -> int:
    """Look at everything that must work together. Exit code 1 if something is wrong.

    What is looked at: settings, database, limits, controller, broker, worker, artifacts, rules, data, registry, work,
    messages, plugins.
    """
    chosen = [(name, check) for name, check in CHECKS if not wanted or name in wanted]
    try:
        _ = session.settings
    except IncumbentError:  # every check would say the same
        chosen = [("settings", _settings)]
    found = [finding for name, check in chosen for finding in _careful(name, check, session)]
    if as_json:
        rows = [{"name": f.name, "ok": f.ok, "sentence": f.sentence, "hint": f.hint} for f in found]
        print_json(
            {"schema_version": SCHEMA_VERSION, "ok": all(f.ok for f in found), "checks": rows}
        )
    else:
        columns = [Column("", "mark"), Column("WHAT", "name"), Column("FOUND", "said", fold=True)]
        cells = [
            {
                "mark": "ok" if f.ok else "!!",
                "name": f.name,
                "said": f"{f.sentence} {f.hint}".strip(),
            }
            for f in found
        ]
        print_table(columns, cells, "Nothing was looked at.")
    return 0 if all(f.ok for f in found) else 1


def _careful(
    name: str, check: Callable[[CliSession], Iterator[DoctorFinding]], session: CliSession
) -> Iterator[DoctorFinding]:
    """The findings of one check; what it raises is a finding too, so that one failure hides no other."""
    try:
        yield from check(session)
    except IncumbentError as error:
        yield DoctorFinding(name=name, ok=False, sentence=error.message, hint=error.hint)


def _settings(session: CliSession) -> Iterator[DoctorFinding]:
    from controller.settings import config_file

    settings, file = session.settings, config_file()
    read = f", {file} was read" if file else ""
    yield DoctorFinding(name="settings", ok=True, sentence=f"home {settings.home}{read}")
    yield from look_at_addresses(session)
    yield from look_at_home(settings)
    yield from look_at_signing(settings)


def _database(session: CliSession) -> Iterator[DoctorFinding]:
    with session.read() as tx:
        last, _ = tx.decisions.head()
        waiting = tx.signals.count_waiting()
    yield DoctorFinding(
        name="database", ok=True, sentence=f"answers: {last:,} decisions, {waiting:,} signals wait"
    )
    yield from look_at_clock(session)


def _limits(session: CliSession) -> Iterator[DoctorFinding]:
    """What a controller looks at before it says that it is ready; some of it has a check of its own."""
    from controller.bootstrap import watched
    from controller.service.loops.readiness import conditions

    for one in conditions(watched(session.settings, session.store)):
        if one.name not in {"broker", "controller", "models"}:
            yield DoctorFinding(name=one.name, ok=one.ok, sentence=one.sentence, hint=one.hint)


def _controller(session: CliSession) -> Iterator[DoctorFinding]:
    if session.given is None and session.settings.database.startswith("sqlite"):
        away = session.decides_here
        yield DoctorFinding(
            name="controller",
            ok=not away,
            sentence="does not run on this database." if away else "runs",
            hint="Start it with `incumbent up`." if away else "",
        )
        return
    if session.given is not None:
        return
    with session.read() as tx:
        lead = who_leads(tx)
    yield DoctorFinding(
        name="controller",
        ok=lead.leader is not None,
        sentence=lead.sentence(),
        hint="" if lead.leader else "Start one with `incumbent controller` or `incumbent up`.",
    )


def _broker(session: CliSession) -> Iterator[DoctorFinding]:
    settings = session.settings
    if settings.broker is None:
        from controller.adapters.celery.broker import answers

        alive = answers(settings.home)
        yield DoctorFinding(
            name="broker",
            ok=alive,
            sentence="the embedded one answers" if alive else "the embedded one does not run.",
            hint="" if alive else "`incumbent up` starts it.",
        )
        return
    wrong = broker_problem(settings.broker)
    if wrong:
        hint = "Write redis://host:6379/0 or amqp://host into INCUMBENT_BROKER_URL."
        yield DoctorFinding(name="broker", ok=False, sentence=wrong, hint=hint)
        return
    from kombu import Connection

    try:
        with Connection(settings.broker, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=3)
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        said = f"does not answer: {type(error).__name__}."
        yield DoctorFinding(
            name="broker", ok=False, sentence=said, hint="See INCUMBENT_BROKER_URL."
        )
    else:
        yield DoctorFinding(name="broker", ok=True, sentence="answers")


def _workers(session: CliSession) -> Iterator[DoctorFinding]:
    now = datetime.now(UTC)  # rows carry the store's clock, never the decision clock
    with session.read() as tx:
        rows = [row for row in tx.workers.all() if row.seen_at and now - row.seen_at < SILENT_LOOP]
    names = ", ".join(f"{row.name} ({', '.join(row.queues)})" for row in rows)
    yield DoctorFinding(
        name="worker",
        ok=bool(rows),
        sentence=f"alive: {names}" if rows else "none shows a sign of life.",
        hint="" if rows else "Start one with `incumbent worker` or `incumbent up`.",
    )
    yield from look_at_queues(session)


def _artifacts(session: CliSession) -> Iterator[DoctorFinding]:
    if "://" in session.settings.artifacts:
        yield from _remote_artifacts(session)
        return
    folder = Path(session.settings.artifacts)
    if folder.exists() and not folder.is_dir():
        hint = "Name a folder in INCUMBENT_ARTIFACTS_URL, or move the file away."
        yield DoctorFinding(
            name="artifacts", ok=False, sentence=f"{folder} is no folder.", hint=hint
        )
        return
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    enough = free >= _LEAST_SPACE
    yield DoctorFinding(
        name="artifacts",
        ok=enough,
        sentence=f"{free / 1e9:,.1f} GB free for {folder}{'' if enough else '.'}",
        hint="" if enough else "Make room, or name another place in INCUMBENT_ARTIFACTS_URL.",
    )
    yield from look_at_champions(session)


def _remote_artifacts(session: CliSession) -> Iterator[DoctorFinding]:
    try:
        session.artifacts.has("0" * 64)
    except IncumbentError as error:
        hint = "See INCUMBENT_ARTIFACTS_URL and the credentials of the store."
        yield DoctorFinding(name="artifacts", ok=False, sentence=error.message, hint=hint)
    else:
        yield DoctorFinding(name="artifacts", ok=True, sentence="the store answers")


def _rules(session: CliSession) -> Iterator[DoctorFinding]:
    with session.read() as tx:
        active = tx.rules.all_active()
        errors = [(s.model, s.error) for s in tx.models.all() if s.error]
        newest = next(iter(tx.reviews.latest(limit=1)), None)
    if newest is not None and not newest.proven:
        said = f"{newest.revision[:10]} is not in force: {newest.reason}"
        hint = "`incumbent review show` has the evidence."
        yield DoctorFinding(name="review of rules", ok=False, sentence=said, hint=hint)
    elif not active:
        hint = f"Put a policy into {session.settings.rules}; `incumbent init` writes one."
        yield DoctorFinding(name="rules", ok=False, sentence="no policy is in force.", hint=hint)
    for rules in active:
        refused = f"a newer revision is refused: {rules.refused}" if rules.refused else ""
        sentence = refused or f"{rules.ref.path} in force, blob {rules.ref.blob[:12]}"
        yield DoctorFinding(name=f"rules of {rules.model}", ok=not refused, sentence=sentence)
    for model, error in errors:
        yield DoctorFinding(
            name=f"engine for {model}",
            ok=False,
            sentence=f"the model is stopped by an error, nothing is decided for it: {error}",
            hint="It is tried again every 30 s. A rollback, a hold and `incumbent signals dismiss` work meanwhile.",
        )
    yield from look_at_groups(session)
    yield from look_at_code(session)


def _sources(session: CliSession) -> Iterator[DoctorFinding]:
    with session.read() as tx:
        states = tx.sources.all()
    for state in states:
        name = f"data of {state.model}"
        looked = f"last looked {time_cell(state.checked_at)} UTC"
        if state.error:
            since = f", last good {time_cell(state.good_at)} UTC" if state.good_at else ""
            said = f"{state.error} ({state.failures} failures in a row{since})"
            yield DoctorFinding(name=name, ok=False, sentence=said)
        elif not state.problems:
            yield DoctorFinding(name=name, ok=True, sentence=f"{state.source} answers, {looked}")
        for problem in state.problems:
            yield DoctorFinding(name=name, ok=False, sentence=problem)


def _work(session: CliSession) -> Iterator[DoctorFinding]:
    now = session.now()
    with session.read() as tx:
        stuck = [
            run
            for run in tx.runs.find(Query(states=(RunState.QUEUED.value,)))
            if now - run.ordered_at > _SLOW_START
        ]
        resting = {state.model for state in tx.models.all() if state.error}
        letters = list(_unsent(tx))
        unanswered = [
            signal
            for signal in tx.signals.find(Query(states=(SignalStatus.OPEN.value,)))
            if now - signal.received_at > _UNANSWERED and signal.model not in resting
        ]
    for signal in unanswered:
        yield DoctorFinding(
            name=f"signal {signal.id}",
            ok=False,
            sentence=f"has no answer since {signal.received_at:%Y-%m-%d %H:%M} UTC: no controller decides.",
            hint="Start one with `incumbent controller` or `incumbent up`.",
        )
    for run in stuck:
        yield DoctorFinding(
            name=f"run {run.id}",
            ok=False,
            sentence=f"waits since {run.ordered_at:%Y-%m-%d %H:%M} UTC for a worker of queue {run.spec.queue}.",
            hint="Start one with `incumbent worker`.",
        )
    for topic, key, error in letters:
        yield DoctorFinding(
            name=f"{topic} {key}", ok=False, sentence=f"could not be delivered: {error}"
        )
    if not stuck and not letters and not unanswered:
        yield DoctorFinding(name="work", ok=True, sentence="nothing is stuck")


def _unsent(tx: Transaction) -> Iterator[tuple[str, str, str]]:
    for letter in tx.outbox.failing():
        yield letter.topic, letter.key, letter.last_error


def _asks_to_adopt(session: CliSession) -> list[str]:
    """The policies in force that want a power which the server does not give."""
    with session.read() as tx:
        active = tx.rules.all_active()
    found = []
    for rules in active:
        try:
            policy = session.parse_rules(rules.text, rules.ref.path)
        except PolicyInvalid:
            continue  # the check of the rules names it
        if policy.registry.moved_elsewhere == "adopt":
            found.append(rules.ref.path)
    return found


def _registry(session: CliSession) -> Iterator[DoctorFinding]:
    """The team's own registry: does it answer, and is the champion there where we left it?"""
    place = session.settings.registry
    if place is None:
        yield DoctorFinding(
            name="registry", ok=True, sentence="our own; none of a team is followed"
        )
        return
    with session.read() as tx:
        rows = [row for row in tx.publications.all() if row.place == place]
    for row in rows:
        if row.error:
            hint = "It is tried again by itself; decisions go on meanwhile."
            yield DoctorFinding(
                name=f"registry {row.model}", ok=False, sentence=row.error, hint=hint
            )
        if row.drift:
            hint = (
                f"`incumbent release {row.model}` writes ours again, `incumbent promote {row.model} V`"
                " takes theirs over."
            )
            yield DoctorFinding(
                name=f"registry {row.model}", ok=False, sentence=row.drift, hint=hint
            )
    refused = [] if session.settings.registry_adopt else _asks_to_adopt(session)
    for path in refused:
        yield DoctorFinding(
            name=f"registry {path}",
            ok=False,
            sentence=f"{path} asks to adopt what others move over there, and this server forbids it: it holds instead",
            hint="Write `moved_elsewhere: hold` there, or set INCUMBENT_REGISTRY_ADOPT=true.",
        )
    if not refused and not any(row.error or row.drift for row in rows):
        yield DoctorFinding(
            name="registry", ok=True, sentence=f"{place} has {len(rows)} models of ours"
        )


CHECKS: tuple[tuple[str, Callable[[CliSession], Iterator[DoctorFinding]]], ...] = (
    ("settings", _settings),
    ("database", _database),
    ("limits", _limits),
    ("controller", _controller),
    ("broker", _broker),
    ("worker", _workers),
    ("artifacts", _artifacts),
    ("rules", _rules),
    ("data", _sources),
    ("registry", _registry),
    ("work", _work),
    ("messages", look_at_messages),
    ("plugins", look_at_plugins),
)
"""What is looked at, in the order in which a cause comes before its effects."""
