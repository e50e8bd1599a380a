"""A model's folder that was not made by a training: nothing grows, nothing lands outside."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.failure import Failure
from workers.models import store_saved, unpacked


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as bundle:
        for made, content in entries:
            made.size = len(content) if made.isfile() else 0
            bundle.addfile(made, io.BytesIO(content))
    return buffer.getvalue()


def climbing() -> bytes:
    return tar_of((entry("../outside.txt"), b"got out"))


def absolute() -> bytes:
    return tar_of((entry("/../../etc/incumbent-was-here"), b"got out"))


def linked() -> bytes:
    link = entry("way", type=tarfile.SYMTYPE, linkname="../..")
    return tar_of((link, b""), (entry("way/outside.txt"), b"got out"))


def device() -> bytes:
    return tar_of((entry("null", type=tarfile.CHRTYPE), b""))


def bomb() -> bytes:
    return gzip.compress(tar_of((entry("zeros"), bytes(50 << 20))))


def sparse() -> bytes:
    """A file of 1 GiB with one block in it: GNU's way to say so in 512 bytes."""
    header = bytearray(entry("holes", size=512, type=tarfile.GNUTYPE_SPARSE).tobuf())
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % (1 << 30)
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:512]) + 8 * 32)
    return bytes(header) + bytes(512 + 1024)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (climbing, "outside the destination"),
        (linked, "outside the destination"),
        (device, "special file"),
        (bomb, "cannot be unpacked"),
        (sparse, "more than it holds"),
        (lambda: b"no tar at all" * 100, "cannot be unpacked"),
    ],
    ids=["a path with ..", "a link out of the folder", "a device", "a bomb", "holes", "garbage"],
)
def test_a_folder_that_no_training_stored_is_refused(
    make: Callable[[], bytes], said: str, tmp_path: Path
):
    path = tmp_path / "inner" / "model"
    path.parent.mkdir()
    path.write_bytes(make())
    with pytest.raises(Failure, match=said):
        unpacked(path)
    assert not list(tmp_path.glob("outside*"))
    grown = sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())
    assert grown < 1 << 20


def test_an_absolute_path_stays_inside(tmp_path: Path):
    path = tmp_path / "model"
    path.write_bytes(absolute())
    with pytest.raises(Failure, match="outside the destination"):
        unpacked(path)
    assert not Path("/etc/incumbent-was-here").exists()


def test_a_link_out_of_a_folder_that_a_training_saved_is_no_way_to_read(tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a password")
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "way").symlink_to(secret)
    stored = tmp_path / "model"
    store_saved(saved, stored)
    assert b"a password" not in stored.read_bytes()
    with pytest.raises(Failure, match="cannot be unpacked"):
        unpacked(stored)
