"""What every route works with: the settings, the database, the clock, the links, and what a token lets one do."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool

from controller.adapters.oidc import OpenIdConfig, OpenIdProvider
from controller.domain.errors import ConfigurationError, NotFound, NotLoggedIn
from controller.domain.rules import Policy
from controller.domain.signals import Signal, SignalStatus
from controller.ports import ArtifactStore, Clock, RevisionSource, RevisionTexts, Store
from controller.service.commands.access import (
    Person,
    bearer,
    capped,
    everything,
    person_of,
    standing_in,
)
from controller.service.commands.isolation import IsolatedStore, Sight, is_isolated
from controller.service.commands.links import MessageLinks
from controller.service.commands.owners import Owners
from controller.service.commands.submit import Command, submit
from controller.service.explain.tracing import Tracing
from controller.service.observe.observer import Observer
from controller.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LINK_LASTS = 15 * 60
_LOOK_AGAIN = 0.05
_KEPT = 10.0
_LANES = 8
T = TypeVar("T")
PROVEN = "incumbent.proven"
"""Where a request keeps for the guard whose its credential was found to be."""


class LoginLinks:
    """Links that log the owner of this machine in, each once.

    They are signed with the key in the home folder, so that who can read it can make one at any time. Which were
    used is kept in the database, for all processes that serve the page.
    """

    @staticmethod
    def new(key: str, actor: str) -> str:
        """What the link carries; good once, for fifteen minutes."""
        said = {"actor": actor, "once": secrets.token_urlsafe(16)}
        value = URLSafeTimedSerializer(key, salt="incumbent.login").dumps(said)
        return str(value)

    @staticmethod
    def use(store: Store, key: str, text: str) -> str:
        """Whom the link logs in; NotLoggedIn if it was used, ran out, or never was."""
        hint = "`incumbent page` prints a new one."
        try:
            said, at = URLSafeTimedSerializer(key, salt="incumbent.login").loads(
                text, max_age=_LINK_LASTS, return_timestamp=True
            )
        except BadSignature:
            raise NotLoggedIn("This login link ran out or is not ours.", hint=hint) from None
        ends = at + timedelta(seconds=_LINK_LASTS)
        with store.begin() as tx:
            if not tx.nonces.use("login link", said["once"], until=ends, at=datetime.now(UTC)):
                raise NotLoggedIn("This login link was used before.", hint=hint)
        return str(said["actor"])


@dataclass(frozen=True, kw_only=True)
class AppContext:
    """One server. ``decide_until_idle`` decides for a model here and now where no controller runs (None: one does)."""

    settings: Settings
    store: Store
    clock: Clock
    parse: Callable[[str, str], Policy]
    blob_id: Callable[[bytes], str]
    key: str
    """Signs sessions and links."""
    artifacts: ArtifactStore | None = None
    decide_until_idle: Callable[[str], object] | None = None
    observer: Observer | None = None
    tracing: Tracing | None = None
    open_revisions: Callable[[], RevisionSource] | None = None
    """Opens the repository of the rules, to look at what is not in force."""
    memory: dict[str, tuple[float, Any]] = field(default_factory=dict)
    owned: dict[str, str | None] = field(default_factory=dict)
    """The owner that each policy's text names, by its blob."""
    is_local: bool = False
    """Whether a look at the database is one at a file of this machine: it takes microseconds and waits for nobody."""
    answer_timeout: float = 3.0
    """Seconds that a word waits for its answer before it says that it waits."""

    @cached_property
    def thread_pool(self) -> Executor:
        """The threads that resolve names: few, so that a rush neither takes all connections nor fights for the GIL."""
        return ThreadPoolExecutor(_LANES, thread_name_prefix="resolve")

    @cached_property
    def provider(self) -> OpenIdProvider:
        """Where people log in; NotLoggedIn where that is not how."""
        settings = self.settings
        if settings.login != "oidc":
            raise NotLoggedIn("This server knows no identity provider.", hint="Use a token.")
        return OpenIdProvider(openid_config(settings))

    def kept(self, name: str, ask: Callable[[], T]) -> T:
        """What ``ask`` answered within the last seconds: for lists that thousands of rows are read for."""
        at, found = self.memory.get(name, (-_KEPT, None))
        if time.monotonic() - at > _KEPT:
            found = ask()
            self.memory[name] = (time.monotonic(), found)
        return cast("T", found)

    @cached_property
    def revisions(self) -> RevisionSource:
        """The repository of the rules; NotFound where there is none."""
        if self.open_revisions is None:
            raise NotFound("This server knows no repository of rules.", hint="Paste the text.")
        return self.open_revisions()

    def look_at(self, name: str) -> RevisionTexts:
        """The policies of a branch, tag or commit of the rules' repository; NotFound where none is known here."""
        with self.store.read() as tx:
            known = {*tx.rules.blobs().values()}
        return self.revisions.at(name, known)

    @property
    def message_links(self) -> MessageLinks:
        """The links of messages."""
        return MessageLinks(key=self.key, page=self.settings.page)

    def bearer(self, digest: str) -> Person:
        """Who bears a token. Where the settings give roles, it gives no more than they do."""
        with self.store.read(snapshot=False) as tx:
            person = bearer(tx, digest, self.settings.groups, self.clock.now())
        if not self.settings.roles:
            return person
        return capped(person, person_of(person.actor, self.settings.groups, self.settings.roles))

    def unnamed(self) -> Person | None:
        """Who asks where nobody logs in: on this machine its owner, elsewhere a viewer. None: one must log in."""
        if self.settings.login != "none":
            return None
        if self.settings.host in LOOPBACK:
            return everything("person:local", self.settings.groups)
        return person_of("person:anonymous", {}, {"viewer": ["*"]})

    def submit(self, person: Person, word: Command) -> tuple[Signal, bool]:
        """Append the word, and wait for its answer for a moment; the signal as it is then, and whether it is new."""
        now = self.clock.now()
        with self.store.begin() as tx:
            speaker = standing_in(tx, person, self.settings.groups, now)
            number, fresh = submit(tx, speaker, word, self.parse, now)
        return self.answer(number, word.model), fresh

    def answer(self, number: int, model: str) -> Signal:
        """The signal once it is answered, or as it is when answer_timeout ends."""
        deadline = time.monotonic() + self.answer_timeout
        while True:
            if self.decide_until_idle is not None:
                self.decide_until_idle(model)
            with self.store.read() as tx:
                signal = tx.signals.get(number)
            if signal is None:  # pragma: no cover - nothing takes a signal out of the inbox
                raise NotLoggedIn(f"Signal {number} is gone.")
            if signal.status is not SignalStatus.OPEN or time.monotonic() >= deadline:
                return signal
            time.sleep(_LOOK_AGAIN)


