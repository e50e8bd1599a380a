"""The client's routes of messages, silences, channels and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from controller.adapters.remote.wire import Wire, path_part


class MessageRoutes(Wire):
    """What a person settles about who is told, and who may call."""

    def messages(self, **filters: Any) -> list[dict[str, Any]]:
        """The delivery log, newest first, one part of it."""
        return list(self._get("messages", filters)["items"])

    def send_again(self, number: int, *, key: str | None = None) -> dict[str, Any]:
        """A copy of a message to the same address."""
        return dict(self._post(f"messages/{number}/again", None, key))

    def silences(self) -> list[dict[str, Any]]:
        """What is silenced now."""
        return list(self._get("silences"))

    def silence(
        self,
        lasts: timedelta,
        reason: str,
        *,
        model: str | None = None,
        event: str | None = None,
        channel: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Silence what matches, for a while; nothing given matches all."""
        body = {"seconds": int(lasts.total_seconds()), "reason": reason}
        return dict(
            self._post("silences", body | {"model": model, "event": event, "channel": channel}, key)
        )

    def end_silence(self, number: int) -> None:
        """End a silence now."""
        self._send("POST", f"silences/{number}/end")

    def channels(self) -> dict[str, Any]:
        """Where messages go, and what is wrong with that."""
        return dict(self._get("channels"))

    def try_channel(self, channel: str, *, key: str | None = None) -> None:
        """Try a channel out."""
        self._post(f"channels/{path_part(channel)}/test", None, key)

    def tokens(self) -> list[dict[str, Any]]:
        """Every token that this one's bearer could have made."""
        return list(self._get("tokens"))

    def create_token(
        self,
        name: str,
        role: str,
        lasts: timedelta,
        *,
        owners: Sequence[str] = (),
        actor: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """A new token; its secret is in ``token``, here and never again."""
        body = {"name": name, "role": role, "seconds": int(lasts.total_seconds())}
        return dict(self._post("tokens", body | {"owners": [*owners], "actor": actor}, key))

    def revoke_token(self, number: int) -> dict[str, Any]:
        """End a token at once."""
        return dict(self._json("DELETE", f"tokens/{number}"))
