"""Every place that opens a file in a worker, a source, a notifier or the client of MLflow, and who names that file.

A policy that names one has it read with the rights of the process, and perhaps sent on. A new place is entered here
with who names its file, or goes through `workers.secret_files.read_secret` or a source's `Reach`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

ROOT = Path(__file__).parents[3]
WALKED = (
    "workers",
    "controller/adapters/sources",
    "controller/adapters/notify",
    "controller/adapters/mlflow",
)
OPENERS = frozenset(
    {"OSFile", "fdopen", "memory_map", "open", "open_input_file", "read_bytes", "read_text"}
)
By = Literal[
    "us",
    "the training",
    "a setting",
    "a policy, judged by Reach",
    "a policy, in the folder of secrets",
    "a digest only",
]
"""Who names the file. ``us``: it lies in a folder of ours; ``a digest only``: nothing else of it is kept or sent."""

KNOWN: dict[str, By] = {
    "controller/adapters/mlflow/client.py:MlflowServer.upload": "us",
    "controller/adapters/notify/load.py:_read": "a setting",
    "controller/adapters/notify/load.py:secret_text": "a setting",
    "controller/adapters/sources/arrow_footer.py:read": "a policy, judged by Reach",
    "controller/adapters/sources/files.py:_digest": "a policy, judged by Reach",
    "controller/adapters/sources/formats.py:_last_byte_unzipped": "a policy, judged by Reach",
    "controller/adapters/sources/formats.py:check_whole": "a policy, judged by Reach",
    "controller/adapters/sources/listing.py:fetched": "a policy, judged by Reach",
    "controller/adapters/sources/spool.py:Sheet.close": "us",
    "controller/adapters/sources/spool.py:Spool.begin": "us",
    "controller/adapters/sources/spool.py:spooled_batch": "us",
    "controller/adapters/sources/sql_table.py:connection_url": "a setting",
    "workers/commands.py:_command_source": "a digest only",
    "workers/commands.py:_found_metrics": "the training",
    "workers/decay.py:decay": "us",
    "workers/files.py:_opened": "us",
    "workers/files.py:read_columns": "us",
    "workers/files.py:read_schema": "us",
    "workers/from_mlflow.py:_fetch": "us",
    "workers/from_mlflow.py:_without_mlflow": "us",
    "workers/jobs.py:read_answer": "us",
    "workers/jobs.py:read_job": "us",
    "workers/judge.py:judge_sides": "us",
    "workers/models.py:_stable_name": "the training",
    "workers/models.py:_unpickled": "us",
    "workers/models.py:store_object": "us",
    "workers/models.py:store_saved": "the training",
    "workers/models.py:unpacked": "us",
    "workers/plugins.py:_named": "the training",
    "workers/plugins.py:main": "us",
    "workers/prepare.py:prepare_holdout": "us",
    "workers/profiles/batches.py:_Opener._copy_arrow": "us",
    "workers/secret_files.py:read_secret": "a policy, in the folder of secrets",
    "workers/snapshot.py:_digest": "us",
    "workers/snapshot.py:_fetch": "a policy, judged by Reach",
    "workers/train.py:_source": "a digest only",
    "workers/zygote.py:_detach": "us",
}


def openings(node: ast.AST, within: str = "") -> Iterator[str]:
    """The functions below ``node`` that open a file, by their qualified names."""
    for child in ast.iter_child_nodes(node):
        inner = within
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{within}.{child.name}".strip(".")
        if isinstance(child, ast.Call):
            called = child.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in OPENERS:
                yield inner
        yield from openings(child, inner)


def found() -> set[str]:
    files = (file for root in WALKED for file in sorted((ROOT / root).rglob("*.py")))
    return {
        f"{file.relative_to(ROOT).as_posix()}:{name}"
        for file in files
        for name in openings(ast.parse(file.read_text(encoding="utf-8")))
    }


def test_each_place_that_opens_a_file_says_who_names_it():
    assert sorted(found()) == sorted(KNOWN)


def test_what_a_policy_names_as_a_secret_is_read_at_one_place():
    secret = [place for place, by in KNOWN.items() if by == "a policy, in the folder of secrets"]
    assert secret == ["workers/secret_files.py:read_secret"]
    assert set(KNOWN.values()) == {*get_args(By)}


def test_a_new_place_is_seen():
    planted = (
        "class A:\n def f(self, p):\n  with open(p) as s: return s\ndef g(p): return p.read_text()"
    )
    assert [*openings(ast.parse(planted))] == ["A.f", "g"]
