"""A channel of a plugin: a message is handed to a process of its own, with the address and nothing else of ours."""

from __future__ import annotations

from controller.adapters.notify.people import clean_sentence, secrets_of
from controller.adapters.plugins import Plugin, ask_plugin
from controller.domain.canonical import to_plain
from controller.domain.errors import ConfigurationError, Unavailable
from controller.ports import Message


class PluginSender:
    """One address whose scheme a package brings."""

    def __init__(self, label: str, url: str, plugin: Plugin) -> None:
        self.label = label
        self._url = url
        self._plugin = plugin.usable()

    def send(self, message: Message) -> None:
        try:
            ask_plugin(self._plugin, {"url": self._url, "message": to_plain(message)})
        except Unavailable as error:
            raise Unavailable(self._clean(error.message)) from None
        except ConfigurationError as error:
            raise ConfigurationError(self._clean(error.message)) from None

    def _clean(self, text: str) -> str:
        return clean_sentence(text, secrets_of(self._url))
