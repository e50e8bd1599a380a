"""Places where data arrive, one of each kind that the sources read, filled by tests with the same rows."""

from __future__ import annotations

import functools
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from controller.adapters.sources.open import open_source
from controller.domain.rules import SourceKey
from controller.ports import DataSource
from tests.support.clouds import make_bucket
from tests.support.serving import serve

CLOUDS = {"gcs": "gs", "azure": "az"}
KINDS = (
    *("files", "fsspec", "http", "s3", "sqlite", "postgresql", "delta", "iceberg"),
    *(pytest.param(cloud, marks=pytest.mark.long) for cloud in CLOUDS),
)
COLUMNS = ("id", "delay", "origin")


def rows(start: int, count: int) -> list[dict[str, Any]]:
    """``count`` rows with ids from ``start`` on; every third delay is missing."""
    origins = ("EWR", "JFK", "LGA")
    return [
        {"id": i, "delay": None if i % 3 == 0 else i / 2, "origin": origins[i % 3]}
        for i in range(start, start + count)
    ]


def table(found: list[dict[str, Any]]) -> pa.Table:
    """Rows as Arrow, with the types fixed."""
    kinds = [("id", pa.int64()), ("delay", pa.float64()), ("origin", pa.string())]
    return pa.Table.from_pylist(found, pa.schema(kinds))


@dataclass
class DataPlace:
    """One place: its address in a policy, how rows come to it, and how it goes away."""

    kind: str
    address: str
    base: Path
    append: Callable[[list[dict[str, Any]]], None]
    remove: Callable[[], None]
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def source(self, time: str | None = None) -> DataSource:
        """A source on it, as a process that just started has it."""
        key = SourceKey(address=self.address, time=time)
        places = ("*", "memory://", self.address.rpartition("/")[0])
        return open_source(key, base=self.base, spool=self.base / "spool", places=places)

    def close(self) -> None:
        """Clean up what outlives the test's folder."""
        for close in self._closing:
            close()


def make_place(kind: str, folder: Path, request: pytest.FixtureRequest) -> DataPlace:
    """An empty place of one kind below ``folder``."""
    if kind in {"sqlite", "postgresql"}:
        return _sql(kind, folder, request)
    if kind in CLOUDS:
        return _cloud(kind, folder, request)
    makers = {
        "files": _files,
        "fsspec": _memory,
        "http": _http,
        "delta": _delta,
        "iceberg": _iceberg,
    }
    return _s3(folder, request) if kind == "s3" else makers[kind](folder)


def _parquet(found: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table(found), buffer)
    return buffer.getvalue()


def _files(folder: Path) -> DataPlace:
    place = folder / "data"
    place.mkdir()

    def append(found: list[dict[str, Any]]) -> None:
        part = place / f".{found[0]['id']:06}.part"
        part.write_bytes(_parquet(found))
        part.rename(place / f"{found[0]['id']:06}.parquet")

    def remove() -> None:
        shutil.rmtree(place)
        place.write_text("no folder")

    return DataPlace("files", "data/*.parquet", folder, append, remove)


def _memory(folder: Path) -> DataPlace:
    import fsspec

    system = fsspec.filesystem("memory")
    root = f"/{folder.name}"

    def append(found: list[dict[str, Any]]) -> None:
        system.pipe(f"{root}/{found[0]['id']:06}.parquet", _parquet(found))

    def remove() -> None:
        pytest.skip("memory is always there")

    def clear() -> None:
        if system.exists(root):
            system.rm(root, recursive=True)

    return DataPlace("fsspec", f"memory:/{root}/*.parquet", folder, append, remove, [clear])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


def _http(folder: Path) -> DataPlace:
    """A web server that lists its folder, as nearly all do."""
    place = folder / "data"
    place.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    close = serve(server)

    def append(found: list[dict[str, Any]]) -> None:
        (place / f"{found[0]['id']:06}.parquet").write_bytes(_parquet(found))

    address = f"http://127.0.0.1:{server.server_port}/data/*.parquet"
    return DataPlace("http", address, folder, append, close, [close])


