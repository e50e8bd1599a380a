"""Reading what a server answers, no more than is taken: a small compressed body may hold gigabytes."""

from __future__ import annotations

import requests

from controller.domain.errors import Unavailable

MOST = 8 << 20
_PART = 1 << 16


def read_answer(answer: requests.Response, name: str, most: int = MOST) -> requests.Response:
    """``answer`` (asked for with ``stream``), read and closed; Unavailable if it is larger than ``most`` bytes.

    The bytes are counted as they are unpacked. ``name`` stands for the server in the sentence.
    """
    parts, size = [], 0
    with answer:
        for part in answer.iter_content(_PART):
            size += len(part)
            if size > most:
                raise Unavailable(f"{name} answers with more than {most:,} bytes.")
            parts.append(part)
    answer._content = b"".join(parts)  # noqa: SLF001 - what requests itself would have read
    return answer
