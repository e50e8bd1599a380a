"""Documents that workers stored: what is no mapping says nothing, and what is gone is gone for whoever needs it."""

from __future__ import annotations

import pytest

from controller.adapters.memory.artifacts import MemoryArtifacts
from controller.domain.errors import NotFound
from controller.ports import documents
from controller.ports.documents import read_document
from controller.service.explain.documents import document_if_there, mapping_part
from controller.service.registry.mlflow.folder import Described, small_files
from tests.support.makers import AT

GONE = "0" * 64


def test_a_document_is_read():
    artifacts = MemoryArtifacts()
    digest = artifacts.put_bytes(b'{"seed": 7}')
    assert read_document(artifacts, digest) == {"seed": 7}
    assert document_if_there(artifacts, digest) == {"seed": 7}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"7", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_mapping_says_nothing(content: bytes):
    artifacts = MemoryArtifacts()
    assert read_document(artifacts, artifacts.put_bytes(content)) == {}


def test_what_is_larger_than_a_document_is_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "MOST_DOCUMENT", 5)
    artifacts = MemoryArtifacts()
    monkeypatch.setattr(artifacts, "read_bytes", lambda _: pytest.fail("it was read"))
    assert read_document(artifacts, artifacts.put_bytes(b'{"seed": 7}')) == {}


def test_what_is_gone_is_told_only_to_who_needs_it():
    artifacts = MemoryArtifacts()
    with pytest.raises(NotFound):
        read_document(artifacts, GONE)
    assert document_if_there(artifacts, GONE) == {}
    assert document_if_there(artifacts, None) == {}
    assert document_if_there(None, GONE) == {}


def test_parts_of_another_shape_say_nothing_either():
    kept = {"platform": "Linux", "packages": ["numpy"], "model": None, "features": 3}
    assert mapping_part(kept, "platform") == {}
    files = small_files(Described(model="m", number=1, digest=GONE, created_at=AT, lineage=kept))
    assert files["requirements.txt"] == b""
    assert b'"features": []' in files["data/incumbent.json"]
