"""Files that were made to harm, at every place that opens one: what each place says of each file.

``python -m tests.support.planted FOLDER`` plants and opens them all in one process and prints JSON: what was said at
each place of each file ("" where it was taken for empty), the megabytes that the process held at its peak, and those
that lie in the folder afterwards.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog import load_catalog

from controller.adapters.artifacts.local import LocalArtifacts
from controller.adapters.backup.folder import MANIFEST, restore_folder
from controller.adapters.git.load_settings import load_review_settings
from controller.adapters.memory.artifacts import MemoryArtifacts
from controller.adapters.notify.load import load_plan
from controller.adapters.rules_folder import RulesFolder
from controller.adapters.series_files import read_series
from controller.adapters.sources.files import FileSource
from controller.adapters.sources.lakes import DeltaPlace, IcebergPlace
from controller.domain.errors import IncumbentError
from controller.evidence.stored import read_scored
from controller.ports.documents import read_document
from controller.rulefmt import load_policy, read_policy_text
from controller.service.registry.pull import from_bytes, pull_artifact
from controller.service.replay.anchor import read_anchors
from tests.support.peak import peak_memory
from workers.commands import _found_metrics
from workers.contract import EventPipe
from workers.failure import Failure
from workers.files import read_columns
from workers.from_mlflow import load_model
from workers.jobs import read_answer
from workers.models import unpacked

MEGABYTES = 10
"""What an archive of kilobytes unpacks to."""


class Shell:
    """Unpickled it makes a file, so that nobody can say it was not."""

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, ("unpickled", 0o777)


def _zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("../outside", bytes(MEGABYTES << 20))
    return sink.getvalue()


def _tar() -> bytes:
    """A path out of the folder, and a file that says it has a terabyte."""
    climbing, vast = tarfile.TarInfo("../outside"), tarfile.TarInfo("vast")
    vast.size = 1 << 40
    return climbing.tobuf() + vast.tobuf() + bytes(1024)


def _number(value: int) -> bytes:
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def _parquet() -> bytes:
    """A footer of a few bytes that names a million columns, which cost a reader most of a gigabyte."""
    footer = b"\x15\x02\x19\xfc" + _number(1_000_000) + b"\x48\x04root\x15\x02\x00"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _aliases() -> bytes:
    """Nine levels of ten references each: a billion values in a quarter of a kilobyte."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines).encode()


CONTENTS: Mapping[str, Callable[[], bytes]] = {
    "pickle": lambda: pickle.dumps(Shell()),
    "zip": _zip,
    "tar": _tar,
    "gzip": lambda: gzip.compress(bytes(MEGABYTES << 20), mtime=0),
    "parquet": _parquet,
    "aliases": _aliases,
    "nested": lambda: b"[" * 100_000,
    "nested mapping": lambda: b'{"a":' * 20_000,
    "long": lambda: b"a" * MEGABYTES * (1 << 20),
    "nothing": lambda: b"",
}


def _planted(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1, 1))
    return path


def _source(ending: str) -> Callable[[bytes, Path], object]:
    def opened(content: bytes, folder: Path) -> object:
        poll = FileSource(str(_planted(folder, f"x.{ending}", content))).poll(None)
        return " ".join(poll.problems) or [batch.rows for batch in poll.batches]

    return opened


def _series(ending: str) -> Callable[[bytes, Path], object]:
    return lambda content, folder: read_series(_planted(folder, f"s.{ending}", content))


def _delta_log(content: bytes, folder: Path) -> object:
    _planted(folder, f"table/_delta_log/{0:020}.json", content)
    return list(DeltaPlace("table", folder).entries())


def _delta_checkpoint(content: bytes, folder: Path) -> object:
    log = "table/_delta_log"
    _planted(folder, f"{log}/_last_checkpoint", b'{"version":3,"size":1}')
    _planted(folder, f"{log}/{3:020}.checkpoint.parquet", content)
    return list(DeltaPlace("table", folder).entries())


@cache
def _iceberg_table(folder: Path) -> Mapping[Path, bytes]:
    """The files of a table with one row and their places, which stand in them too."""
    rows = pa.table({"t": [1]})
    with load_catalog("lake", **_lake(folder)) as catalog:
        catalog.create_namespace("air")
        catalog.create_table("air.flights", schema=rows.schema).append(rows)
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _lake(folder: Path) -> dict[str, str]:
    uri, warehouse = f"sqlite:///{folder / 'catalog.db'}", f"file://{folder}/lake"
    return {"type": "sql", "uri": uri, "warehouse": warehouse}


def _iceberg(planted: str) -> Callable[[bytes, Path], object]:
    """The newest file of the table that fits the pattern is replaced."""

    def opened(content: bytes, folder: Path) -> object:
        for path, held in _iceberg_table(folder).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(held)
        max(folder.rglob(planted)).write_bytes(content)
        return list(IcebergPlace("lake.air.flights", _lake(folder)).entries())

    return opened


