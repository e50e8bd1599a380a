"""Who wrote a policy and who read it, from the stored evidence of its review."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controller.ports import ReviewRecord
from controller.service.explain.provenance import of_record, web
from tests.support.command import PATH
from tests.support.page import Office
from tests.support.story import reviewed


@pytest.fixture
def record(tmp_path: Path) -> ReviewRecord:
    office = Office(tmp_path)
    cited = reviewed(office)
    with office.house.store.read() as tx:
        found = tx.reviews.get(cited["review"])
    assert found is not None
    return found


def test_commit_author_pull_request_and_reviewers_are_told_with_their_pages(record: ReviewRecord):
    found = of_record(record, PATH)
    assert (found.author, found.pull) == ("Cleo Marsh", "#12")
    assert found.pull_url == "https://forge.example/arrivals/rules/pull/12"
    assert found.commit_url == f"https://forge.example/arrivals/rules/commit/{'c5' * 20}"
    (reader,) = found.readers
    assert (reader.person, reader.url) == ("ben", "https://forge.example/ben-r")


def test_gitlab_keeps_its_dash_before_the_commit(record: ReviewRecord):
    held = json.loads(record.evidence)
    held["facts"]["pulls"][0]["url"] = "https://lab.example/a/b/-/merge_requests/3"
    found = of_record(replace(record, evidence=json.dumps(held)), PATH)
    assert found.commit_url == f"https://lab.example/a/b/-/commit/{'c5' * 20}"


def test_only_web_addresses_become_links(record: ReviewRecord):
    held = json.loads(record.evidence)
    held["facts"]["pulls"][0]["url"] = "javascript:alert(1)"
    found = of_record(replace(record, evidence=json.dumps(held)), PATH)
    assert (found.pull_url, found.commit_url, found.readers[0].url) == ("", "", "")
    assert web("data:text/html,x") == ""


def test_evidence_of_another_form_still_says_its_reason(record: ReviewRecord):
    found = of_record(replace(record, evidence="{}"), PATH)
    assert (found.reason, found.readers) == ("#12 was approved by ben.", ())
