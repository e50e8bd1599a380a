"""Use: what a name resolves to, who takes a lease by asking, and who needs a version.

Resolving is one SELECT. A caller that gives its name takes a lease, which each resolve renews; the row is written
only once a good part of the lease is over, so that a caller that asks every second costs no write a second.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from controller.domain.canonical import to_plain
from controller.domain.errors import Conflict, NotFound, UserError
from controller.domain.rollout import goes_to_challenger
from controller.domain.use import RESERVED_ALIAS, Consumer, Needs, live_leases, ways_back
from controller.domain.versions import VersionState
from controller.ports import Resolved, Store, Transaction

LEASE = timedelta(days=1)
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=90)
_RENEW = 0.1
"""The share of a lease after which a resolve writes it anew."""
_NAME = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveRequest:
    """Who wants what: ``selector`` is ``champion``, an alias, or a version's number."""

    model: str
    selector: str = RESERVED_ALIAS
    consumer: str | None = None
    actor: str = ""
    lease: timedelta = LEASE
    download: bool = False
    request: str | None = None
    """A key of the request that is to be answered: during a rollout it says which of the two versions answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """What the name stands for, and the caller's lease if it gave its name."""

    resolved: Resolved
    lease: Consumer | None = None

    @property
    def etag(self) -> str:
        """Changes with the generation of the name, and with the state of the version (a deprecation is news)."""
        found = self.resolved
        state = found.version.state.value
        stage = f"-r{found.rollout.version}.{found.rollout.stage}" if found.rollout else ""
        return f"{found.name}-g{found.generation}-v{found.version.number}-{state}{stage}"

    @property
    def warning(self) -> str:
        """What a client says aloud; empty where all is well."""
        version = self.resolved.version
        name = f"{version.model} v{version.number}"
        if version.state is VersionState.DEPRECATED:
            end = f" and may be gone from {version.sunset:%Y-%m-%d}" if version.sunset else ""
            return f"{name} is deprecated{end}; move to {version.model}@champion."
        if version.state in {VersionState.REJECTED, VersionState.FAILED}:
            return f"{name} was {version.state.value}; do not serve it."
        return ""

    def headers(self) -> dict[str, str]:
        """``Deprecation`` (RFC 9745) and ``Sunset`` (RFC 8594) where the version leaves, and who follows it."""
        version = self.resolved.version
        if version.state is not VersionState.DEPRECATED:
            return {}
        since = version.state_since or version.created_at
        found = {
            "deprecation": f"@{int(since.timestamp())}",
            "link": f'</v1/models/{version.model}/champion>; rel="successor-version"',
        }
        if version.sunset is not None:
            found["sunset"] = format_datetime(version.sunset.astimezone(UTC), usegmt=True)
        return found

    def document(self) -> dict[str, object]:
        """As JSON."""
        version = self.resolved.version
        return {
            "model": version.model,
            "name": self.resolved.name,
            "generation": self.resolved.generation,
            "version": version.number,
            "state": version.state.value,
            "digest": version.digest,
            "size": version.size,
            "run": version.run,
            "recipe": version.recipe,
            "verified": version.verified,
            "created_at": to_plain(version.created_at),
            "promoted_at": to_plain(version.promoted_at),
            "sunset": to_plain(version.sunset),
            "warning": self.warning,
            "rollout": to_plain(self.resolved.rollout),
            "lease_until": to_plain(self.lease.until) if self.lease else None,
        }


def parse_selector(text: str) -> tuple[str, str]:
    """``flight-delay@canary`` as model and selector; the champion where none is named."""
    model, _, selector = text.partition("@")
    return model, selector or RESERVED_ALIAS


def resolve_name(store: Store, ask: ResolveRequest, now: datetime) -> Resolution:
    """What the name stands for at ``now``; NotFound if nothing, Conflict where a firm sunset is over.

    With a consumer's name its lease is taken or renewed.
    """
    seen = look_up(store, ask, now)
    if isinstance(seen, Resolution):
        return seen
    with store.begin() as tx:
        kept = tx.consumers.renew(_wanted(ask, seen, now), downloads=1 if ask.download else 0)
    return Resolution(resolved=seen, lease=kept)


def look_up(store: Store, ask: ResolveRequest, now: datetime) -> Resolution | Resolved:
    """As :func:`resolve_name`, without writing: not yet an answer where a lease is to be taken or renewed."""
    # A single look: what a rollout or a lease asks beyond it compares generations, and needs no snapshot.
    with store.read(snapshot=False) as tx:
        found = _routed(tx, ask, _found(tx, ask, now))
        lease = _held(tx, ask, found)
    if ask.consumer is None:
        return Resolution(resolved=found)
    wanted = _wanted(ask, found, now)
    if lease is not None and not ask.download and _is_fresh(lease, wanted, now):
        return Resolution(resolved=found, lease=lease)
    return found


