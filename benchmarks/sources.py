"""How soon new data is seen, and what looking costs."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from pathlib import Path

import duckdb
import sqlalchemy as sa

from controller.adapters.sources.files import FileOptions, FileSource
from controller.adapters.sources.sql_table import SqlOptions, SqlSource
from controller.adapters.sources.watch import Watcher

ROUNDS = 30
IDLE = 5.0


def watching(folder: Path) -> None:
    """From a rename into place until the waiting thread runs, and the processor's time when nothing happens."""
    stop, found = threading.Event(), []
    with Watcher([folder]) as watcher:
        for i in range(ROUNDS):
            part, whole = folder / f".{i}.part", folder / f"{i}.parquet"
            part.write_bytes(b"x")
            watcher.wait(0.05, stop)
            began: list[float] = []

            def rename(part: Path = part, whole: Path = whole, began: list[float] = began) -> None:
                began.append(time.perf_counter())
                part.rename(whole)

            timer = threading.Timer(0.05, rename)
            timer.start()
            watcher.wait(10, stop)
            found.append(time.perf_counter() - began[0])
            timer.join()
        used = time.process_time()
        watcher.wait(IDLE, stop)
        used = time.process_time() - used
    found.sort()
    half, last = found[ROUNDS // 2] * 1000, found[-1] * 1000
    print(
        f"rename to wake-up: p50 {half:.0f} ms, worst of {ROUNDS} {last:.0f} ms; idle {used / IDLE:.1%} of a core"
    )


def looking(folder: Path, files: int) -> None:
    """The first look at many small files (each is digested, counted, described) and a look that finds nothing."""
    first = folder / "000000.parquet"
    duckdb.execute(f"COPY (SELECT 1 AS id, 2.0 AS x) TO '{first}' (FORMAT parquet)")
    content = first.read_bytes()
    for i in range(1, files):
        (folder / f"{i:06}.parquet").write_bytes(content)
    source = FileSource(str(folder / "*.parquet"), options=FileOptions(most=files))
    began = time.perf_counter()
    poll = source.poll(None)
    took = time.perf_counter() - began
    began = time.perf_counter()
    source.poll(poll.cursor)
    again = time.perf_counter() - began
    print(
        f"{files:,} files: first look {took:.1f} s ({took / files * 1000:.1f} ms a file), "
        f"look without news {again * 1000:.0f} ms, cursor {len(poll.cursor) / 1e6:.1f} MB"
    )


def database(folder: Path, rows: int) -> None:
    """Rows of a table into Parquet, and a look that finds nothing."""
    url = f"sqlite:///{folder / 'x.db'}"
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL, y TEXT)"))
        insert = sa.text("INSERT INTO t VALUES (:id, :x, :y)")
        connection.execute(insert, [{"id": i, "x": i / 2, "y": "abc"} for i in range(rows)])
    source = SqlSource(url, SqlOptions(watermark="id", relation="t", most=rows), folder / "spool")
    began = time.perf_counter()
    poll = source.poll(None)
    took = time.perf_counter() - began
    began = time.perf_counter()
    source.poll(poll.cursor)
    again = time.perf_counter() - began
    print(f"{rows:,} rows of SQLite: {took:.1f} s, look without news {again * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=200_000)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="incumbent-bench-"))
    try:
        for name in ("watch", "look", "database"):
            (home / name).mkdir()
        watching(home / "watch")
        looking(home / "look", asked.files)
        database(home / "database", asked.rows)
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
