"""What a command works with: the settings and the database that they name, opened when they are needed."""

from __future__ import annotations

import functools
import getpass
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from controller.adapters.memory.clock import SystemClock
from controller.domain.canonical import to_plain
from controller.domain.durations import parse_duration
from controller.domain.errors import NotFound, PolicyInvalid, UserError
from controller.domain.names import check_model_name
from controller.domain.payloads import INTEGER
from controller.domain.rules import Policy
from controller.domain.signals import NewSignal
from controller.ports import ArtifactStore, Clock, Store, Transaction

if TYPE_CHECKING:
    from controller.adapters.remote.client import Client
    from controller.domain.runs import Run
    from controller.service.commands.access import Person
    from controller.service.commands.submit import Command
    from controller.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class CliSession:
    """One call of the command. A test gives it a store of its own, where this process alone decides."""

    given: Store | None = None
    clock: Clock = field(default_factory=SystemClock)
    parse: Callable[[str, str], Policy] | None = None

    @cached_property
    def settings(self) -> Settings:
        """What the operator set."""
        from controller.settings import load_settings

        return load_settings()

    @cached_property
    def remote(self) -> Client | None:
        """The server that the settings name; None where this process works on the database."""
        if self.given is not None or self.settings.url is None:
            return None
        from controller.adapters.remote.client import Client

        token = self.settings.token
        return Client(self.settings.url, token.get_secret_value() if token else None)

    @cached_property
    def store(self) -> Store:
        """The database, or a server's; NotFound with a sentence when there is none yet."""
        if self.given is not None:
            return self.given
        if self.remote is not None:
            from controller.adapters.remote.store import RemoteStore

            return RemoteStore(self.remote)
        from controller.bootstrap import open_store

        return open_store(self.settings)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Where models, outputs and predictions are."""
        from controller.bootstrap import artifact_store_of

        return artifact_store_of(self.settings)

    @cached_property
    def decides_here(self) -> bool:
        """Whether this process may decide: nobody else does on an embedded database."""
        if self.given is not None or self.remote is not None:
            return self.remote is None
        from controller.bootstrap import controller_is_away

        return controller_is_away(self.settings)

    def parse_rules(self, text: str, path: str) -> Policy:
        """A policy's text as rules."""
        if self.parse is not None:
            return self.parse(text, path)
        from controller.rulefmt import load_policy

        return load_policy(text, path)

    def decide_until_idle(self, model: str) -> None:
        """Decide for one model here and now, if this process may."""
        if self.decides_here:
            from controller.service.deciding.engine import Engine

            Engine(self.store, self.clock, self.parse_rules).decide_until_idle(model)

    def now(self) -> datetime:
        """The decision clock."""
        return self.clock.now()

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that only reads."""
        return self.store.read()

    @cached_property
    def actor(self) -> str:
        """Who gives this command, as decisions will name them."""
        return local_actor(self.settings)

    @property
    def person(self) -> Person:
        """Who gives this command: what the settings' roles let them do; without roles, all."""
        from controller.service.commands.access import everything, person_of

        groups, roles = self.settings.groups, self.settings.roles
        return person_of(self.actor, groups, roles) if roles else everything(self.actor, groups)

    def say(self, word: Command) -> tuple[int, bool]:
        """Append a person's word, if they may say it; its signal's number, and whether it is new."""
        if self.remote is not None:
            return _said(self.remote, word)
        from controller.service.commands.access import standing_in
        from controller.service.commands.submit import submit

        now = self.now()
        with self.store.begin() as tx:
            person = standing_in(tx, self.person, self.settings.groups, now)
            return submit(tx, person, word, self.parse_rules, now)

    def send(self, signal: NewSignal) -> tuple[int, bool]:
        """Put a signal into the inbox, if this person may; its number, and whether it is new."""
        if self.remote is not None:
            key = signal.key.removeprefix(f"{self.actor}:")
            answer = self.remote.signal(signal.model, signal.kind.value, signal.payload, key=key)
            return answer.signal, answer.fresh
        from controller.service.commands.submit import owner_of
        from controller.service.deciding.backpressure import accept

        with self.store.begin() as tx:
            self.person.must("signal", owner_of(tx, signal.model, self.parse_rules))
            limit = self.settings.inbox
            accepted = accept(tx, [signal], signal.occurred_at, limit=limit)[0]
        return accepted.id, accepted.fresh

    def rehearse(self, signal: NewSignal) -> dict[str, Any]:
        """The decision that the signal would lead to, as plain JSON."""
        if self.remote is not None:
            return self.remote.rehearse(signal.model, signal.kind.value, signal.payload)
        from controller.service.replay.rehearse import rehearse

        found = rehearse(self.store, self.parse_rules, signal.model, [signal], self.now())
        return dict(to_plain(found))

    def output(self, run: Run) -> bytes:
        """What the run's training wrote; NotFound if there is none."""
        if self.remote is not None:
            return self.remote.output(run.id)
        digest = run.result.get("output")
        if not isinstance(digest, str):
            wait = "it has not ended" if not run.state.ended else "it wrote none, or it was lost"
            raise NotFound(f"There is no output of {run.id}: {wait}.")
        return self.artifacts.read_bytes(digest)

    def delegate(self, to: str, until: datetime, reason: str) -> dict[str, Any]:
        """Let somebody approve in this person's place; the delegation as it is kept."""
        if self.remote is not None:
            return self.remote.delegate(to, until, reason)
        from controller.service.commands.delegate import Wish, add_delegation

        wish = Wish(to=to, until=until, reason=reason)
        with self.store.begin() as tx:
            kept = add_delegation(tx, self.person, wish, self.now())
        return dict(to_plain(kept))

    def take_back(self, number: int) -> dict[str, Any]:
        """End a delegation; as it was."""
        if self.remote is not None:
            return self.remote.take_back(number)
        from controller.service.commands.delegate import take_back

        with self.store.begin() as tx:
            return dict(to_plain(take_back(tx, self.person, number, self.now())))

    def close(self) -> None:
        """Let go of the database."""
        if "store" in vars(self) and self.given is None:
            self.store.close()


