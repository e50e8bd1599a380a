"""What `incumbent doctor` finds beyond what answers: settings, rules and places that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from controller import __version__
from controller.domain.errors import IncumbentError, PolicyInvalid
from controller.domain.marks import UNSIGNED
from controller.domain.rules import Policy
from controller.entrypoints.cli.session import CliSession
from controller.ports import DeliveryQuery, DeliveryState, WorkerRow

if TYPE_CHECKING:
    from controller.settings import Settings

SILENT_LOOP = timedelta(seconds=30)
"""A worker shows a sign of life every five seconds."""
_AHEAD = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorFinding:
    """One thing that was looked at: `ok`, the sentence, and what to do where it is not."""

    name: str
    ok: bool
    sentence: str
    hint: str = ""


def look_at_addresses(session: CliSession) -> Iterator[DoctorFinding]:
    """Addresses and secrets in the settings: what cannot work, before it fails at night."""
    settings = session.settings
    for name, url in (("page_url", settings.page_url), ("traces_url", settings.traces_url)):
        if url is not None and not _whole(url):
            yield DoctorFinding(
                name=name,
                ok=False,
                sentence=f"{url!r} has no http:// or https://.",
                hint=f"Write the whole address into INCUMBENT_{name.upper()}.",
            )


def look_at_home(settings: Settings) -> Iterator[DoctorFinding]:
    """Whether the home is its owner's alone."""
    from controller.home import open_places

    found = open_places(settings.home, settings.home_access)
    if found:
        more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
        yield DoctorFinding(
            name="home",
            ok=False,
            sentence=f"others may use {found[0]}{more}.",
            hint="The next start closes what is ours; what belongs to others, they must: `chmod -R go=`.",
        )


def look_at_signing(settings: Settings) -> Iterator[DoctorFinding]:
    """Whether what people say is marked. SQLite makes a key by itself, on a server the settings name one."""
    if settings.signing_key is None and not settings.database.startswith("sqlite"):
        yield DoctorFinding(
            name="signing key",
            ok=False,
            sentence=f"{UNSIGNED}.",
            hint="Give the same INCUMBENT_SIGNING_KEY to every API, controller and command line, never to a worker.",
        )


def _whole(url: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)


