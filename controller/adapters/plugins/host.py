"""Asks a plugin in a process of its own. The control plane never imports it: request and answer are JSON.

What the plugin starts ends with it, and all of it with us.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from controller import lifeline
from controller.adapters.plugins.installed import Plugin
from controller.domain.errors import ConfigurationError, Unavailable

_LONGEST = 60.0
"""Seconds that a plugin may take to answer."""
_LARGEST = 16 << 20
_ENVIRONMENT = ("INCUMBENT_", "AWS_", "AZURE_", "GOOGLE_")
_HOST = "workers.plugins"


def ask_plugin(plugin: Plugin, request: Mapping[str, Any], *, longest: float = _LONGEST) -> Any:
    """What the plugin answers. It sees neither our settings nor our credentials, only the request.

    Raises:
        ConfigurationError: it cannot be used, cannot be loaded, or says that it never will do this.
        Unavailable: it failed, or took longer than ``longest`` seconds.
    """
    plugin.usable()
    what = f"the {plugin.group.noun} {plugin.name} of {plugin.package}"
    command = [sys.executable, "-m", _HOST, plugin.group.value, plugin.name]
    try:
        done = lifeline.run(
            command,
            stdin=json.dumps(request).encode(),
            timeout=longest,
            environment=_clean(os.environ),
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{what} gave no answer within {longest:g} s.") from None
    except OSError as error:
        raise Unavailable(f"{what} could not be started: {error.strerror}.") from error
    return _answer(what, done)


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(_ENVIRONMENT)}


def _answer(what: str, done: subprocess.CompletedProcess[bytes]) -> Any:
    try:
        answer = json.loads(done.stdout) if len(done.stdout) <= _LARGEST else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "ok" not in answer:
        raise Unavailable(f"{what} ended with exit code {done.returncode} and no answer.")
    if answer["ok"]:
        return answer.get("answer")
    reason = str(answer.get("reason") or "it gave no reason").rstrip(".")
    if answer.get("final"):
        raise ConfigurationError(f"{what}: {reason}.")
    raise Unavailable(f"{what}: {reason}.")
