"""The git command, so that it runs nothing that a repository brings, asks nothing and ends in time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller import lifeline
from controller.domain.errors import ConfigurationError, Unavailable

SAFE: tuple[str, ...] = (
    "core.hooksPath=/dev/null",  # hooks of the followed repository never run
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.pager=cat",
    "credential.interactive=false",
    "diff.external=",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "fetch.fsckObjects=true",
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
)


@dataclass(frozen=True, slots=True)
class GitOutput:
    """What a git command printed, and how it ended."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """The output without its last line feed."""
        return self.out.decode(errors="replace").rstrip("\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Git:
    """Runs git in ``folder``. ``secrets`` become configuration by environment, so that no argument shows them."""

    folder: Path
    timeout: float = 60.0
    secrets: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: bytes = b"") -> GitOutput:
        """Run a command to its end; Unavailable if it takes too long, ConfigurationError without git."""
        settings = [part for line in SAFE for part in ("-c", line)]
        try:
            done = lifeline.run(
                ["git", *settings, *arguments],
                stdin=stdin,
                timeout=self.timeout,
                folder=self.folder,
                environment=self._environment(),
            )
        except FileNotFoundError as error:
            raise ConfigurationError(
                "there is no git command here, and the rules are followed with it.",
                hint="Install git, or use rules from a folder (review: none).",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"git {arguments[0]} did not end within {self.timeout:g} seconds.",
            ) from error
        return GitOutput(done.returncode, done.stdout, done.stderr.decode(errors="replace").strip())

    def ask(self, *arguments: str, stdin: bytes = b"") -> str:
        """The output of a command that must succeed; else Unavailable with git's own words."""
        return self.ask_bytes(*arguments, stdin=stdin).decode(errors="replace").rstrip("\n")

    def ask_bytes(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """The same as bytes."""
        answer = self.run(*arguments, stdin=stdin)
        if answer.code != 0:
            raise Unavailable(f"git {arguments[0]} failed: {_last_line(answer.err)}.")
        return answer.out

    def _environment(self) -> dict[str, str]:
        kept = (
            "PATH",
            "HOME",
            "SSH_AUTH_SOCK",
            "LANG",
            "TMPDIR",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "http_proxy",
            "https_proxy",
            "no_proxy",
            "HTTPS_PROXY",
            "NO_PROXY",
        )
        pairs = list(self.secrets.items())
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_CONFIG_COUNT": str(len(pairs)),
            **{f"GIT_CONFIG_KEY_{i}": key for i, (key, _) in enumerate(pairs)},
            **{f"GIT_CONFIG_VALUE_{i}": value for i, (_, value) in enumerate(pairs)},
        }


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))]
    line = (telling or lines or ["it gave no reason"])[0]
    return line.removeprefix("fatal: ").removeprefix("error: ").rstrip(".")
