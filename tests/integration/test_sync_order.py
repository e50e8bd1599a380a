"""What is acknowledged is on the disk before anybody is told: the order of system calls, as strace sees it.

`kill -9` loses nothing that the kernel has, so no killed process can show this; a power loss could.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLS = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat"

SIGNAL = """
import os, sys
from datetime import UTC, datetime
from controller.adapters.sql.schema import migrate
from controller.adapters.sql.store import SqlStore
from controller.domain.signals import NewSignal, SignalKind
url = f"sqlite:///{sys.argv[1]}/signals.db"
migrate(url)
store, now = SqlStore(url), datetime.now(UTC)
def tell(key):
    with store.begin() as tx:
        new = NewSignal(key=key, model="m", kind=SignalKind.MANUAL, occurred_at=now)
        tx.signals.append([new], now)
tell("first")
if len(sys.argv) > 2:
    connection = store._engines.writer.raw_connection()
    connection.cursor().execute(f"PRAGMA synchronous = {sys.argv[2]}")
    connection.close()
os.write(1, b"BEGIN")
tell("second")
os.write(1, b"ACKNOWLEDGED")
"""

ARTIFACT = """
import os, sys
from controller.adapters.artifacts import LocalArtifacts
from pathlib import Path
store = LocalArtifacts(Path(sys.argv[1]) / "artifacts")
store.put_bytes(b"0")
os.write(1, b"BEGIN")
store.put_bytes(b"the model")
os.write(1, b"ACKNOWLEDGED")
"""


def traced(folder: Path, program: str, *arguments: str) -> list[str]:
    """The calls between the two marks, oldest first."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed (Debian's package strace)")
    trace = folder / "trace"
    command = [strace, "-f", "-y", "-e", f"trace={CALLS}", "-o", str(trace)]
    done = subprocess.run(
        [*command, sys.executable, "-c", program, str(folder), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("processes may not be traced here")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    marks = [n for n, line in enumerate(lines) if '"BEGIN"' in line or '"ACKNOWLEDGED"' in line]
    assert len(marks) == 2
    return lines[marks[0] + 1 : marks[1]]


def last(calls: list[str], pattern: str) -> int:
    return max((n for n, line in enumerate(calls) if re.search(pattern, line)), default=-1)


def test_a_signal_is_synced_before_it_is_acknowledged(tmp_path: Path):
    calls = traced(tmp_path, SIGNAL)
    written, synced = last(calls, r"pwrite64\(.*-wal>"), last(calls, r"f(data)?sync\(.*-wal>")
    assert 0 <= written < synced, "\n".join(calls)


def test_without_full_synchronisation_it_would_not_be(tmp_path: Path):
    calls = traced(tmp_path, SIGNAL, "NORMAL")
    written, synced = last(calls, r"pwrite64\(.*-wal>"), last(calls, r"f(data)?sync\(.*-wal>")
    assert written > synced, "this test cannot see"


def test_an_artifact_is_synced_before_it_has_its_name(tmp_path: Path):
    calls = traced(tmp_path, ARTIFACT)
    named = last(calls, r"(rename|link)\w*\(")
    file = next(n for n, line in enumerate(calls) if re.search(r"fsync\(.*artifacts", line))
    folder = last(calls, r"fsync\(")
    assert 0 <= file < named < folder, "\n".join(calls)
