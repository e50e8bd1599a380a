"""Kill -9 of whoever started something leaves nobody behind, and loses no run."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from controller import lifeline
from controller.entrypoints.supervise import Supervised
from tests.support.installation import PROGRAM, Installation
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="/proc says which processes are left"
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    held = Installation(tmp_path, {"TOY_SECONDS": "1"})
    yield held
    held.close()


def _born(house: Installation, number: int) -> bool:
    return len(house.processes()) >= number


@pytest.mark.long
def test_seven_killed_ups_leave_nobody_behind_and_lose_no_run(house: Installation):
    chance = random.Random(14)
    for number in range(7):
        house.signal(f"signal-{number}")
        up = house.launch("up")
        if number % 2:
            up.says("incumbent is up")
        born = chance.randint(
            1, 5
        )  # up, the broker, the worker, its pool, the zygote: so far it comes
        until(partial(_born, house, born), words=house.left)
        up.kill()
        until(lambda: not house.processes(), words=house.left)
    up = house.launch("up").says("incumbent is up")
    until(house.at_rest, 120)
    assert {run.state.value for run in house.runs()} == {"done"}
    assert len(house.runs()) >= 1
    assert up.stop() == 0
    assert not house.processes(), house.left()


REVIEW = """\
provider = "ssh"
remote = "http://127.0.0.1:{port}/rules.git"
allowed_signers = "signers"
[[reviewers]]
name = "ana"
emails = ["ana@example.com"]
"""


def test_a_hanging_fetch_ends_with_the_up_that_began_it(house: Installation):
    (house.folder / "signers").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        review = house.folder / "review.toml"
        review.write_text(REVIEW.format(port=silent.getsockname()[1]))
        house.settings = {"INCUMBENT_REVIEW": str(review)}
        up = house.launch("up", "--no-worker")
        until(lambda: "git-remote-http" in house.left(), words=lambda: house.left() + up.said())
        up.kill()
        until(lambda: not house.processes(), words=house.left)


def test_a_program_that_is_run_ends_with_us_and_with_all_that_it_started(house: Installation):
    program = "sleep 600 & (sleep 600; true) & sleep 600"
    words = f"import sys; from controller import lifeline; lifeline.run({['sh', '-c', program]!r}, timeout=600)"
    parent = subprocess.Popen([sys.executable, "-c", words], env=house.environment)
    house.started.append(parent)
    until(lambda: house.left().count("sleep 600") >= 4, words=house.left)
    parent.kill()
    parent.wait()
    until(lambda: not house.processes(), words=house.left)


def test_a_program_is_run_to_its_end_or_to_its_last_second(house: Installation):
    house.home.mkdir()
    said = lifeline.run(
        ["sh", "-c", 'cat; echo "$1" >&2; pwd; exit 3', "sh", "a 'b' $c"],
        stdin=b"in\n",
        timeout=60,
        folder=house.folder,
    )
    assert (said.returncode, said.stderr) == (3, b"a 'b' $c\n")
    assert said.stdout == f"in\n{house.folder.resolve()}\n".encode()
    with pytest.raises(FileNotFoundError, match="there-is-none"):
        lifeline.run(["there-is-none"], timeout=60)
    with pytest.raises(subprocess.TimeoutExpired):
        lifeline.run(["sh", "-c", "sleep 600 & wait"], timeout=1, folder=house.home)
    until(lambda: not house.processes(), words=house.left)


def test_a_training_ends_with_the_up_that_ordered_it(house: Installation):
    house.settings = {"TOY_SECONDS": "600"}
    house.signal("one")
    up = house.launch("up").says("incumbent is up")
    until(lambda: any(run.state.value == "running" for run in house.runs()))
    # up, the broker, the worker, its pool, the zygote, the training
    until(lambda: len(house.processes()) >= 6, words=house.left)
    up.kill()
    until(lambda: not house.processes(), words=house.left)
    house.settings = {}
    house.launch("up")
    until(house.at_rest)
    (run,) = [one for one in house.runs() if one.spec.kind.value == "train"]
    assert (run.state.value, run.tries) == ("done", 1), "it was handed back, and cost no try"


@pytest.mark.parametrize("command", ["controller", "api", "worker"])
def test_what_a_shell_started_ends_with_it_where_that_is_asked_for(
    house: Installation, tmp_path: Path, command: str
):
    other = Installation(tmp_path / "other")
    for one in (house, other):
        with one.store():  # a worker needs the tables
            pass
    asked = f"INCUMBENT_PARENT=$$ {PROGRAM} {command}"
    silent = f"TEST_MARK={other.mark} INCUMBENT_HOME={other.home} {PROGRAM} {command}"
    words = ["/bin/sh", "-c", f"{asked} & {silent} & wait"]
    shell = subprocess.Popen(words, cwd=house.folder, env=house.environment)
    house.started.append(shell)
    until(lambda: len(house.processes()) >= 2)
    until(other.processes)
    shell.kill()
    shell.wait()
    try:
        until(lambda: not house.processes(), words=house.left)
        assert other.processes(), "an ordinary one outlives its shell"
    finally:
        other.close()


def test_a_parent_that_is_not_ours_is_one_sentence(house: Installation):
    house.settings = {"INCUMBENT_PARENT": "1"}
    done = house.run("controller")
    assert done.returncode == 2
    assert (
        f"INCUMBENT_PARENT names process 1, and this one was started by {os.getpid()}"
        in done.stderr
    )


def test_a_supervised_process_is_told_its_parent(tmp_path: Path):
    told = tmp_path / "told"
    program = f"import os; open({str(told)!r}, 'w').write(os.environ['INCUMBENT_PARENT'])"
    child = Supervised("child", [sys.executable, "-c", program], {"INCUMBENT_PARENT": "1"}, 1.0)
    child.start()
    until(lambda: told.exists() and told.read_text() == str(os.getpid()))
    child.stop()


STARTS = "import os, subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], str(os.getpid())])"
CHILD = {
    "killed": "lifeline.die_with(int(sys.argv[1]))",
    "stopped": "lifeline.stop_with(int(sys.argv[1]))",
    "a program": "sys.exit(lifeline.main([sys.argv[1], '/bin/sleep', '600']))",
}


@pytest.mark.parametrize("kernel", [True, False], ids=["by the kernel", "by looking"])
@pytest.mark.parametrize("kind", CHILD)
def test_a_process_ends_with_its_parent(kind: str, kernel: bool, house: Installation):
    child = (
        "import sys, time; from controller import lifeline;"
        + ("" if kernel else "lifeline._ask_kernel = lambda: False;")
        + CHILD[kind]
        + "; print('ready', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS, child],
        env=house.environment,
        start_new_session=True,
    )
    house.started.append(parent)
    until(lambda: len(house.processes()) >= 2)
    parent.kill()
    parent.wait()
    until(lambda: not house.processes(), words=house.left)


def test_a_program_whose_parent_is_gone_does_not_begin(tmp_path: Path):
    begun = tmp_path / "begun"
    words = lifeline.command(Path("/usr/bin/touch"), str(begun))
    late = [*words[:4], "1", *words[5:]]  # whoever started it is not its parent any more
    assert subprocess.run(late, check=False).returncode == 70
    assert not begun.exists()
    assert subprocess.run(words, check=False).returncode == 0
    assert begun.exists()


def test_sigterm_reaches_a_program_that_is_watched(house: Installation):
    child = (
        "import os, sys; from controller import lifeline; lifeline._ask_kernel = lambda: False;"
        "sys.exit(lifeline.main([str(os.getppid()), '/bin/sleep', '600']))"
    )
    wrapper = subprocess.Popen([sys.executable, "-c", child], env=house.environment)
    house.started.append(wrapper)
    until(lambda: psutil.Process(wrapper.pid).children())
    wrapper.terminate()
    assert wrapper.wait(30) == -signal.SIGTERM % 256
    assert not house.processes()
