"""A bucket says that objects were written: the sources that may mean them are looked at now instead of later.

A notification is only a hint: it may be late, doubled, lost or forged, and the listing stays the truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from controller.domain.rules import Policy
from controller.ports import Transaction
from controller.service.rules.active import InForce, Parse
from controller.service.sources.poll import streams_of

_MAGIC = re.compile(r"[*?\\[]")


def hint_addresses(
    tx: Transaction, addresses: Sequence[str], parse: Parse, at: datetime
) -> tuple[str, ...]:
    """Leave a hint for each source that may mean one of these URLs; the models (and serving logs) that were meant."""
    found = sorted(_meant(_in_force(tx, parse), addresses))
    if found:
        tx.hints.hint(found, at)
    return tuple(found)


def _in_force(tx: Transaction, parse: Parse) -> Iterable[InForce]:
    for rules in tx.rules.all_active():
        policy: Policy = parse(rules.text, rules.ref.path)
        yield from streams_of(InForce(rules.model, rules.ref.blob, policy))


def _meant(streams: Iterable[InForce], addresses: Sequence[str]) -> set[str]:
    return {
        stream.model
        for stream in streams
        if any(address.startswith(_fixed(stream.policy.data.source)) for address in addresses)
        and "://" in stream.policy.data.source
    }


def _fixed(source: str) -> str:
    """The address up to its first wild card; of a table, the folder that it lies in."""
    return _MAGIC.split(source.removeprefix("delta:"), maxsplit=1)[0]