def openid_config(settings: Settings) -> OpenIdConfig:
    """The provider that the settings name; ConfigurationError if something is missing."""
    secret = settings.oidc_client_secret
    if not (settings.oidc_issuer and settings.oidc_client_id and secret):
        raise ConfigurationError(
            "The login oidc needs a provider.",
            hint="Set INCUMBENT_OIDC_ISSUER, INCUMBENT_OIDC_CLIENT_ID and INCUMBENT_OIDC_CLIENT_SECRET.",
        )
    return OpenIdConfig(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value(),
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
        scope=settings.oidc_scope,
    )


def proven(request: Request, person: Person) -> Person:
    """``person``, after the guard was told that this request's credential is theirs."""
    known = request.scope.get(PROVEN)
    if known is not None:
        known.add(person.actor)
    return person


def context_of(request: Request) -> AppContext:
    """The app_context of the application that serves this request."""
    app_context: AppContext = request.app.state.app_context
    return app_context


def desk_for(request: Request, person: Person) -> AppContext:
    """The app_context as ``person`` sees it: where the server isolates owners, with their models only."""
    app_context = context_of(request)
    if not is_isolated(person, app_context.settings.isolation):
        return app_context
    store = IsolatedStore(
        app_context.store, Sight(person, Owners(app_context.parse, app_context.owned))
    )
    return replace(app_context, store=store, memory={})


async def _at(request: Request) -> AppContext:
    # It waits for nothing; FastAPI would hand a plain function to another thread.
    app_context = context_of(request)
    if app_context.settings.isolation == "none":
        return app_context
    person = await run_in_threadpool(_anybody, request)
    return app_context if person is None else desk_for(request, person)


def _anybody(request: Request) -> Person | None:
    """Who asks, if anybody can be told; the route itself says what it thinks of nobody."""
    from controller.entrypoints.api.caller import caller
    from controller.entrypoints.web.session import page_session_of

    try:
        return caller(request)
    except NotLoggedIn:
        session = page_session_of(request)
        return session.person if session else None


Context = Annotated[AppContext, Depends(_at)]