def broker_problem(url: str) -> str:
    """Why a broker's address cannot work; empty if it may."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        return "its address has no scheme."
    if scheme not in {
        "redis",
        "rediss",
        "valkey",
        "redis+socket",
        "amqp",
        "amqps",
        "pyamqp",
        "memory",
    }:
        return f"a broker of the kind {scheme} is not supported."
    return ""


def look_at_clock(session: CliSession) -> Iterator[DoctorFinding]:
    """Whether the newest decision is in the future: then schedules, leases and messages wait for it."""
    with session.read() as tx:
        last, _ = tx.decisions.head()
        record = tx.decisions.get(last) if last else None
    if record is not None and record.decided_at - session.now() > _AHEAD:
        ahead = record.decided_at - session.now()
        yield DoctorFinding(
            name="clock",
            ok=False,
            sentence=f"decision {record.id} was taken {_span(ahead)} from now.",
            hint="Set this machine's clock (NTP); one of the two is wrong.",
        )


def _span(passed: timedelta) -> str:
    hours, rest = divmod(int(passed.total_seconds()), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min"


def look_at_queues(session: CliSession) -> Iterator[DoctorFinding]:
    """Queues that policies name and nobody serves, and workers of another version than this."""
    alive = _alive(session)
    served = {queue for row in alive for queue in row.queues}
    for policy in _policies(session):
        queue = policy.train.queue
        if alive and queue not in served:
            yield DoctorFinding(
                name=f"queue {queue}",
                ok=False,
                sentence=f"{policy.model} trains there, and no worker serves it.",
                hint=f"incumbent worker --queues {queue}",
            )
    for row in alive:
        if row.version != __version__:
            yield DoctorFinding(
                name=f"worker {row.name}",
                ok=False,
                sentence=f"it runs {row.version}, and this is {__version__}.",
                hint="Install the same version on all machines.",
            )


def _alive(session: CliSession) -> list[WorkerRow]:
    now = datetime.now(UTC)  # rows carry the store's clock, never the decision clock
    with session.read() as tx:
        return [row for row in tx.workers.all() if row.seen_at and now - row.seen_at < SILENT_LOOP]


def look_at_champions(session: CliSession) -> Iterator[DoctorFinding]:
    """Champions whose artifact is gone: what serves them cannot start again, and nothing is compared with them."""
    with session.read() as tx:
        seated = {s.model: s.champion for s in tx.models.all() if s.champion is not None}
        found = [
            version
            for model, number in seated.items()
            for version in tx.registry.versions(model, numbers=(number,))
        ]
    for version in found:
        if not session.artifacts.has(version.digest):
            yield DoctorFinding(
                name=f"{version.model} v{version.number}",
                ok=False,
                sentence=f"the champion's artifact {version.digest[:12]} is not in the store.",
                hint=f"Restore it from a backup, or `incumbent rollback {version.model}`.",
            )


def look_at_groups(session: CliSession) -> Iterator[DoctorFinding]:
    """Approvals by groups that nobody is in: such a challenger waits until it expires."""
    groups = session.settings.groups
    for policy in _policies(session):
        if policy.approval.when == "never":
            continue
        later = policy.approval.escalate
        for group in (*policy.approval.groups, *(later.to if later else ())):
            if not groups.get(group):
                yield DoctorFinding(
                    name=f"group {group}",
                    ok=False,
                    sentence=f"{policy.model} asks it for approval, and nobody is in it.",
                    hint=f'Name people: INCUMBENT_GROUPS=\'{{"{group}": ["ana"]}}\'.',
                )


def look_at_code(session: CliSession) -> Iterator[DoctorFinding]:
    """Entry points that no file holds, where workers run on this machine. Nothing is imported: user code runs there."""
    if not any(row.host == gethostname() for row in _alive(session)):
        return
    code = session.settings.code.resolve()
    for policy in _policies(session):
        for recipe in policy.train.recipes:
            module = (recipe.entrypoint or "").partition(":")[0]
            if module and not _there(code, module):
                yield DoctorFinding(
                    name=f"code of {policy.model}",
                    ok=False,
                    sentence=f"there is no {module.replace('.', '/')}.py in {code}.",
                    hint="Set INCUMBENT_CODE to the folder that holds it.",
                )


def _there(code: Path, module: str) -> bool:
    from importlib.util import find_spec

    path = code.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file() or path.is_dir():
        return True
    # An installed package is found by its first name, without running any of it.
    first = module.partition(".")[0]
    return not (code / first).is_dir() and find_spec(first) is not None


def look_at_messages(session: CliSession) -> Iterator[DoctorFinding]:
    """Channels that policies name and nobody configured, mistakes in their file, and messages that do not arrive."""
    from controller.bootstrap import notify_plan

    plan = notify_plan(session.settings)
    for problem in plan.problems:
        yield DoctorFinding(
            name="messages", ok=False, sentence=problem, hint="`incumbent notify check` checks it."
        )
    for policy in _policies(session):
        for channel in sorted({one for names in policy.notify.values() for one in names}):
            if channel not in plan.channels:
                yield DoctorFinding(
                    name=f"channel {channel}",
                    ok=False,
                    sentence=f"{policy.model} tells it things, and it leads nowhere.",
                    hint="Name it in the file of INCUMBENT_NOTIFY.",
                )
    if plan.channels and session.settings.page_url is None:
        yield DoctorFinding(
            name="links",
            ok=False,
            sentence=f"messages lead to {session.settings.page}, which only this machine reaches.",
            hint="Set INCUMBENT_PAGE_URL to the page's address.",
        )
    failing = DeliveryQuery(states=(DeliveryState.SENDING.value, DeliveryState.FAILED.value))
    with session.read() as tx:
        rows = [row for row in tx.deliveries.find(failing) if row.last_error]
    for row in rows:
        yield DoctorFinding(
            name=f"message {row.id}",
            ok=False,
            sentence=f"to {row.channel} ({row.address}) did not arrive: {row.last_error}",
            hint="It is tried until it arrives."
            if row.state.goes_on
            else f"`incumbent notify again {row.id}` once it is fixed.",
        )


def _policies(session: CliSession) -> Iterator[Policy]:
    with session.read() as tx:
        active = tx.rules.all_active()
    for rules in active:
        try:
            yield session.parse_rules(rules.text, rules.ref.path)
        except (PolicyInvalid, IncumbentError):
            continue  # the check of the rules says so


def look_at_plugins(session: CliSession) -> Iterator[DoctorFinding]:
    """Each plugin that is installed here, and whether it can be loaded: in a process of its own."""
    from controller.adapters.plugins import PLUGIN_API, ask_plugin, installed

    del session
    for plugin in installed():
        sentence, problem = f"{plugin.title} ({plugin.package}, API {PLUGIN_API})", plugin.problem
        if not problem:
            try:
                ask_plugin(plugin, {})
            except IncumbentError as error:
                problem = error.message
        yield DoctorFinding(
            name=f"{plugin.group.noun} {plugin.name}",
            ok=not problem,
            sentence=problem or f"{sentence}.",
            hint="docs/how-to/plugins.md says what a plugin needs." if problem else "",
        )
