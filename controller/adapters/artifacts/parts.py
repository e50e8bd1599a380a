"""An upload to S3 that goes on where it was cut off, also when another process takes it up.

A large artifact goes up in parts of a multipart upload. Its key is its digest, so whoever finds an unfinished upload of
the key has the same bytes: parts that are there whole are not sent again. Until the upload is completed no reader sees
anything of it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PART = 16 << 20
"""Bytes of a part, if ten thousand of them are enough."""
_MOST_PARTS = 10_000


def takes_parts(system: Any) -> bool:
    """Whether the file system is S3's."""
    return callable(getattr(system, "call_s3", None))


def part_size(size: int) -> int:
    """Bytes of a part of an artifact of ``size`` bytes: a function of the size alone, so that a second try agrees."""
    return max(PART, math.ceil(size / _MOST_PARTS))


def put_in_parts(system: Any, path: Path, place: str) -> int:
    """Upload the file to ``place``; how many parts were sent now."""
    bucket, key, _ = system.split_path(place)
    upload = _unfinished(system, bucket, key)
    if upload is None:
        upload = system.call_s3("create_multipart_upload", Bucket=bucket, Key=key)["UploadId"]
    at = {"Bucket": bucket, "Key": key, "UploadId": upload}
    there = {part["PartNumber"]: part for part in _parts(system, at)}
    done, sent = [], 0
    for number, content in enumerate(cut(path, part_size(path.stat().st_size)), 1):
        tag = there[number]["ETag"] if _same(there.get(number), content) else None
        if tag is None:
            answer = system.call_s3("upload_part", PartNumber=number, Body=content, **at)
            tag, sent = answer["ETag"], sent + 1
        done.append({"PartNumber": number, "ETag": tag})
    system.call_s3("complete_multipart_upload", MultipartUpload={"Parts": done}, **at)
    return sent


def _unfinished(system: Any, bucket: str, key: str) -> str | None:
    """The newest upload of the key that was begun and not completed."""
    found = system.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key)
    uploads = [one for one in found.get("Uploads") or () if one["Key"] == key]
    return max(uploads, key=lambda one: one["Initiated"])["UploadId"] if uploads else None


def _parts(system: Any, at: dict[str, str]) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        found = system.call_s3("list_parts", PartNumberMarker=after, **at)
        yield from found.get("Parts") or ()
        if not found.get("IsTruncated"):
            return
        after = found["NextPartNumberMarker"]


def cut(path: Path, size: int) -> Iterator[bytes]:
    """The file's bytes, ``size`` at a time."""
    with path.open("rb") as source:
        while content := source.read(size):
            yield content


def _same(part: dict[str, Any] | None, content: bytes) -> bool:
    """Whether the part holds these bytes. An ETag that is no MD5 (an encrypted bucket's) counts as another."""
    if part is None or part["Size"] != len(content):
        return False
    return bool(part["ETag"].strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest())
