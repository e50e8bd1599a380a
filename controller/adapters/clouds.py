"""Opening a place by its URL, and saying in our words what the driver of a cloud's storage says.

Artifacts and data sources reach S3, Google Cloud Storage, Azure Blob Storage and whatever else fsspec has a driver for.
Each driver finds its credentials by itself, in its usual variables and files: no setting of ours holds any, and no
sentence repeats one.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller.domain.errors import ConfigurationError, Unavailable

EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
}
"""Which of our extras brings the driver of a scheme."""

CREDENTIALS = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or whatever else the AWS libraries read.",
    "gcs": "Set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials, or run as a service account that may use the "
    "bucket.",
    "azure": "Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, "
    "AZURE_STORAGE_SAS_TOKEN or an identity that may use the container.",
}
"""What to do when a cloud asks who we are."""

_SECRET = re.compile(
    r"((?:AccountKey|SharedAccessSignature|sig|password|secret|token|key)=)[^\s;&]+", re.IGNORECASE
)


def open_url(url: str, purpose: str, **options: Any) -> tuple[Any, str]:
    """The file system of ``url`` and the path in it; ConfigurationError, which begins with ``purpose``."""
    import fsspec

    scheme = url.partition("://")[0]
    extra = EXTRAS.get(scheme, "")
    name = without_secrets(url)
    _prepare(extra, name, purpose)
    try:
        system, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        hint = f"pip install 'incumbent[{extra}]'." if extra else "Install its driver of fsspec."
        raise ConfigurationError(
            f"{purpose} {name} need a library that is not installed: {foreign_sentence(error)}.",
            hint=hint,
        ) from error
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"{purpose} {name} cannot be opened: {_opening(error)}.",
            hint=CREDENTIALS.get(extra, ""),
        ) from error
    return system, str(path)


def _prepare(extra: str, name: str, purpose: str) -> None:
    """What the drivers need to be told before they are first imported."""
    if extra == "gcs":
        # Zonal buckets need gRPC, whose channels don't survive a fork, and a permission more for every bucket.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        # What fails is raised, and said in one sentence; its log repeats it with a traceback.
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
        _check_google_file(name, purpose)
    elif extra == "azure":
        # At INFO each request is a line of its log.
        logging.getLogger("azure").setLevel(logging.ERROR)


def _check_google_file(name: str, purpose: str) -> None:
    """A file that is named and cannot be read would silently mean: without credentials."""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not named:
        return
    try:
        good = isinstance(json.loads(Path(named).read_bytes()), dict)
        reason = "" if good else "it holds no JSON object"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it is not JSON"
    if reason:
        raise ConfigurationError(
            f"{purpose} {name} cannot be opened: GOOGLE_APPLICATION_CREDENTIALS names {named}: {reason}.",
            hint="Name a file of credentials in JSON that the controller's and the workers' user may read.",
        )


def _opening(error: Exception) -> str:
    text = foreign_sentence(error)
    if "connection_string or account_name" in text:
        return "no storage account is named"
    return text


def without_secrets(url: str) -> str:
    """``url`` as it may be shown: without a password, a user or a query. Azure's ``container@account`` stays."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    place = rest.partition("?")[0]
    user, at, tail = place.rpartition("@")
    if at and EXTRAS.get(scheme) == "azure" and not set(user) & set(":/"):
        tail = place
    return f"{scheme}{mark}{tail if at else place}"


def foreign_sentence(error: Exception) -> str:
    """A foreign error as a short piece of one line, without secrets."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _SECRET.sub(r"\1***", lines[0]) if lines else ""
    return (text if len(text) <= 200 else text[:199] + "…").rstrip(".") or type(error).__name__


def refused_by_cloud(error: Exception, name: str, action: str) -> Unavailable | None:
    """The error for a bucket that is not there or that does not let us in; None for any other."""
    scheme, _, rest = name.partition("://")
    extra = EXTRAS.get(scheme, "")
    bucket = rest.partition("/")[0].partition("@")[0]
    word = "container" if extra == "azure" else "bucket"
    for cause in _causes(error):
        status = _status(cause)
        if status in {401, 403}:
            return Unavailable(
                f"cannot {action} at {name}: the credentials are missing or refused (HTTP {status}: {_words(cause)}).",
                hint=CREDENTIALS.get(extra, ""),
            )
        if extra in {"gcs", "azure"} and (status == 404 or isinstance(cause, FileNotFoundError)):
            return Unavailable(
                f"cannot {action} at {name}: there is no {word} {bucket!r}, or these credentials may not see it.",
                hint=f"Create the {word} first, or correct the address; nothing here creates one.",
            )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """The HTTP status of an error of gcsfs or of Azure's client."""
    for name in ("status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int):
            return value
    return 403 if isinstance(error, OSError) and str(error).startswith("Forbidden:") else None


def _words(error: BaseException) -> str:
    """What the cloud says; gcsfs puts the address of the request on a line before."""
    lines = str(error).splitlines()
    return foreign_sentence(
        OSError(lines[1] if len(lines) > 1 and lines[0].startswith("Forbidden:") else str(error))
    )
