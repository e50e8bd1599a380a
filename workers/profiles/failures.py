"""What an engine says about a file it cannot read, as one sentence for the person who sent it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from controller.domain.errors import IncumbentError, NotFound, StorageFull, Unavailable, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_KNOWN = (
    ("no magic bytes", "is cut short, or is no Parquet file", "send the file again, whole."),
    ("too small to be a parquet", "is cut short, or is no Parquet file", "send it again, whole."),
    ("encrypt", "is encrypted", "write it without Parquet encryption."),
    ("malformed json", "holds a line that is no JSON", "write one JSON object a line."),
    ("invalid unicode", "is not UTF-8", "convert it to UTF-8."),
    ("not utf-8", "is not UTF-8", "convert it to UTF-8."),
    ("error when sniffing", "cannot be read as CSV", "check its delimiter, quotes and encoding."),
    ("csv error", "cannot be read as CSV", "check its delimiter and quotes."),
)


@contextmanager
def explained(title: str) -> Iterator[None]:
    """Turn an engine's error into one of ours that names the file and what to do.

    Raises:
        UserError: the file cannot be read as it is.
        NotFound: it is not there.
        StorageFull: the temporary place ran full.
        Unavailable: it could not be reached now, or did not fit in memory.
    """
    try:
        yield
    except IncumbentError:
        raise
    except duckdb.OutOfMemoryException as error:
        raise Unavailable(
            f"{title} does not fit in the engine's memory limit;",
            hint="raise the memory of the worker's engine.",
        ) from error
    except FileNotFoundError as error:
        raise NotFound(f"the file {title} does not exist;", hint="check the path.") from error
    except OSError as error:
        if error.errno == 28:
            raise StorageFull(f"no space is left to stage {title}") from error
        raise Unavailable(
            f"{title} cannot be read: {_first_line(error)};", hint="try again."
        ) from error
    except (duckdb.Error, ValueError) as error:
        raise _translated(title, error) from error


def _translated(title: str, error: Exception) -> IncumbentError:
    text = str(error).lower()
    if "no space left" in text or "max_temp_directory_size" in text:
        return StorageFull(f"no space is left to stage {title}")
    if "no files found" in text:
        return NotFound(f"the file {title} does not exist;", hint="check the path.")
    for mark, finding, hint in _KNOWN:
        if mark in text:
            return UserError(f"{title} {finding};", hint=hint, details={"engine": str(error)})
    return UserError(
        f"{title} cannot be read: {_first_line(error)}", details={"engine": str(error)}
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".;")
