"""Wrong settings of a cloud's storage end in one sentence, which repeats no secret. No server is asked."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.adapters.artifacts import open_artifacts
from controller.adapters.clouds import foreign_sentence, without_secrets
from controller.adapters.sources.listing import RemotePlace
from controller.domain.errors import ConfigurationError

SECRET = "cGxhbnRlZC1zZWNyZXQtb2YtYS1jbG91ZA=="
OPENERS: dict[str, Callable[[str], object]] = {
    "artifacts": open_artifacts,
    "source": lambda url: RemotePlace(url, {}),
}


@pytest.fixture(params=OPENERS)
def opening(request: pytest.FixtureRequest) -> Callable[[str], object]:
    return OPENERS[request.param]


@pytest.fixture(autouse=True)
def nobody_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    for name in ("CONNECTION_STRING", "ACCOUNT_NAME", "ACCOUNT_KEY", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    for scheme in ("az", "gs"):
        fsspec.get_filesystem_class(scheme).clear_instance_cache()


def sentence(opening: Callable[[str], object], url: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        opening(url)
    said = raised.value.sentence()
    assert "\n" not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("gs://bucket/x", "gcsfs", "gcs"),
        ("az://container/x", "adlfs", "azure"),
        ("abfss://container@account.dfs.core.windows.net/x", "adlfs", "azure"),
        ("s3://bucket/x", "s3fs", "s3"),
    ],
)
def test_a_missing_extra_is_named(
    opening: Callable[[str], object], url: str, library: str, extra: str,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    from fsspec.registry import _registry

    for scheme in ("gs", "az", "abfss", "s3"):
        monkeypatch.delitem(_registry, scheme, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    text = sentence(opening, url)
    assert "need a library that is not installed" in text
    assert f"pip install 'incumbent[{extra}]'" in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (f"key={SECRET}", "it is not JSON"),
        (f'["{SECRET}"]', "it holds no JSON object"),
    ],
    ids=["missing", "no-json", "no-object"],
)
def test_a_file_of_google_credentials_that_cannot_be_used(
    opening: Callable[[str], object], content: str | None, reason: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    named = tmp_path / "credentials.json"
    if content is not None:
        named.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(named))
    text = sentence(opening, "gs://bucket/models")
    assert f"GOOGLE_APPLICATION_CREDENTIALS names {named}: {reason}" in text


def test_azure_without_an_account(opening: Callable[[str], object]):
    text = sentence(opening, "az://container/models")
    assert "az://container/models cannot be opened: no storage account is named" in text
    assert "Set AZURE_STORAGE_CONNECTION_STRING" in text


@pytest.mark.parametrize(
    "text",
    [f"AccountKey={SECRET}", f"AccountName=a;AccountKey={SECRET};BlobEndpoint", SECRET],
    ids=["no-account", "cut-off", "a-key-alone"],
)
def test_a_connection_string_that_is_none(
    opening: Callable[[str], object], text: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    assert "az://container/models cannot be opened" in sentence(opening, "az://container/models")
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/path", "s3://bucket/path"),
        ("s3://user:secret@bucket/path?key=secret", "s3://bucket/path"),
        ("az://container/path?sig=secret", "az://container/path"),
        (
            "abfss://container@account.dfs.core.windows.net/path",
            "abfss://container@account.dfs.core.windows.net/path",
        ),
        ("abfss://user:secret@account/path", "abfss://account/path"),
        ("/a/folder", "/a/folder"),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str):
    assert without_secrets(url) == shown


def test_what_a_driver_says_is_one_line_without_secrets():
    error = ValueError(
        f"\nnot understood: AccountName=a;AccountKey={SECRET};x and https://a/b?sig={SECRET}\nmore"
    )
    assert (
        foreign_sentence(error)
        == "not understood: AccountName=a;AccountKey=***;x and https://a/b?sig=***"
    )
    assert foreign_sentence(ValueError()) == "ValueError"


def test_an_object_is_named_with_the_account_that_the_policy_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", SECRET)
    host = "account.dfs.core.windows.net"
    place = RemotePlace(f"abfss://lake@{host}/data/*.parquet", {})
    assert place.path == "lake/data/*.parquet"
    entry = place._entry({"name": "lake/data/1.parquet", "size": 7})
    assert entry.uri == f"abfss://lake@{host}/data/1.parquet"
