"""Approvals for bare git: a statement of what was read, signed with an SSH key, kept in a ref of the repository.

The statement names the revision and the blob of every rules file at it, so that a signature says nothing about any
other text. It is pushed to ``refs/incumbent/approvals/<revision>/<key>``; the server believes only what
``ssh-keygen -Y verify`` confirms against its own list of allowed signers.

Source of the signature format: OpenSSH's PROTOCOL.sshsig; namespaces keep a signature from being used elsewhere.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.adapters.git.mirror import SHA
from controller.domain.canonical import format_time, parse_time
from controller.domain.errors import ConfigurationError, Unavailable, UserError

NAMESPACE = "rules-review@incumbent"
TITLE = "incumbent rules approval 1"
BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"


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
class Verified:
    """A statement and who signed it: a principal of the allowed signers."""

    statement: Statement
    principal: str


def sign(statement: Statement, key: Path) -> bytes:
    """The statement with its signature; ``key`` is a private key, or a public one whose key an agent holds."""
    with TemporaryDirectory(prefix="incumbent-approval-") as folder:
        text = Path(folder, "statement")
        text.write_bytes(statement.to_bytes())
        answer = _keygen("-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key), str(text))
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
    if not allowed_signers.is_file():
        raise Unavailable(f"the list of allowed signers {allowed_signers} is not there.")
    with TemporaryDirectory(prefix="incumbent-approval-") as folder:
        signature = Path(folder, "signature")
        signature.write_bytes(mark + rest)
        principal = _principal(signature, allowed_signers)
        if principal is None:
            return None
        answer = _keygen(
            "-Y", "verify", "-f", str(allowed_signers), "-I", principal, "-n", NAMESPACE,
            "-s", str(signature), stdin=text,
        )  # fmt: skip
    return Verified(statement=statement, principal=principal) if answer.returncode == 0 else None


def _principal(signature: Path, allowed_signers: Path) -> str | None:
    answer = _keygen("-Y", "find-principals", "-s", str(signature), "-f", str(allowed_signers))
    names = answer.stdout.decode(errors="replace").splitlines()
    return names[0].strip() if answer.returncode == 0 and names else None


def approval_name(content: bytes) -> str:
    """The last part of the ref that holds an approval; the same approval has the same name."""
    return hashlib.sha256(content).hexdigest()[:32]


def _keygen(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments], input=stdin, capture_output=True, timeout=60, check=False
        )
    except FileNotFoundError as error:
        raise ConfigurationError(
            "there is no ssh-keygen here, and approvals are signed and verified with it.",
            hint="Install OpenSSH (8.2 or newer).",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable("ssh-keygen did not end within 60 seconds.") from error
