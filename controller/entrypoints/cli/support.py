"""`incumbent support-bundle`: what helps others to help, as one file, without secrets.

Nothing is put in that was not asked for by name here, and every text goes through the redactor, which knows the secrets
of the settings and of the environment. If one of them were still found, no file is written.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr

from controller import __version__
from controller.domain.canonical import to_plain
from controller.domain.errors import IncumbentError, IntegrityError
from controller.entrypoints.cli.session import CliSession, pass_session
from controller.home import private_files
from controller.ports import DeliveryQuery, Query
from controller.service.messages.redact import Redactor

_SECRET_NAME = re.compile(r"(PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|_URL$|AUTH)", re.IGNORECASE)
_LAST = 200
_LEAST = 8
"""Characters of a variable that may be a secret; shorter ones are switches."""
_OURS = re.compile(r"[A-Za-z0-9._-]+")

_README = """\
What `incumbent support-bundle` found on {at} (version {version}).
Secrets of the settings and the environment were taken out, and what looks like one; read it before you send it.
"""


@click.command("support-bundle")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@pass_session
def support_bundle(session: CliSession, *, file: Path | None) -> None:
    """Write FILE (a zip): findings of doctor, settings, versions, the last decisions, runs, signals, messages."""
    now = datetime.now(UTC)
    target = file or Path(f"incumbent-support-{now:%Y%m%d-%H%M%S}.zip")
    redact = Redactor(_known_secrets(session))
    parts = {
        "README.txt": _README.format(at=now.isoformat(timespec="seconds"), version=__version__)
    }
    for name, gather in _PARTS.items():
        parts[name] = _careful(gather, session)
    clean = {name: redact(text) for name, text in parts.items()}
    leaking = sorted(name for name, text in clean.items() if redact.leaks(text))
    if leaking:
        raise IntegrityError(
            f"A secret could not be taken out of {', '.join(leaking)}; no file was written."
        )
    with private_files(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in clean.items():
            bundle.writestr(name, text)
    target.chmod(0o600)
    click.echo(f"{target}: {', '.join(clean)}. Read it before you send it.")


def _careful(gather: Callable[[CliSession], Any], session: CliSession) -> str:
    """A part as text; what keeps it from being gathered is the part then."""
    try:
        found = gather(session)
    except IncumbentError as error:
        found = {"not_gathered": error.sentence()}
    except Exception as error:  # noqa: BLE001 - a bundle is asked for when things are broken
        found = {"not_gathered": repr(error)}
    return (
        found
        if isinstance(found, str)
        else json.dumps(to_plain(found), indent=1, ensure_ascii=False)
    )


def _known_secrets(session: CliSession) -> Iterator[str]:
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= _LEAST and not value.startswith("/"):
            yield value
            yield from _in_url(value)
        if name.endswith("_FILE"):
            with suppress(OSError, UnicodeDecodeError):
                yield Path(value).read_text(encoding="utf-8").strip()
    with suppress(IncumbentError):
        for _, value in session.settings:
            if isinstance(value, SecretStr):
                yield value.get_secret_value()
                yield from _in_url(value.get_secret_value())
        key = session.settings.home / "page.key"
        if key.is_file():
            yield key.read_text(encoding="utf-8").strip()
        if session.settings.notify is not None:
            yield from _of_channels(session.settings.notify)


def _in_url(url: str) -> Iterator[str]:
    """The password of an address, alone: it may stand somewhere else without the address."""
    found = re.match(r"[a-z][a-z0-9+.-]*://[^:/@\s]*:([^@\s]+)@", url, re.IGNORECASE)
    if found:
        yield found[1]


def _of_channels(file: Path) -> Iterator[str]:
    """Every string of the file of channels that is no plain word, and what it points to."""
    import tomllib

    from controller.adapters.notify.load import secret_text

    with suppress(OSError, ValueError, IncumbentError):
        for channel in tomllib.loads(file.read_text(encoding="utf-8")).get("channels", {}).values():
            texts = [*channel.get("to", [])]
            for hook in channel.get("webhooks", []):
                texts += [hook.get("url", ""), hook.get("secret", "")]
            for text in texts:
                with suppress(IncumbentError):
                    known = secret_text(str(text), "notify")
                    yield known
                    yield from _in_url(known)


def _system(session: CliSession) -> Mapping[str, Any]:
    del session
    return {
        "version": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {
            found.metadata["Name"]: found.version
            for found in importlib.metadata.distributions()
            if _OURS.fullmatch(str(found.metadata["Name"]))
        },
        "environment": sorted(name for name in os.environ if name.startswith("INCUMBENT_")),
    }


def _settings(session: CliSession) -> Any:
    from controller.entrypoints.cli.config import _rows

    return list(_rows(session.settings))


def _doctor(session: CliSession) -> Any:
    from controller.entrypoints.cli.doctor import CHECKS
    from controller.entrypoints.cli.doctor import _careful as looked

    return [finding for name, check in CHECKS for finding in looked(name, check, session)]


def _books(session: CliSession) -> Mapping[str, Any]:
    with session.read() as tx:
        return {
            "decisions": tx.decisions.head(),
            "signals_waiting": tx.signals.count_waiting(),
            "outbox": tx.outbox.depth(),
            "models": tx.models.all(),
            "challengers_waiting": tx.models.waiting(),
            "workers": tx.workers.all(),
            "controllers": tx.controllers.all(),
            "sources": tx.sources.all(),
            "rules": [rules.ref for rules in tx.rules.all_active()],
            "silences": tx.silences.active(session.now()),
        }


def _decisions(session: CliSession) -> Any:
    with session.read() as tx:
        return [
            {
                "id": record.id,
                "model": record.model,
                "at": record.decided_at,
                "rules": record.rules.path,
                "said": {
                    key: value
                    for key, value in json.loads(record.decision).items()
                    if key
                    in {"verdict", "reason", "champion_before", "champion_after", "challenger"}
                },
            }
            for record in tx.decisions.find(Query(limit=_LAST))
        ]


def _runs(session: CliSession) -> Any:
    with session.read() as tx:
        return [
            {
                "id": run.id, "kind": run.spec.kind, "state": run.state, "attempt": run.attempt,
                "ordered_at": run.ordered_at, "started_at": run.started_at, "ended_at": run.ended_at,
                "worker": run.worker, "queue": run.spec.queue, "reason": run.reason,
            }
            for run in tx.runs.find(Query(limit=_LAST))
        ]  # fmt: skip


def _signals(session: CliSession) -> Any:
    with session.read() as tx:
        return [
            {
                "id": one.id, "model": one.model, "kind": one.kind, "status": one.status,
                "received_at": one.received_at, "reason": one.reason, "decision": one.decision,
            }
            for one in tx.signals.find(Query(limit=_LAST))
        ]  # fmt: skip


def _messages(session: CliSession) -> Any:
    with session.read() as tx:
        return [
            {
                "id": row.id, "channel": row.channel, "address": row.address, "state": row.state,
                "count": row.count, "attempts": row.attempts, "last_error": row.last_error,
            }
            for row in tx.deliveries.find(DeliveryQuery(limit=_LAST))
        ]  # fmt: skip


def _policies(session: CliSession) -> str:
    with session.read() as tx:
        return "\n---\n".join(f"# {r.ref.path}\n{r.text}" for r in tx.rules.all_active())


_PARTS: Mapping[str, Callable[[CliSession], Any]] = {
    "system.json": _system,
    "settings.json": _settings,
    "doctor.json": _doctor,
    "books.json": _books,
    "decisions.json": _decisions,
    "runs.json": _runs,
    "signals.json": _signals,
    "messages.json": _messages,
    "policies.yaml": _policies,
}
