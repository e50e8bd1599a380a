"""How the command ends: an exit code, and for anything but success one sentence or one JSON object on stderr.

| code | meaning |
|---|---|
| 0 | good |
| 1 | a negative answer: an invalid policy, a decision that differs |
| 2 | wrong use |
| 3 | what was named does not exist |
| 4 | somebody else was first, or the view was stale |
| 5 | the system could not answer |
| 130 | interrupted |
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable

import click

from controller.domain.errors import IncumbentError

INTERRUPTED = 130

_ROOM = "Make room; nothing was half written."
_OWN = "Make it writable, or name another folder in INCUMBENT_HOME."
_DISK = {
    errno.ENOSPC: ("The disk is full: {place} cannot be written.", _ROOM),
    errno.EDQUOT: ("The quota is used up: {place} cannot be written.", _ROOM),
    errno.EFBIG: ("A file would grow beyond what is allowed: {place} cannot be written.", _ROOM),
    errno.EROFS: ("The disk is read-only: {place} cannot be written.", _OWN),
    errno.EACCES: ("Access is denied: {place} cannot be used.", _OWN),
}
"""What the system says of a disk, and what to do; ``place`` is the path that was to be written, where it is known."""


def run_command(command: Callable[[], object], *, as_json: bool) -> int:
    """Run `command` and turn whatever it raises into an exit code and a sentence; its own integer is the code."""
    try:
        outcome = command()
        sys.stdout.flush()
    except IncumbentError as error:
        _tell(error.code, error.message, error.hint, error.details, as_json=as_json)
        return error.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "incumbent"
        _tell("wrong_use", error.format_message(), f"See `{where} --help`.", {}, as_json=as_json)
        return error.exit_code
    except click.ClickException as error:
        _tell("error", error.format_message(), "", {}, as_json=as_json)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted", "Interrupted.", "", {}, as_json=as_json)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`incumbent decisions | head`). Nothing more can be said on stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - a defect ends in a sentence too
        if os.environ.get("INCUMBENT_DEBUG"):
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno in _DISK:
            said, hint = _DISK[error.errno]
            said = said.format(place=error.filename or "a file")
            _tell("storage", said, hint, {}, as_json=as_json)
            return IncumbentError.exit_code
        said = f"Incumbent itself failed: {type(error).__name__}: {error}".rstrip(".") + "."
        hint = "This is a defect of Incumbent; INCUMBENT_DEBUG=1 shows where."
        _tell("internal", said, hint, {}, as_json=as_json)
        return IncumbentError.exit_code
    return outcome if isinstance(outcome, int) and not isinstance(outcome, bool) else 0


def _tell(code: str, message: str, hint: str, details: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        body = {"code": code, "message": message, "hint": hint, "details": details}
        click.echo(json.dumps(body, default=str, ensure_ascii=False), err=True)
    else:
        click.echo(f"{message} {hint}".strip(), err=True)
