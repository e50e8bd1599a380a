"""The server's file about reviews: who may review, where pull requests are, what is protected.

It is a file of its own, outside the reviewed repository, so that no rule can say who may approve rules:

    provider = "github"                     # github, gitlab, gitea or ssh
    remote = "https://github.com/team/rules"
    project = "team/rules"
    token_env = "RULES_TOKEN"

    [[reviewers]]
    name = "Ana"
    accounts = ["ana"]
    emails = ["ana@example.com"]
"""

from __future__ import annotations

import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from controller.adapters.git.settings import ReviewSettings
from controller.domain.errors import ConfigurationError
from controller.policy.review_facts import Reviewer

PROVIDERS = ("github", "gitlab", "gitea", "ssh")
_PATHS = frozenset({"allowed_signers", "cache"})
_TYPES: dict[str, tuple[type, ...]] = {
    "approvals": (int,),
    "require_protection": (bool,),
    "timeout": (int, float),
    "pause": (int, float),
}


def load_review_settings(file: Path, *, cache: Path, remote: str = "") -> ReviewSettings:
    """The settings of ``file``; ConfigurationError with one sentence if they cannot be used.

    ``cache`` and ``remote`` stand where the file does not name them. Relative paths in the file start at its folder.
    """
    held = _read(file)
    reviewers = tuple(_reviewer(file, entry) for entry in held.pop("reviewers", []))
    values: dict[str, Any] = {"cache": cache, "remote": remote, **_values(file, held)}
    try:
        return ReviewSettings(**values, reviewers=reviewers)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.message}", hint=error.hint) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{file} is no TOML: {error}.") from None


def _values(file: Path, held: dict[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(ReviewSettings)} - {"reviewers"}
    values: dict[str, Any] = {}
    for name, value in held.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(known))}."
            raise ConfigurationError(f"{file} has no setting {name}.", hint=hint)
        wanted = _TYPES.get(name, (str,))
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise ConfigurationError(
                f"{file}: {name} is {value!r}, expected a {wanted[-1].__name__}."
            )
        values[name] = file.parent / str(value) if name in _PATHS else value
    if values.get("provider") not in PROVIDERS:
        raise ConfigurationError(
            f"{file}: provider is {values.get('provider')!r}, expected one of {', '.join(PROVIDERS)}."
        )
    return values


def _reviewer(file: Path, entry: Any) -> Reviewer:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ConfigurationError(f"{file}: each of [[reviewers]] needs a name.")
    unknown = entry.keys() - {"name", "accounts", "emails"}
    if unknown:
        raise ConfigurationError(f"{file}: {entry['name']} has {min(unknown)}, which is unknown.")
    lists = {key: entry.get(key, []) for key in ("accounts", "emails")}
    for key, names in lists.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ConfigurationError(f"{file}: {key} of {entry['name']} is no list of texts.")
    if not any(lists.values()):
        raise ConfigurationError(f"{file}: {entry['name']} has neither accounts nor emails.")
    return Reviewer(
        name=entry["name"], accounts=tuple(lists["accounts"]), emails=tuple(lists["emails"])
    )
