"""A thin typed client of the API, over ``requests``: one method a route, errors as the exceptions raised at home."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from controller.adapters.remote.messages import MessageRoutes
from controller.adapters.remote.wire import path_part, why
from controller.domain.canonical import to_plain
from controller.domain.errors import Unavailable


@dataclass(frozen=True, slots=True)
class AcceptedSignal:
    """What the inbox answered to a signal or a person's word."""

    signal: int
    fresh: bool
    status: str
    reason: str
    decision: int | None


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of the stream: ``decision`` or ``run``, its row, and the id to go on from."""

    name: str
    data: dict[str, Any]
    id: int | None = None


class Client(MessageRoutes):
    """A server at ``url``, spoken to with ``token``."""

    # --- reading -------------------------------------------------------------------------------------------

    def models(self) -> list[dict[str, Any]]:
        """Every model with its champion."""
        return list(self._get("models"))

    def model(self, name: str) -> dict[str, Any]:
        """One model at a glance."""
        return dict(self._get(f"models/{path_part(name)}"))

    def versions(self, model: str, **filters: Any) -> list[dict[str, Any]]:
        """A model's versions, newest first."""
        return list(self._get(f"models/{path_part(model)}/versions", filters))

    def history(self, model: str, limit: int = 100) -> list[dict[str, Any]]:
        """Who sat in the seat, newest first."""
        return list(self._get(f"models/{path_part(model)}/history", {"limit": limit}))

    def inbox(self) -> list[dict[str, Any]]:
        """What waits for a person."""
        return list(self._get("inbox"))

    def decisions(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Decisions, newest first; further parts are fetched as they are needed."""
        return self._list("decisions", filters)

    def signals(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Signals with their answers, newest first."""
        return self._list("signals", filters)

    def runs(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Runs, newest first; all parts only where ``model`` is given."""
        return self._list("runs", filters)

    def decision(self, number: int) -> dict[str, Any]:
        """One decision, explained."""
        return dict(self._get(f"decisions/{number}"))

    def verification(self, number: int) -> dict[str, Any]:
        """Whether the decision can be derived again."""
        return dict(self._get(f"decisions/{number}/verification"))

    def run(self, name: str) -> dict[str, Any]:
        """One run."""
        return dict(self._get(f"runs/{path_part(name)}"))

    def output(self, run: str) -> bytes:
        """What a run's training wrote."""
        return self._send("GET", f"runs/{path_part(run)}/output").content

    def policies(self) -> list[dict[str, Any]]:
        """The policies in force."""
        return list(self._get("policies"))

    def read(self, repository: str, name: str, arguments: Mapping[str, Any]) -> Any:
        """One question of a repository, in plain JSON; UserError if the server is of another version."""
        path = f"/internal/v1/{repository}/{name}"
        return self._json("POST", path, json_=to_plain(dict(arguments)))

    def stream(self, model: str | None = None, after: int | None = None) -> Iterator[StreamEvent]:
        """Decisions and progress as they happen, until the server ends the stream."""
        asked = {"model": model, "after": after}
        answer = self._send("GET", "stream", params=asked, stream=True)
        with answer:
            yield from _events(answer.iter_lines(decode_unicode=True))

    # --- saying something ----------------------------------------------------------------------------------

    def signal(
        self,
        model: str,
        kind: str = "manual",
        payload: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        occurred_at: datetime | None = None,
    ) -> AcceptedSignal:
        """Put a signal into the inbox; the same key is the same signal."""
        body = {"model": model, "kind": kind, "payload": dict(payload or {})}
        if occurred_at is not None:
            body["occurred_at"] = to_plain(occurred_at)
        return _accepted(self._post("signals", body, key))

    def signals_batch(self, signals: Sequence[Mapping[str, Any]]) -> list[AcceptedSignal]:
        """Several signals at once: all are kept, or none."""
        return [_accepted(one) for one in self._post("signals/batch", [*signals])]

    def rehearse(self, model: str, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """What would be decided if the signal were there; nothing is changed."""
        body = {"model": model, "kind": kind, "payload": dict(payload)}
        return dict(self._post("signals/rehearsal", body))

    def word(self, right: str, model: str, reason: str, **more: Any) -> AcceptedSignal:
        """A person's word about a model: approve, withdraw, reject, promote, rollback, hold, release, train."""
        key = more.pop("key", None)
        body = {"reason": reason, **{k: v for k, v in more.items() if v not in (None, False)}}
        return _accepted(self._post(f"models/{path_part(model)}/{right}", body, key))

    def say(
        self,
        right: str,
        model: str,
        reason: str,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
    ) -> AcceptedSignal:
        """A word with more to it than a version: alias, deprecate, archive, restore, hold, release."""
        body = {"action": right, "reason": reason, "payload": to_plain(dict(payload))}
        return _accepted(self._post(f"models/{path_part(model)}/words", body, key))

    def resolve(
        self,
        model: str,
        selector: str = "champion",
        *,
        consumer: str | None = None,
        lease: float | None = None,
    ) -> dict[str, Any]:
        """What ``champion``, an alias or a number stands for; warns aloud where it leaves.

        With ``consumer`` the caller takes a lease of ``lease`` seconds, which each resolve renews.
        """
        digits = selector.lstrip("vV")
        if selector == "champion":
            place = "champion"
        elif digits.isdecimal():
            place = f"versions/{digits}"
        else:
            place = f"aliases/{path_part(selector)}"
        asked = {"consumer": consumer, "lease": int(lease) if lease is not None else None}
        found = dict(self._get(f"models/{path_part(model)}/{place}", asked))
        if found["warning"]:
            warnings.warn(found["warning"], DeprecationWarning, stacklevel=2)
        return found

    def artifact(
        self, model: str, version: int, offset: int = 0, *, consumer: str | None = None
    ) -> Iterator[bytes]:
        """A version's bytes from ``offset`` on; what is read is not verified yet."""
        headers = {"range": f"bytes={offset}-"} if offset else {}
        place = f"models/{path_part(model)}/versions/{version}/artifact"
        answer = self._send(
            "GET", place, params={"consumer": consumer}, headers=headers, stream=True
        )
        with answer:
            if offset and answer.status_code != 206:
                raise Unavailable(f"{self.url} does not go on with a download that was cut off.")
            try:
                yield from answer.iter_content(1 << 20)
            except requests.RequestException as error:
                raise Unavailable(f"{self.url} stopped in the middle: {why(error)}.") from error

    def note(
        self,
        model: str,
        version: int | None = None,
        *,
        tags: Mapping[str, str | None] | None = None,
        description: str | None = None,
    ) -> dict[str, Any]:
        """Set tags (None takes one away) and the description of a model or of one version."""
        place = f"models/{path_part(model)}" + (f"/versions/{version}" if version else "")
        body = {"tags": dict(tags or {}), "description": description}
        return dict(self._json("PATCH", f"{place}/notes", json_=body))

    def run_word(
        self, right: str, run: str, reason: str, *, key: str | None = None
    ) -> AcceptedSignal:
        """Cancel or retry a run."""
        return _accepted(self._post(f"runs/{path_part(run)}/{right}", {"reason": reason}, key))

    def delegate(self, to: str, until: datetime, reason: str) -> dict[str, Any]:
        """Let somebody approve in one's place."""
        body = {"to": to, "until": to_plain(until), "reason": reason}
        return dict(self._post("delegations", body))

    def take_back(self, number: int) -> dict[str, Any]:
        """End a delegation."""
        return dict(self._json("DELETE", f"delegations/{number}"))

    def comments(self, subject: str) -> list[dict[str, Any]]:
        """What people say about ``decision:5``, ``run:ID`` or ``version:MODEL/3``."""
        return list(self._get(f"comments/{path_part(subject)}"))

    def comment(self, subject: str, text: str) -> dict[str, Any]:
        """Say something."""
        return dict(self._post(f"comments/{path_part(subject)}", {"text": text}))


def _accepted(body: Mapping[str, Any]) -> AcceptedSignal:
    return AcceptedSignal(
        body["signal"], body["fresh"], body["status"], body["reason"], body["decision"]
    )


def _events(lines: Iterator[str]) -> Iterator[StreamEvent]:
    said: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            said[name] = value.removeprefix(" ")
        elif "data" in said:
            number = int(said["id"]) if said.get("id") else None
            yield StreamEvent(said.get("event", "message"), json.loads(said["data"]), number)
            said = {}
        else:
            said = {}
