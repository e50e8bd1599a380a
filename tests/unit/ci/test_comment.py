"""The plan is one comment, however often the change is pushed: posted once, then updated."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.serving import serving

ROOT = Path(__file__).parents[3]
MARK = "<!-- incumbent plan -->"

GH = """#!/usr/bin/env python3
# Stands in for GitHub's command: keeps comments in a file, understands what the script asks for.
import json, pathlib, sys
kept = pathlib.Path({kept!r})
comments = json.loads(kept.read_text())
arguments = sys.argv[1:]
body = next((pathlib.Path(a[6:]).read_text() for a in arguments if a.startswith("body=@")), None)
if "PATCH" in arguments:
    number = int(next(a for a in arguments if "/comments/" in a).rsplit("/", 1)[1])
    comments[number] = body
elif "POST" in arguments:
    comments.append(body)
else:
    print("\\n".join(str(n) for n, text in enumerate(comments) if text.startswith({mark!r})))
kept.write_text(json.dumps(comments))
"""


@pytest.fixture
def github(tmp_path: Path) -> Path:
    kept = tmp_path / "comments.json"
    kept.write_text(json.dumps(["looks good to me"]))
    command = tmp_path / "bin" / "gh"
    command.parent.mkdir()
    command.write_text(GH.format(kept=str(kept), mark=MARK))
    command.chmod(0o755)
    return kept


def comment(kept: Path, plan: str) -> list[str]:
    file = kept.parent / "plan.md"
    file.write_text(plan)
    environment = {
        "PATH": f"{kept.parent / 'bin'}:{os.environ['PATH']}",
        "REPOSITORY": "team/models",
        "NUMBER": "7",
    }
    script = ROOT / "ci" / "github" / "comment.sh"
    subprocess.run(
        ["bash", str(script), str(file)], check=True, env=environment, capture_output=True
    )
    found: list[str] = json.loads(kept.read_text())
    return found


def test_github_gets_one_comment_that_is_updated(github: Path):
    comment(github, "1 of 12 decisions changes")

    comments = comment(github, "2 of 12 decisions change")

    assert comments == ["looks good to me", f"{MARK}\n2 of 12 decisions change"]


def test_a_long_plan_is_cut_to_what_github_takes(github: Path):
    comments = comment(github, "x" * 100_000)

    assert len(comments[1]) < 65_536
    assert comments[1].endswith("the whole plan is in the log of this job.\n")


class Notes(BaseHTTPRequestHandler):
    """The notes of a merge request, two a page."""

    kept: list[dict[str, Any]]

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

    def _answer(self, body: object, page: str = "") -> None:
        self.send_response(200)
        self.send_header("X-Next-Page", page)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self) -> None:
        page = int(self.path.rpartition("page=")[2])
        following = str(page + 1) if 2 * page < len(self.kept) else ""
        self._answer(self.kept[2 * page - 2 : 2 * page], following)

    def _body(self) -> str:
        text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return text

    def do_POST(self) -> None:
        self.kept.append({"id": len(self.kept), "body": self._body()})
        self._answer({})

    def do_PUT(self) -> None:
        self.kept[int(self.path.rpartition("/")[2])]["body"] = self._body()
        self._answer({})


@pytest.fixture
def gitlab() -> Iterator[ThreadingHTTPServer]:
    Notes.kept = [{"id": n, "body": f"note {n}"} for n in range(3)]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    with serving(server):
        yield server


def test_gitlab_gets_one_note_that_is_updated(gitlab: ThreadingHTTPServer, tmp_path: Path):
    template = yaml.safe_load((ROOT / "ci" / "gitlab" / "rules.yml").read_text())
    script = template["incumbent-plan"]["script"][1]
    program = script.split("<<'PYTHON'\n", 1)[1].rpartition("PYTHON")[0]
    environment = {
        "CI_API_V4_URL": f"http://127.0.0.1:{gitlab.server_address[1]}/api/v4",
        "CI_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_IID": "7",
        "INCUMBENT_GITLAB_TOKEN": "secret",
    }

    for plan in ("1 of 12 decisions changes", "2 of 12 decisions change"):
        (tmp_path / "plan.md").write_text(plan)
        subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=tmp_path)

    assert [note["body"] for note in Notes.kept] == [
        "note 0",
        "note 1",
        "note 2",
        f"{MARK}\n2 of 12 decisions change",
    ]


@pytest.mark.parametrize("name", ["check", "test"])
def test_hooks_call_commands_that_there_are(name: str):
    from controller.entrypoints.cli.main import COMMANDS

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    hook = next(h for h in hooks if h["id"] == f"incumbent-{name}")

    assert hook["entry"] == f"incumbent {name}"
    assert name in COMMANDS


def test_templates_call_plan_with_options_that_there_are():
    from controller.entrypoints.cli.plan import plan

    action = yaml.safe_load((ROOT / "ci" / "github" / "action.yml").read_text())
    template = yaml.safe_load((ROOT / "ci" / "gitlab" / "rules.yml").read_text())
    step = next(step for step in action["runs"]["steps"] if step["name"] == "Plan")
    lines = [*step["run"].splitlines(), template["incumbent-plan"]["script"][0]]
    calls = [line for line in lines if line.startswith("incumbent plan")]

    assert len(calls) == 2
    for call in calls:
        words = shlex.split(call.partition(" > ")[0])[2:]
        context = plan.make_context("plan", words)
        assert context.params["form"] == "markdown"
        assert context.params["base"].startswith("$")


def test_the_plan_is_on_unless_somebody_switches_it_off():
    action = yaml.safe_load((ROOT / "ci" / "github" / "action.yml").read_text())
    template = yaml.safe_load((ROOT / "ci" / "gitlab" / "rules.yml").read_text())

    assert action["inputs"]["plan"]["default"] == "true"
    assert template["variables"]["INCUMBENT_PLAN"] == "true"
