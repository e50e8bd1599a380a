"""A person's word: shown as a plan, confirmed, appended as a signal, and its answer waited for.

No command changes a model itself. It appends a signal, and the engine answers it on the one path that everything
takes. Where no controller runs on the embedded database, the engine ticks here, in this process, for this model only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from controller.domain.errors import Conflict, NegativeAnswer, UserError
from controller.domain.signals import Signal, SignalStatus
from controller.entrypoints.cli.output import (
    SCHEMA_VERSION,
    json_option,
    print_json,
    tell_person,
    yes_option,
)
from controller.entrypoints.cli.session import CliSession
from controller.service.commands.submit import Command

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_LOOK_AGAIN = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonCommand:
    """What a person wants: what is said, the sentence that tells what it will do, and whether to ask first."""

    says: Command
    plan: str
    yes: bool = False
    wait: float = 10.0
    """Seconds to wait for the answer; 0: do not wait."""


def word_options(command: Decorated) -> Decorated:
    """Adds `--reason`, `--yes`, `--wait` and `--json`."""
    command = json_option(command)
    command = yes_option(command)
    command = click.option(
        "--wait", type=click.FloatRange(min=0), default=10.0, show_default=True,
        help="Seconds to wait for the answer.",
    )(command)  # fmt: skip
    return click.option("--reason", help="Why, for the log. Needed.")(command)


def key_option(command: Decorated) -> Decorated:
    """Adds `--key`."""
    return click.option(
        "--key", help="The same key twice counts once, and the answer is that of the first time."
    )(command)


def needed_reason(reason: str | None) -> str:
    """The reason, or a UserError: no change without one."""
    if not (reason or "").strip():
        raise UserError("A change needs a reason.", hint='Add --reason "...".')
    return str(reason).strip()


def submit_command(session: CliSession, word: PersonCommand, *, as_json: bool) -> int:
    """Show the plan, ask, append, wait for the answer, and say it. The exit code."""
    if not confirmed(word.plan, yes=word.yes):
        raise NegativeAnswer("Nothing was changed.")
    number, fresh = session.say(word.says)
    if not fresh:
        tell_person(f"Signal {number} had that key already; it counts once.")
    answered = await_answer(session, word.says.model, number, word.wait)
    return report_answer(answered, as_json=as_json)


def confirmed(plan: str, *, yes: bool) -> bool:
    """Whether to go on; asks where somebody can answer, refuses without `--yes` where nobody can."""
    tell_person(plan)
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("Nobody can be asked here.", hint="Add --yes to go ahead.")
    return click.confirm("Go ahead?", default=False, err=True)


def await_end(session: CliSession, model: str, number: int, answer_timeout: float) -> Signal:
    """The signal once nothing more will happen with it, or as it is when `answer_timeout` is at its end."""
    return await_answer(session, model, number, answer_timeout, ended=True)


def await_answer(
    session: CliSession, model: str, number: int, answer_timeout: float, *, ended: bool = False
) -> Signal:
    """The signal once it has an answer, or as it is when `answer_timeout` (seconds) is at its end."""
    deadline = time.monotonic() + answer_timeout
    while True:
        if answer_timeout:
            session.decide_until_idle(model)
        with session.read() as tx:
            signal = tx.signals.get(number)
        if signal is None:
            raise UserError(f"Signal {number} is not in the database.")
        told = signal.status.ended if ended else signal.status is not SignalStatus.OPEN
        if told or time.monotonic() >= deadline:
            return signal
        time.sleep(_LOOK_AGAIN)


def report_answer(signal: Signal, *, as_json: bool) -> int:
    """Print the answer; Conflict where the word was refused."""
    if signal.status in {SignalStatus.FAILED, SignalStatus.SKIPPED}:
        raise Conflict(
            _sentence(signal.reason),
            hint=f"`incumbent explain signal:{signal.id}` shows why." if signal.decision else "",
            details={"signal": signal.id, "decision": signal.decision},
        )
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "signal": signal.id,
                "status": signal.status,
                "reason": signal.reason,
                "decision": signal.decision,
            }
        )
        return 0
    click.echo(_answer(signal))
    return 0


def _answer(signal: Signal) -> str:
    """What became of the signal, or where that will be said."""
    if signal.status is SignalStatus.OPEN:
        return (
            f"Signal {signal.id} waits for the controller; "
            f"`incumbent signals show {signal.id}` says what became of it."
        )
    return f"{_sentence(signal.reason)} (decision {signal.decision})"


def _sentence(reason: str) -> str:
    return f"{reason.strip().rstrip('.')}."