def _found(tx: Transaction, ask: ResolveRequest, now: datetime) -> Resolved:
    found = tx.aliases.resolve(ask.model, ask.selector)
    if found is None:
        raise NotFound(_nothing(tx, ask), hint=f"`incumbent versions {ask.model}` lists them.")
    version = found.version
    if version.state is VersionState.ARCHIVED:
        raise NotFound(
            f"{ask.model} v{version.number} is archived.",
            hint=f"Resolve {ask.model}@champion, or bring it back with `incumbent revive`.",
        )
    if version.sunset_firm and version.sunset is not None and version.sunset <= now:
        raise NotFound(
            f"{ask.model} v{version.number} was to be left by {version.sunset:%Y-%m-%d}.",
            hint=f"Resolve {ask.model}@champion.",
        )
    return found


def _routed(tx: Transaction, ask: ResolveRequest, found: Resolved) -> Resolved:
    """During a rollout: whose request it is. A rollout whose version has ended is over, and not told."""
    rollout = found.rollout
    if rollout is None:
        return found
    (challenger,) = tx.registry.versions(ask.model, numbers={rollout.version}) or (None,)
    under_way = challenger is not None and challenger.state is VersionState.CHALLENGER
    if challenger is None or not under_way or rollout.generation != found.generation:
        return replace(found, rollout=None)
    if ask.request is not None and goes_to_challenger(ask.request, rollout.traffic):
        return replace(found, version=challenger)
    return found


def _nothing(tx: Transaction, ask: ResolveRequest) -> str:
    if ask.selector == RESERVED_ALIAS:
        if tx.registry.versions(ask.model, limit=1):
            return f"{ask.model} has versions, and no champion yet."
        return f"{ask.model} has no version."
    if ask.selector.lstrip("vV").isdecimal():
        return f"{ask.model} has no version {ask.selector.lstrip('vV')}."
    return f"{ask.model} has no alias called {ask.selector}."


def _held(tx: Transaction, ask: ResolveRequest, found: Resolved) -> Consumer | None:
    if ask.consumer is None:
        return None
    number = found.version.number
    leases = tx.consumers.by_name(check_consumer(ask.consumer))
    return next((one for one in leases if (one.model, one.version) == (ask.model, number)), None)


def check_consumer(name: str) -> str:
    """``name`` if a consumer may be called so; UserError otherwise."""
    if not name.strip() or len(name) > _NAME or not name.isprintable():
        raise UserError(
            f"A consumer's name has 1 to {_NAME} printable characters.",
            hint="For example: consumer=checkout-service",
        )
    return name


def _wanted(ask: ResolveRequest, found: Resolved, now: datetime) -> Consumer:
    if not SHORTEST <= ask.lease <= LONGEST:
        raise UserError("A lease lasts from one minute to 90 days.")
    version, until = found.version, now + ask.lease
    if version.sunset_firm and version.sunset is not None:
        until = min(until, version.sunset)
    return Consumer(
        model=ask.model,
        name=ask.consumer or "",
        version=version.number,
        selector=ask.selector,
        since=now,
        seen_at=now,
        until=until,
        actor=ask.actor,
    )


def _is_fresh(lease: Consumer, wanted: Consumer, now: datetime) -> bool:
    if lease.selector != wanted.selector or lease.until <= now:
        return False
    return wanted.until - lease.until < (wanted.until - now) * _RENEW


def needs_of(tx: Transaction, model: str, now: datetime) -> dict[int, Needs]:
    """Who needs which version now; versions that nobody needs are left out."""
    leases = live_leases(tx.consumers.of(model, live_at=now), now)
    aliases, keeps = tx.aliases.of(model), tx.keeps.of(model)
    history = tx.registry.history(model, 1000)
    seated = tx.registry.versions(model, numbers={reign.version for reign in history})
    back = ways_back(history, seated)
    numbers = {one.version for one in leases} | {one.version for one in keeps} | back
    numbers |= {alias.version for alias in aliases if alias.version is not None}
    return {
        number: Needs(
            aliases=tuple(alias.name for alias in aliases if alias.version == number),
            consumers=tuple(one for one in leases if one.version == number),
            holds=tuple(keep for keep in keeps if keep.version == number),
            way_back=number in back,
        )
        for number in sorted(numbers, reverse=True)
    }


def release_consumer(store: Store, model: str, consumer: str, now: datetime) -> int:
    """The consumer is gone: end its leases; how many there were. Conflict if there were none."""
    with store.begin() as tx:
        ended = tx.consumers.release(model, consumer, now)
    if not ended:
        raise Conflict(f"{consumer} has no lease on {model}.")
    return ended


def consumer_rows(
    leases: Collection[Consumer], states: dict[int, VersionState], now: datetime
) -> list[dict[str, object]]:
    """Leases as rows of a list; ``blocks`` says whether the lease keeps a version that would leave."""
    leaving = {VersionState.DEPRECATED}
    return [
        {
            **to_plain(replace(lease)),
            "pinned": lease.pinned,
            "live": lease.until > now,
            "state": states[lease.version].value,
            "blocks": lease.until > now and states[lease.version] in leaving,
        }
        for lease in leases
    ]