def _s3(folder: Path, request: pytest.FixtureRequest) -> DataPlace:
    import s3fs

    request.getfixturevalue("s3_server")
    bucket = f"bucket-{abs(hash(folder)) % 10**12}"
    system = s3fs.S3FileSystem()
    system.mkdir(bucket)

    def append(found: list[dict[str, Any]]) -> None:
        system.pipe(f"{bucket}/data/{found[0]['id']:06}.parquet", _parquet(found))

    def remove() -> None:
        system.rm(bucket, recursive=True)

    return DataPlace("s3", f"s3://{bucket}/data/*.parquet", folder, append, remove)


def _cloud(kind: str, folder: Path, request: pytest.FixtureRequest) -> DataPlace:
    """A bucket of Google or a container of Azure."""
    from controller.adapters.clouds import open_url

    request.getfixturevalue(f"{kind}_server")
    address = f"{CLOUDS[kind]}://bucket-{uuid4().hex[:12]}/data/*.parquet"
    make_bucket(address)
    system, path = open_url(address, "tests at")
    bucket = path.partition("/")[0]

    def append(found: list[dict[str, Any]]) -> None:
        system.pipe_file(f"{bucket}/data/{found[0]['id']:06}.parquet", _parquet(found))

    def remove() -> None:
        system.rm(bucket, recursive=True)

    return DataPlace(kind, address, folder, append, remove)


def _sql(kind: str, folder: Path, request: pytest.FixtureRequest) -> DataPlace:
    url = f"sqlite:///{folder / 'shop.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url").replace(
            "postgresql://", "postgresql+psycopg://"
        )
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    flights = sa.Table(
        "flights", sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True), sa.Column("delay", sa.Float), sa.Column("origin", sa.Text),
    )  # fmt: skip
    flights.create(engine)
    request.getfixturevalue("monkeypatch").setenv("INCUMBENT_CONNECTION_SHOP", url)

    def append(found: list[dict[str, Any]]) -> None:
        with engine.begin() as connection:
            connection.execute(flights.insert(), found)

    def remove() -> None:
        flights.drop(engine)

    def close() -> None:
        flights.drop(engine, checkfirst=True)

    return DataPlace(kind, "sql:shop/flights?watermark=id", folder, append, remove, [close])


def _delta(folder: Path) -> DataPlace:
    import deltalake

    place = folder / "table"
    deltalake.write_deltalake(place, table([]))

    def append(found: list[dict[str, Any]]) -> None:
        deltalake.write_deltalake(place, table(found), mode="append")

    return DataPlace("delta", "delta:table", folder, append, lambda: shutil.rmtree(place))


def _iceberg(folder: Path) -> DataPlace:
    from pyiceberg.catalog import load_catalog

    catalog = load_catalog(
        "lake",
        type="sql",
        uri=f"sqlite:///{folder / 'catalog.db'}",
        warehouse=f"file://{folder}/lake",
    )
    catalog.create_namespace("air")
    catalog.create_table("air.flights", schema=table([]).schema)

    def append(found: list[dict[str, Any]]) -> None:
        catalog.load_table("air.flights").append(table(found))

    def close() -> None:
        catalog.close()

    return DataPlace(
        "iceberg", "iceberg:lake.air.flights", folder, append,
        lambda: catalog.drop_table("air.flights"), [close],
    )  # fmt: skip


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A server that speaks S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield f"http://{host}:{port}"
    patch.undo()
    server.stop()


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataPlace]:
    """An empty place of each kind."""
    if request.param == "iceberg":
        from pyiceberg.utils.config import Config

        monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__TYPE", "sql")
        monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", f"sqlite:///{tmp_path / 'catalog.db'}")
        monkeypatch.setenv("PYICEBERG_HOME", str(tmp_path))
        # PyIceberg reads its settings once, when it is imported.
        monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())
    found = make_place(request.param, tmp_path, request)
    yield found
    found.close()