def _restored(folder: Path) -> object:
    target = folder / "home" / "restored.db"
    try:
        return restore_folder(
            folder / "backup", f"sqlite:///{target}", LocalArtifacts(folder / "home" / "artifacts")
        )
    finally:
        left = [path.name for path in target.parent.glob("*.db*")]
        assert not left, left


def _manifest(content: bytes, folder: Path) -> object:
    _planted(folder, f"backup/{MANIFEST}", content)
    return _restored(folder)


def _database(content: bytes, folder: Path) -> object:
    held = {
        "database": "database.sqlite",
        "database_sha256": sha256(content).hexdigest(),
        "artifacts": 0,
    }
    _planted(folder, f"backup/{MANIFEST}", json.dumps(held).encode())
    _planted(folder, "backup/database.sqlite", content)
    return _restored(folder)


def _pulled(content: bytes, folder: Path) -> object:
    try:
        return pull_artifact("0" * 64, len(content), from_bytes(content), folder / "pulled")
    finally:
        assert not list(folder.iterdir())


def _document(content: bytes, folder: Path) -> object:
    artifacts = MemoryArtifacts()
    return read_document(artifacts, artifacts.put_bytes(content))


def _rules(content: bytes, folder: Path) -> object:
    path = _planted(folder, "rules/m.yaml", content)
    (found,) = RulesFolder(path.parent).read()
    return found.refused or load_policy(read_policy_text(path), "m.yaml")


def _ml_model(content: bytes, folder: Path) -> object:
    _planted(folder, "MLmodel", content)
    return load_model(folder)


def _figures(content: bytes, folder: Path) -> object:
    _planted(folder, "metrics.json", content)
    return _found_metrics(folder, EventPipe(None))


PLACES: Mapping[str, Callable[[bytes, Path], object]] = {
    **{f"source .{ending}": _source(ending) for ending in ("parquet", "arrow", "csv", "csv.gz", "jsonl", "json")},
    "series .csv": _series("csv"),
    "series .parquet": _series("parquet"),
    "log of a Delta table": _delta_log,
    "checkpoint of a Delta table": _delta_checkpoint,
    "metadata of an Iceberg table": _iceberg("*.metadata.json"),
    "snapshot of an Iceberg table": _iceberg("snap-*.avro"),
    "manifest of an Iceberg table": _iceberg("*-m0.avro"),
    "manifest of a backup": _manifest,
    "database of a backup": _database,
    "pulled artifact": _pulled,
    "lineage, report or profile": _document,
    "predictions of verify --evidence": lambda content, _: read_scored(content),
    "anchors": lambda content, _: read_anchors(content.decode("utf-8", "replace").splitlines()),
    "rules folder": _rules,
    "channels": lambda c, f: load_plan(_planted(f, "notify.toml", c), source="x").channels,
    "review settings": lambda c, f: load_review_settings(_planted(f, "r.toml", c), cache=f),
    "worker: file of a batch .parquet": lambda c, f: read_columns(_planted(f, "b.parquet", c), ["t"]),
    "worker: file of a batch .arrow": lambda c, f: read_columns(_planted(f, "b.arrow", c), ["t"]),
    "worker: answer of a child": lambda c, f: read_answer(_planted(f, "answer.json", c).parent) or {},
    "worker: figures of a command": _figures,
    "worker: model's folder": lambda c, f: list(unpacked(_planted(f, "model", c)).iterdir()),
    "worker: MLmodel": _ml_model,
}  # fmt: skip


def open_all(folder: Path) -> dict[str, object]:
    """Each content at each place, in a folder of its own."""
    os.chdir(folder)
    contents = {name: make() for name, make in CONTENTS.items()}
    said: list[dict[str, object]] = []
    for place, opens in PLACES.items():
        for name, content in contents.items():
            corner = folder / "corner" / "inner"
            corner.mkdir(parents=True)
            try:
                found = opens(content, corner)
                what = found if isinstance(found, str) else f"taken: {found}" if found else ""
            except IncumbentError as error:
                what = error.sentence()
            except Failure as failure:
                what = str(failure)
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                what = f"raised: {error!r}"
            said.append({"place": place, "content": name, "said": what[:1000]})
            held = sum(p.lstat().st_size for p in corner.rglob("*") if p.is_file())
            said[-1]["grew"] = max(0, held - len(content)) >> 20
            shutil.rmtree(folder / "corner")
    return {
        "said": said,
        "peak": peak_memory(),
        "left": sorted(path.name for path in folder.iterdir()),
    }


if __name__ == "__main__":
    print(json.dumps(open_all(Path(sys.argv[1]))))
