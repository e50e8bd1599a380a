"""Whether what people say is marked, as `doctor` tells it."""

from __future__ import annotations

from pydantic import SecretStr

from controller.entrypoints.cli.findings import look_at_signing
from controller.settings import load_settings


def test_a_server_s_database_without_a_signing_key_is_a_finding():
    server = load_settings().model_copy(
        update={"database_url": SecretStr("postgresql://db/incumbent"), "signing_key": None}
    )
    [found] = look_at_signing(server)
    assert not found.ok
    assert "nothing that people say is marked" in found.sentence
    assert "INCUMBENT_SIGNING_KEY" in found.hint
    keyed = server.model_copy(update={"signing_key": SecretStr("k" * 40)})
    assert list(look_at_signing(keyed)) == []
    assert (
        list(
            look_at_signing(server.model_copy(update={"database_url": SecretStr("sqlite:///x.db")}))
        )
        == []
    )
