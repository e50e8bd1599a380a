"""A webhook of an MLflow server: who signed it, when, and which model it is about. Pure: bytes in, a hint out.

MLflow (3.3 and later) signs as Standard Webhooks 1.0 does, under header names of its own, with the secret's text as the
key. It keeps no queue: what it could not deliver after three attempts is lost, so nothing may rest on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from controller.adapters.sources.events import (
    LARGEST_DELIVERY,
    BadEvent,
    BadSignature,
    delivery_name,
    verify_standard,
)
from controller.domain.catalog import CHAMPION_ALIAS

_LONGEST_NAME = 1_000
SIGNATURE, STAMP, DELIVERY = "x-mlflow-signature", "x-mlflow-timestamp", "x-mlflow-delivery-id"


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryHint:
    """Something happened to ``model`` over there, at ``signed_at`` or a moment before."""

    model: str
    signed_at: datetime
    delivery: str
    """The same whenever the same delivery is sent again."""


def read_webhook(
    headers: Mapping[str, str], body: bytes, secret: str | None, now: datetime
) -> RegistryHint | None:
    """What the delivery hints at; None where it is about another alias than the champion's.

    Raises BadSignature unless ``secret`` signed it within the last minutes, and BadEvent for what is no webhook.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if secret is None:
        raise BadSignature(
            "this server knows no secret for the webhooks of a registry.",
            hint="Set INCUMBENT_REGISTRY_WEBHOOK_SECRET (or _FILE) to the secret of the webhook.",
        )
    signed_at = verify_standard(
        name=lower.get(DELIVERY, ""),
        stamp=lower.get(STAMP, ""),
        signatures=lower.get(SIGNATURE, ""),
        body=body,
        keys=[secret.encode()],
        now=now,
    )
    model, alias = _named(body)
    if alias is not None and alias != CHAMPION_ALIAS:
        return None
    delivery = delivery_name(lower.get(DELIVERY, ""), body)
    return RegistryHint(model=model, signed_at=signed_at, delivery=delivery)


def _named(body: bytes) -> tuple[str, object]:
    if len(body) > LARGEST_DELIVERY:
        raise BadEvent(
            f"the delivery has {len(body):,} bytes, at most {LARGEST_DELIVERY:,} are taken."
        )
    try:
        held = json.loads(body)
    except (ValueError, RecursionError):
        raise BadEvent("the delivery's body is no JSON.") from None
    data = held.get("data") if isinstance(held, dict) else None
    model = data.get("name") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(model, str) or not _is_name(model):
        raise BadEvent("the webhook names no model.", hint="MLflow sends it as data.name.")
    return model, data.get("alias")


def _is_name(text: str) -> bool:
    """Whether it could be one over there: half a character is no text, and no database can be asked for it."""
    half = any("\ud800" <= sign <= "\udfff" for sign in text)
    return 0 < len(text) <= _LONGEST_NAME and not half
