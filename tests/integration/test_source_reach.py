"""Where a policy's source may lead: a table of hostile addresses against a server that records who came."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from controller.adapters.sources.files import FileSource
from controller.adapters.sources.listing import Entry
from controller.adapters.sources.open import open_source
from controller.adapters.sources.reach import Reach
from controller.bootstrap import source_of_policy as from_settings
from controller.domain.errors import ConfigurationError, IncumbentError
from controller.domain.rules import SourceKey
from controller.settings import load_settings
from tests.support.recorder import recording

HOSTILE = [
    "http://127.0.0.1:{port}/a.parquet",
    "http://localhost:{port}/a.parquet",
    "http://2130706433:{port}/a.parquet",
    "http://0x7f000001:{port}/a.parquet",
    "http://017700000001:{port}/a.parquet",
    "http://127.1:{port}/a.parquet",
    "http://0.0.0.0:{port}/a.parquet",
    "http://0:{port}/a.parquet",
    "http://[0:0:0:0:0:ffff:7f00:1]:{port}/a.parquet",
    "http://[::ffff:127.0.0.1]:{port}/a.parquet",
    "http://[0:0:0:0:0:0:0:1]:{port}/a.parquet",
    "http://good.example@127.0.0.1:{port}/a.parquet",
    "http://good.example\\@127.0.0.1:{port}/a.parquet",
    "http://good.example#@127.0.0.1:{port}/a.parquet",
    "http://127.0.0.1:{port}\t/a.parquet",
    "HTTP://127.0.0.1:{port}/a.parquet",
    "http://rebind.example.org:{port}/a.parquet",
    "http://169.254.169.254/latest/meta-data/a.parquet",
    "http://[fd00:ec2:0:0:0:0:0:254]/latest/a.parquet",
    "http://168.63.129.16/a.parquet",
    "filecache::http://127.0.0.1:{port}/a.parquet",
    "simplecache::http://127.0.0.1:{port}/a.parquet",
    "zip://*.parquet::http://127.0.0.1:{port}/a.zip",
    "s3://bucket/a.parquet::http://127.0.0.1:{port}/a.parquet",
    "reference://a.parquet",
    "ftp://127.0.0.1:{port}/a.parquet",
    "sftp://127.0.0.1:{port}/a.parquet",
    "webhdfs://127.0.0.1:{port}/a.parquet",
    "github://user:repo@/a.parquet",
    "unix:///var/run/docker.sock",
    "data://text/plain;base64,AAAA",
    "delta:http://127.0.0.1:{port}/table",
    "delta:https://127.0.0.1:{port}/table",
]
_resolve = socket.getaddrinfo


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that somebody made lead to this machine."""

    def resolve(host: Any, *more: Any, **named: Any) -> Any:
        return _resolve("127.0.0.1" if host == "rebind.example.org" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def ask(address: str, folder: Path, *places: str) -> Any:
    key = SourceKey(address=address)
    return open_source(key, base=folder, spool=folder / "spool", places=places).poll(None)


@pytest.mark.parametrize("address", HOSTILE)
@pytest.mark.parametrize("places", [(), ("*",), ("data", "https://data.example.org/")])
def test_a_hostile_address_reaches_nobody(address: str, places: tuple[str, ...], tmp_path: Path):
    with recording() as server:
        server.files["/a.parquet"] = content()
        with pytest.raises(IncumbentError) as refusal:
            ask(address.format(port=server.port), tmp_path, *places)
        assert server.visits == []
    said = refusal.value.sentence()
    assert "INCUMBENT_SOURCE_PLACES" in said or "cannot be" in said or "does not answer" in said
    assert "\n" not in said


def content() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"y": [1.0]}), sink)
    return bytes(sink.getvalue())


def test_what_the_operator_names_is_reached(tmp_path: Path):
    with recording() as server:
        server.files["/data/a.parquet"] = content()
        address = f"http://localhost:{server.port}/data/a.parquet"
        poll = ask(address, tmp_path, f"http://localhost:{server.port}/data/")
        assert [batch.rows for batch in poll.batches] == [1]
        with pytest.raises(ConfigurationError, match="none of the places"):
            ask(
                address.replace("/data/", "/datasets/"),
                tmp_path,
                f"http://localhost:{server.port}/data/",
            )


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.1:{port}/a.parquet",
        "http://169.254.169.254/a.parquet",
        "http://2130706433:{port}/",
    ],
)
@pytest.mark.parametrize("star", [(), ("*",)])
def test_a_permitted_host_that_sends_on_is_not_followed(
    elsewhere: str, star: tuple[str, ...], tmp_path: Path
):
    with recording() as inside, recording() as permitted:
        inside.files["/a.parquet"] = content()
        permitted.elsewhere = elsewhere.format(port=inside.port)
        place = f"http://127.0.0.1:{permitted.port}/"
        with pytest.raises(
            IncumbentError, match=r"The address was refused: it (redirects|leads) to"
        ):
            ask(f"{place}a.parquet", tmp_path, place, *star)
        assert permitted.visits
        assert inside.visits == []


