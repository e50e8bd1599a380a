"""Every policy beside this file: the good ones parse, the bad ones are refused with exactly these problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.rulefmt import parse

POLICIES = Path(__file__).parent / "policies"
GOOD = sorted(POLICIES.glob("*.good.yaml"))
BAD = sorted(POLICIES.glob("*.bad.yaml"))


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.name)
def test_good_policy_parses(path: Path):
    parsed = parse(path.read_bytes(), path.name)

    assert [str(p) for p in parsed.problems] == []
    assert parsed.policy is not None


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.name)
def test_bad_policy_is_refused_with_all_its_problems(path: Path):
    parsed = parse(path.read_bytes(), path.name)

    found = [f"{problem} [{problem.code}]" for problem in parsed.problems]
    assert found == path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert parsed.policy is None


def test_every_bad_policy_has_problems():
    assert BAD
    assert all(path.with_suffix(".txt").read_text(encoding="utf-8").strip() for path in BAD)
