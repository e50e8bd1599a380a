"""Secrets that a policy names by a file: only those in the folder that the worker's settings give to policies."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from workers.failure import Failure

VARIABLE = "INCUMBENT_WORKER_SECRETS"
_LONGEST = 1 << 16
"""Bytes; a token is shorter."""


def read_secret(name: str, where: str) -> str:
    """What the file ``name`` holds, which ``where`` in the policy names; Failure if it is not a policy's to name.

    Links are followed before the file is judged, as a mounted secret is one in Kubernetes: those that stay in the
    folder are good.
    """
    file = _inside(name, where)
    try:
        # Not to wait for a writer, should it be a pipe.
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            plain = stat.S_ISREG(os.fstat(handle).st_mode)
            content = stream.read(_LONGEST + 1) if plain else b""
        if not plain or len(content) > _LONGEST:
            raise Failure(f"{where} names {name!r}, which is no file of at most {_LONGEST} bytes.")
        return content.decode().strip()
    except OSError as error:
        raise Failure(f"{where} names {name!r}, which cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Failure(f"{where} names {name!r}, which is no text.") from None


def _inside(name: str, where: str) -> Path:
    """The file itself, without links; Failure where it is not in the folder."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise Failure(
            f"{where} names {name!r}, and this worker gives policies no secrets; let the operator set {VARIABLE} to a "
            "folder that holds it."
        )
    try:
        base = Path(folder).resolve(strict=True)
        file = (base / name).resolve()
    except (OSError, ValueError, RuntimeError):
        base, file = Path(folder), Path()
    if ".." in Path(name).parts or base not in file.parents:
        raise Failure(
            f"{where} names {name!r}, which is not in the worker's folder for the secrets of policies "
            f"({VARIABLE}); name a file in it."
        )
    return file
