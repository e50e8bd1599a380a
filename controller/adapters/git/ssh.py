"""Approvals for bare git: a statement of what was read, signed with an SSH key, kept in a ref of the repository.

The statement names the revision and the blob of every rules file at it, so that a signature says nothing about any
other text. It is pushed to ``refs/incumbent/approvals/<revision>/<key>``; the server believes only what
``ssh-keygen -Y verify`` confirms against its own list of allowed signers.

Source of the signature format: OpenSSH's PROTOCOL.sshsig; namespaces keep a signature from being used elsewhere.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from controller import lifeline
from controller.adapters.git.allowed_signers import names_of_key
from controller.adapters.git.mirror import SHA
from controller.domain.canonical import format_time, parse_time
from controller.domain.errors import ConfigurationError, Unavailable, UserError

NAMESPACE = "rules-review@incumbent"
TITLE = "incumbent rules approval 1"
BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_KEY = re.compile(r"^Good .* key (SHA256:[A-Za-z0-9+/]+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What a reviewer says: I have read these files at this revision, and approve them."""

    revision: str
    folder: str
    at: datetime
    blobs: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """The text that is signed."""
        lines = [
            TITLE,
            f"revision {self.revision}",
            f"folder {self.folder}",
            f"time {format_time(self.at)}",
            *(f"policy {blob} {path}" for path, blob in sorted(self.blobs.items())),
        ]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Statement | None:
        """The statement that ``content`` is; None if it is none, or not written just as we write it."""
        try:
            title, revision, folder, time, *policies = content.decode().splitlines()
            blobs = dict(_policy(line) for line in policies)
            found = cls(
                revision=revision.removeprefix("revision "),
                folder=folder.removeprefix("folder "),
                at=parse_time(time.removeprefix("time ")),
                blobs=blobs,
            )
        except ValueError:
            return None
        whole = title == TITLE and SHA.fullmatch(found.revision) is not None
        return found if whole and found.to_bytes() == content else None


def _policy(line: str) -> tuple[str, str]:
    word, blob, path = line.split(" ", 2)
    if word != "policy" or not SHA.fullmatch(blob):
        raise ValueError(line)
    return path, blob


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A signature that belongs to its text.

    ``key`` is the key's fingerprint (a certificate has its key's). ``principal`` is the first name that the allowed
    signers confirm for it, now and in the namespace, None if there is none; ``names`` are all names that they give it.
    """

    key: str
    principal: str | None
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """A statement and who signed it: a principal of the allowed signers, its key, and all names of that key."""

    statement: Statement
    principal: str
    key: str
    names: tuple[str, ...]


def sign(statement: Statement, key: Path) -> bytes:
    """The statement with its signature; ``key`` is a private key, or a public one whose key an agent holds."""
    with TemporaryDirectory(prefix="incumbent-approval-") as folder:
        text = Path(folder, "statement")
        text.write_bytes(statement.to_bytes())
        words = ("-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key), str(text))
        answer = _keygen(*words, run=_at_the_terminal)
        signature = Path(folder, "statement.sig")
        if answer.returncode != 0 or not signature.exists():
            said = answer.stderr.decode(errors="replace").strip().splitlines() or [
                "no reason given"
            ]
            raise UserError(
                f"the key {key} cannot sign: {said[-1].rstrip('.')}.",
                hint="Name another with --key; a key with a passphrase must be in the agent.",
            )
        return statement.to_bytes() + signature.read_bytes()


def verify_signature_of(content: bytes, allowed_signers: Path) -> Verified | None:
    """Who signed ``content``, as the allowed signers confirm it; None for everything else."""
    text, mark, rest = content.partition(BEGIN)
    statement = Statement.from_bytes(text)
    if not mark or statement is None:
        return None
    checked = check_signature(mark + rest, text, NAMESPACE, allowed_signers)
    if checked is None or checked.principal is None:
        return None
    return Verified(
        statement=statement, principal=checked.principal, key=checked.key, names=checked.names
    )


def check_signature(
    armored: bytes, text: bytes, namespace: str, allowed_signers: Path
) -> Checked | None:
    """Whose signature of ``text`` this is; None if it is not of this text, or made in another namespace."""
    try:
        listed = allowed_signers.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise Unavailable(
            f"the list of allowed signers {allowed_signers} is not there, or cannot be read."
        ) from None
    with TemporaryDirectory(prefix="incumbent-signature-") as folder:
        signature = Path(folder, "signature")
        signature.write_bytes(armored)
        said = _keygen(
            "-Y", "check-novalidate", "-n", namespace, "-s", str(signature), stdin=text
        ).stdout.decode(errors="replace")
        key = _KEY.search(said)
        if key is None:
            return None
        names = dict.fromkeys([
            *_principals(signature, allowed_signers),
            *names_of_key(listed, key.group(1)),
        ])  # fmt: skip
        confirmed = (
            name
            for name in names
            if _keygen(
                "-Y", "verify", "-f", str(allowed_signers), "-I", name, "-n", namespace,
                "-s", str(signature), stdin=text,
            ).returncode == 0
        )  # fmt: skip
        return Checked(key=key.group(1), principal=next(confirmed, None), names=tuple(names))


def _principals(signature: Path, allowed_signers: Path) -> list[str]:
    """Names of the first line that has the key, or those of its certificate that its authority may name."""
    answer = _keygen("-Y", "find-principals", "-s", str(signature), "-f", str(allowed_signers))
    names = answer.stdout.decode(errors="replace").splitlines() if answer.returncode == 0 else []
    return [name for name in (line.strip() for line in names) if name and name[0] != "!"]


def approval_name(content: bytes) -> str:
    """The last part of the ref that holds an approval; the same approval has the same name."""
    return hashlib.sha256(content).hexdigest()[:32]


def _at_the_terminal(
    words: Sequence[str], *, stdin: bytes, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """A person's command: it may ask them for the key's passphrase, which nobody without a terminal can."""
    return subprocess.run(words, input=stdin, capture_output=True, timeout=timeout, check=False)


def _keygen(
    *arguments: str,
    stdin: bytes = b"",
    run: Callable[..., subprocess.CompletedProcess[bytes]] = lifeline.run,
) -> subprocess.CompletedProcess[bytes]:
    try:
        return run(["ssh-keygen", *arguments], stdin=stdin, timeout=60)
    except FileNotFoundError as error:
        raise ConfigurationError(
            "there is no ssh-keygen here, and approvals are signed and verified with it.",
            hint="Install OpenSSH (8.2 or newer).",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable("ssh-keygen did not end within 60 seconds.") from error