def _said(remote: Client, word: Command) -> tuple[int, bool]:
    """A person's word, said to a server."""
    if word.run is not None:
        answer = remote.run_word(word.action, word.run, word.reason, key=word.key)
    elif word.payload:
        answer = remote.say(word.action, word.model, word.reason, word.payload, key=word.key)
    else:
        answer = remote.word(
            word.action, word.model, word.reason, version=word.version, evidence=word.evidence,
            expect_version=word.expect_version, force=word.force, key=word.key,
        )  # fmt: skip
    return answer.signal, answer.fresh


def local_actor(settings: Settings) -> str:
    """Who sits here: what the settings say, else the login name."""
    name = settings.actor or _login()
    return name if ":" in name else f"person:{name}"


def session_of(context: click.Context) -> CliSession:
    """The session of this call; made when the first command asks for it."""
    root = context.find_root()
    if not isinstance(root.obj, CliSession):
        root.obj = CliSession()
        root.call_on_close(root.obj.close)
    return root.obj


def pass_session(command: Callable[Concatenate[CliSession, P], R]) -> Callable[P, R]:
    """Gives the command its :class:`CliSession` as first argument."""

    @functools.wraps(command)
    def with_session(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(session_of(click.get_current_context()), *args, **kwargs)

    return with_session


def known_model(tx: Transaction, model: str) -> None:
    """NotFound, with the names that exist, if nothing is known of `model`; UserError if none can be called so."""
    from difflib import get_close_matches

    check_model_name(model)
    names = sorted(
        {state.model for state in tx.models.all()} | {r.model for r in tx.rules.all_active()}
    )
    if model in names:
        return
    close = get_close_matches(model, names, n=1)
    hint = (
        f"Did you mean {close[0]}?"
        if close
        else f"There are: {', '.join(names)}."
        if names
        else "No policy has been put in force yet; start with `incumbent up`."
    )
    raise NotFound(f"There is no model called {model}.", hint=hint)


def only_model(tx: Transaction) -> str | None:
    """The one model that there is; None if there are several or none."""
    names = {state.model for state in tx.models.all()} | {r.model for r in tx.rules.all_active()}
    return names.pop() if len(names) == 1 else None


def gate_metrics(session: CliSession, tx: Transaction, model: str) -> frozenset[str]:
    """The metrics that the model's policy judges by: what a table shows of the many that are known."""
    rules = tx.rules.active(model)
    try:
        policy = session.parse_rules(rules.text, rules.ref.path) if rules else None
    except PolicyInvalid:  # of a later format: then everything is shown
        policy = None
    return frozenset(gate.metric for gate in policy.promote) if policy else frozenset()


def parse_when(text: str | None, now: datetime) -> datetime | None:
    """`2013-02-01`, `2013-02-01T06:00+01:00` or an age like `36h` or `7d`, as a time in UTC; UserError otherwise."""
    if text is None:
        return None
    age = parse_duration(text.strip())
    if age is not None:
        return now - age
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"{text!r} is no time.",
            hint="Write 2013-02-01, 2013-02-01T06:00Z, or an age like 36h or 7d.",
        ) from None


_VERSION = re.compile(r"[0-9]{1,10}")


def parse_version(text: str) -> int:
    """`3` or `v3` as 3; UserError otherwise."""
    digits = text.removeprefix("v")
    if not _VERSION.fullmatch(digits) or int(digits) > INTEGER:
        raise UserError(f"{text[:40]!r} is no version.", hint="Write its number, 3 or v3.")
    return int(digits)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return f"uid-{os.getuid()}"