def test_a_name_that_leads_here_is_refused_though_the_name_is_permitted(tmp_path: Path):
    with recording() as server:
        place = f"http://rebind.example.org:{server.port}/"
        with pytest.raises(IncumbentError, match=r"leads to 127\.0\.0\.1, this machine"):
            ask(f"{place}a.parquet", tmp_path, place)
        assert server.visits == []


def test_files_outside_the_folders_are_not_read_through_links_or_dots(tmp_path: Path):
    inside, outside = tmp_path / "data", tmp_path / "secret"
    inside.mkdir()
    outside.mkdir()
    (outside / "a.parquet").write_bytes(content())
    (inside / "link.parquet").symlink_to(outside / "a.parquet")
    (inside / "folder").symlink_to(outside)
    for pattern in (
        "secret/*.parquet",
        "data/../secret/*.parquet",
        "data/folder/*.parquet",
        f"file://{outside}/*",
    ):
        with pytest.raises(ConfigurationError, match="outside the places"):
            ask(pattern, tmp_path, "data")
    for pattern in ("data/*.parquet", "data/*/*.parquet", "data/fold*/../*/a.parquet"):
        poll = ask(pattern, tmp_path, "data")
        assert poll.batches == ()
        assert all("outside the places" in problem for problem in poll.problems)
    assert [b.rows for b in ask("secret/*.parquet", tmp_path).batches] == [1]


def test_what_a_table_s_log_names_is_judged_too(tmp_path: Path):
    class Planted:
        exact, roots = True, ()

        def entries(self) -> Iterator[Entry]:
            for uri in (str(tmp_path / "secret.parquet"), "http://127.0.0.1:9/a.parquet"):
                yield Entry(uri, 1, "1", None, atomic=True)

        def stamp(self, entry: Entry) -> str:
            return entry.stamp

        def local(self, entry: Entry) -> Any:
            raise AssertionError(entry)

    source = FileSource("delta:t", place=Planted(), reach=Reach(("data",), tmp_path))
    assert len(source.poll(None).problems) == 2


@pytest.mark.parametrize(
    ("address", "place", "may"),
    [
        ("sql:warehouse/flights?watermark=id", "sql:warehouse", True),
        ("sql:warehouse2/flights?watermark=id", "sql:warehouse", False),
        ("sql:warehouse/flights?watermark=id", "data", False),
        ("iceberg:lake.air.flights", "iceberg:lake", True),
        ("iceberg:lakes.air.flights", "iceberg:lake", False),
        ("s3://warehouse/flights/*.parquet", "s3://warehouse/", True),
        ("s3://warehouse-of-others/*.parquet", "s3://warehouse", False),
        ("s3://warehouse/../others/*.parquet", "s3://warehouse/", False),
        ("delta:s3://warehouse/t", "s3://warehouse/", True),
        (
            "abfss://lake@team.dfs.core.windows.net/*",
            "abfss://lake@other.dfs.core.windows.net/",
            False,
        ),
        ("hdfs://name/*.parquet", "hdfs://", True),
        ("https://data.example.org.evil.example/a.csv", "https://data.example.org", False),
        ("https://data.example.org:8443/a.csv", "https://data.example.org", False),
        ("http://data.example.org/a.csv", "https://data.example.org", False),
    ],
)
def test_beginnings_are_whole_parts(address: str, place: str, may: bool, tmp_path: Path):
    reach = Reach((place,), tmp_path)
    if may:
        reach.require(address)
    else:
        with pytest.raises(ConfigurationError, match="may not be read"):
            reach.require(address)


def test_local_files_need_no_setting(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.parquet").write_bytes(content())
    assert len(ask("data/*.parquet", tmp_path).batches) == 1


def test_the_setting_holds_where_the_controller_opens_sources(tmp_path: Path):
    with recording() as server:
        server.files["/a.parquet"] = content()
        key = SourceKey(address=f"http://127.0.0.1:{server.port}/a.parquet")
        opened = from_settings(load_settings(home=tmp_path, code=tmp_path))
        with pytest.raises(ConfigurationError, match="this machine"):
            opened(key)
        places = f"data, http://127.0.0.1:{server.port}/"
        opened = from_settings(load_settings(home=tmp_path, code=tmp_path, source_places=places))
        assert len(opened(key).poll(None).batches) == 1
