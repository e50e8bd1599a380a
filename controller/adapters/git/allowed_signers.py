"""The file of allowed signers, read for one question: which names does it give a key?

Whether a signature is good is ``ssh-keygen``'s to say; it names only the first line that has the key. For who may *not*
review, every line of a key counts, whatever its options: expired, for other namespaces, a certificate authority.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from itertools import pairwise

_PART = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^ \t\r"])+')


def names_of_key(text: str, fingerprint: str) -> tuple[str, ...]:
    """Every name and pattern that ``text`` gives the key, in its order. A pattern's exceptions are left out."""
    names: dict[str, None] = {}
    for line in text.split("\n"):
        found = _line(line)
        if found is not None and found[1] == fingerprint:
            names |= dict.fromkeys(found[0])
    return tuple(names)


def _line(line: str) -> tuple[list[str], str] | None:
    """The names of a line and its key's fingerprint; None for comments and what is no line."""
    parts = _PART.findall(line)
    if not parts or parts[0].startswith("#"):
        return None
    names = [name for name in parts[0].replace('"', "").split(",") if name and name[0] != "!"]
    for kind, encoded in pairwise(parts[1:]):
        blob = _decoded(encoded)
        if blob is not None and blob[4 : 4 + int.from_bytes(blob[:4], "big")] == kind.encode():
            return names, fingerprint_of(blob)
    return None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def fingerprint_of(blob: bytes) -> str:
    """A public key's fingerprint as OpenSSH writes it: SHA-256 in base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
