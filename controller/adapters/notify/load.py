"""Reads the file of ``INCUMBENT_NOTIFY``: where channels lead, how they are spoken to, and how messages are worded.

A mistake in one channel or template is told (``incumbent notify check``, ``doctor``) and stops no other: the channel
fails visibly in the delivery log, the template makes way for the standard one.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from controller.adapters.notify.people import AppriseSender
from controller.adapters.notify.plugin import PluginSender
from controller.adapters.notify.webhook import WebhookSender
from controller.adapters.plugins import PluginGroup, find_plugin
from controller.domain.durations import parse_duration
from controller.domain.errors import ConfigurationError, IncumbentError
from controller.domain.notices import ChannelRules, QuietHours, Template
from controller.ports import Message, Sender

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifyPlan:
    """What the file says. ``problems`` are sentences about what cannot be used."""

    channels: Mapping[str, ChannelRules]
    senders: Mapping[str, Sequence[Sender]]
    problems: tuple[str, ...] = ()
    file: Path | None = None


def _span(value: Any) -> timedelta:
    found = parse_duration(str(value).strip())
    if found is None:
        raise ValueError(f"{value!r} is no span of time; write 30s, 5m, 4h or 3d")
    return found


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"{value!r} is no time zone") from None
    return value


TextDuration = Annotated[timedelta, BeforeValidator(_span)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Quiet(_Shape):
    begins: time = Field(alias="from")
    to: time
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    days: tuple[Day, ...] = _DAYS

    def hours(self) -> QuietHours:
        days = frozenset(_DAYS.index(day) for day in self.days)
        return QuietHours(start=self.begins, end=self.to, zone=self.timezone, days=days)


class _Webhook(_Shape):
    url: str
    secret: str
    name: str = ""


class _Template(_Shape):
    subject: str = Field("[incumbent] {model}: {what}", max_length=500)
    line: str = Field("{model}: {what}.\nWhy: {sentence}.\n{link}", max_length=5000)


class _Channel(_Shape):
    to: list[str] = []
    webhooks: list[_Webhook] = []
    group: TextDuration = timedelta(seconds=30)
    interval: TextDuration = timedelta(minutes=5)
    repeat: TextDuration = timedelta(hours=4)
    give_up: TextDuration = timedelta(days=3)
    quiet: _Quiet | None = None
    urgent: list[str] = ["rolled_back"]
    templates: dict[str, _Template] = {}


class _File(_Shape):
    allow: list[str] = []
    channels: dict[str, _Channel] = {}
    templates: dict[str, _Template] = {}


def load_plan(file: Path | None, *, source: str) -> NotifyPlan:
    """The plan; ConfigurationError if the file cannot be read or has another shape. ``source`` is who webhooks name."""
    if file is None:
        return NotifyPlan(channels={}, senders={})
    held = _read(file)
    problems: list[str] = []
    if any(secret for secret in _plain_secrets(held)) and _open_to_others(file):
        problems.append(
            f"{file} holds secrets and others may read it; chmod 600, or name file:/env: instead."
        )
    channels, senders = {}, {}
    for name, channel in held.channels.items():
        channels[name] = _rules(name, channel, held, problems)
        senders[name] = _senders(name, channel, held.allow, source, problems)
    return NotifyPlan(channels=channels, senders=senders, problems=tuple(problems), file=file)


def _read(file: Path) -> _File:
    try:
        return _File(**tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigurationError(
            f"INCUMBENT_NOTIFY names {file}, which cannot be read: {error.strerror}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file} is no TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            said = "there is no such key"
        raise ConfigurationError(f"{file}: {where}: {said}.") from None


def _rules(name: str, channel: _Channel, held: _File, problems: list[str]) -> ChannelRules:
    templates = {
        event: Template(subject=one.subject, line=one.line)
        for event, one in {**held.templates, **channel.templates}.items()
    }
    for event, template in templates.items():
        said = [f"The template {event!r} is not used: {problem}" for problem in template.problems()]
        problems.extend(one for one in said if one not in problems)
    return ChannelRules(
        name=name,
        group=channel.group,
        interval=channel.interval,
        repeat=channel.repeat,
        give_up=channel.give_up,
        quiet=channel.quiet.hours() if channel.quiet else None,
        urgent=frozenset(channel.urgent),
        templates=templates,
    )


def _senders(
    name: str, channel: _Channel, allow: list[str], source: str, problems: list[str]
) -> list[Sender]:
    found: list[Sender] = []
    if not channel.to and not channel.webhooks:
        problems.append(f"The channel {name} leads nowhere: it has neither `to` nor `webhooks`.")
    for index, text in enumerate(channel.to, 1):
        label = f"address {index}"
        try:
            url = secret_text(text, f"channels.{name}.to")
            label = f"{urlsplit(url).scheme or 'address'} {index}"
            plugin = find_plugin(PluginGroup.CHANNELS, urlsplit(url).scheme)
            found.append(
                AppriseSender(label, url, allowed=allow)
                if plugin is None
                else PluginSender(label, url, plugin)
            )
        except IncumbentError as error:
            problems.append(f"The channel {name}: {error.sentence()}")
            found.append(_Broken(label, error.sentence()))
    for index, hook in enumerate(channel.webhooks, 1):
        label = hook.name or f"webhook {index}"
        try:
            url = secret_text(hook.url, f"channels.{name}.webhooks.url")
            _check_url(label, url)
            key = secret_text(hook.secret, f"channels.{name}.webhooks.secret")
            found.append(WebhookSender(label, url, key, source=source, allowed=allow))
        except IncumbentError as error:
            problems.append(f"The channel {name}: {error.sentence()}")
            found.append(_Broken(label, error.sentence()))
    return found


def _check_url(label: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"{label} has an address without http:// or https://.", hint="Write the whole address."
        )


def secret_text(text: str, where: str) -> str:
    """``text``, or what ``file:PATH`` or ``env:NAME`` name; ConfigurationError if they cannot be read."""
    kind, _, name = text.partition(":")
    if kind == "file" and not name.startswith("//"):
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ConfigurationError(
                f"{where} names {name}, which cannot be read: {why}."
            ) from None
    if kind == "env":
        if name not in os.environ:
            raise ConfigurationError(f"{where} names the variable {name}, which is not set.")
        return os.environ[name]
    return text


def _plain_secrets(held: _File) -> list[str]:
    texts = [text for channel in held.channels.values() for text in channel.to]
    texts += [hook.secret for channel in held.channels.values() for hook in channel.webhooks]
    return [text for text in texts if not text.startswith(("file:", "env:"))]


def _open_to_others(file: Path) -> bool:
    return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


class _Broken:
    """An address that cannot be used: each message to it fails with the reason, where everybody sees it."""

    def __init__(self, label: str, why: str) -> None:
        self.label = label
        self._why = why

    def send(self, message: Message) -> None:
        del message
        raise ConfigurationError(self._why)
