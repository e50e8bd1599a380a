"""Models from a team's MLflow server and to it: what comes over, what stays, what is said."""

from __future__ import annotations

from typing import Any

import pytest

from controller.adapters.memory import MemoryStore
from controller.adapters.memory.publications import MemoryTeamRegistry
from controller.domain.catalog import CatalogSearch
from controller.domain.errors import Conflict, NotFound
from controller.service.registry.mlflow.publish import linked
from controller.service.registry.mlflow.transfer import Moved, export_models, import_models
from tests.support.makers import AT, HOUR, MODEL, enter, seat


class Server:
    """An MLflow server's answers: pages of one model or version each."""

    def __init__(self) -> None:
        version = {
            "name": "churn",
            "current_stage": "Production",
            "creation_timestamp": int(AT.timestamp() * 1000),
            "status": "READY",
        }
        self.versions: list[dict[str, Any]] = [
            version | {"version": "5", "source": "models:/churn/2"},
            version | {"version": "2", "source": "runs:/r/m", "tags": [{"key": "a", "value": "1"}]},
        ]
        self.models: list[dict[str, Any]] = [
            {
                "name": "churn",
                "description": "Who leaves.",
                "tags": [{"key": "team", "value": "x"}],
                "aliases": [{"alias": "champion", "version": "2"}],
            },
            {"name": MODEL},
        ]

    def ask(self, verb: str, path: str, **arguments: Any) -> dict[str, Any]:
        assert verb == "GET"
        if path == "model-versions/get-download-uri":
            return {"artifact_uri": "runs:/r/m"}
        key = "registered_models" if path.startswith("registered") else "model_versions"
        rows = self.models if key == "registered_models" else self.versions
        if key == "model_versions":
            rows = [row for row in rows if f"name = '{row['name']}'" == arguments["filter"]]
        place = int(arguments["page_token"] or 0)
        following = {"next_page_token": str(place + 1)} if place + 1 < len(rows) else {}
        return {key: rows[place : place + 1], **following}


def test_an_import_keeps_numbers_sources_and_aliases():
    store, server = MemoryStore(), Server()
    assert list(import_models(store, server, ["churn"], AT + HOUR)) == [
        Moved(model="churn", versions=2, aliases=1)
    ]
    with store.read() as tx:
        model = tx.catalog.model("churn")
        champion = tx.catalog.by_alias("churn", "champion")
        fifth = tx.catalog.version("churn", 5)
    assert model is not None
    assert champion is not None
    assert fifth is not None
    assert (model.kind, model.description, model.tags) == ("free", "Who leaves.", {"team": "x"})
    assert (champion.number, champion.source, champion.tags) == (2, "runs:/r/m", {"a": "1"})
    assert (champion.stage, champion.created_at) == ("Production", AT)
    assert (fifth.source, fifth.storage) == ("models:/churn/2", "runs:/r/m")


def test_importing_again_brings_what_is_new():
    store, server = MemoryStore(), Server()
    list(import_models(store, server, ["churn"], AT))
    server.versions.append({"name": "churn", "version": "9", "source": "s3://x"})
    server.models[0]["aliases"] = [{"alias": "champion", "version": "9"}]
    assert list(import_models(store, server, ["churn"], AT)) == [
        Moved(model="churn", versions=1, aliases=1)
    ]
    with store.read() as tx:
        assert sorted(v.number for v in tx.catalog.versions(CatalogSearch())) == [2, 5, 9]
        champion = tx.catalog.by_alias("churn", "champion")
    assert champion is not None
    assert champion.number == 9


def test_a_governed_name_is_left_alone():
    store = MemoryStore()
    with store.begin() as tx:
        enter(tx, 1)
    churn, ours = import_models(store, Server(), [], AT)
    assert churn.versions == 2
    assert (ours.model, ours.versions) == (MODEL, 0)
    assert "has a policy here" in ours.skipped


def test_an_import_under_another_name():
    store, server = MemoryStore(), Server()
    (moved,) = import_models(store, server, ["churn"], AT, "churn-mlflow")
    assert moved == Moved(model="churn-mlflow", versions=2, aliases=1)
    with store.read() as tx:
        assert tx.catalog.model("churn") is None
        champion = tx.catalog.by_alias("churn-mlflow", "champion")
    assert champion is not None
    assert champion.number == 2


def test_an_import_under_a_governed_name_is_said():
    store = MemoryStore()
    with store.begin() as tx:
        enter(tx, 1)
    (moved,) = import_models(store, Server(), ["churn"], AT, MODEL)
    assert moved.skipped.startswith(f"{MODEL} has a policy here")


def test_an_unknown_model_is_said():
    with pytest.raises(NotFound, match="no model called nobody"):
        list(import_models(MemoryStore(), Server(), ["nobody"], AT))


def test_an_export_enters_versions_once_and_the_champion_last():
    store, team = MemoryStore(), MemoryTeamRegistry()
    with store.begin() as tx:
        enter(tx, 1)
        enter(tx, 2)
        seat(tx, 2)
    assert list(export_models(store, team, linked, [])) == [
        Moved(model=MODEL, versions=2, aliases=1)
    ]
    champion = team.pointed(MODEL, "champion")
    assert champion is not None
    assert champion.tags["incumbent.version"] == "2"
    assert champion.tags["incumbent.reign.1"].endswith(" promotion")
    with store.begin() as tx:
        seat(tx, 1, generation=1, previous=2)
    assert list(export_models(store, team, linked, [MODEL])) == [
        Moved(model=MODEL, versions=0, aliases=1)
    ]
    assert len(team.models[MODEL]) == 2
    again = team.pointed(MODEL, "champion")
    assert again is not None
    assert (again.number, again.tags["incumbent.state"]) == (1, "champion")


def test_an_export_of_nothing_is_said():
    with pytest.raises(NotFound, match="called nobody"):
        list(export_models(MemoryStore(), MemoryTeamRegistry(), linked, ["nobody"]))


def test_an_export_reads_back():
    store, team = MemoryStore(), MemoryTeamRegistry()
    with store.begin() as tx:
        enter(tx, 1)
        seat(tx, 1)
    team.point = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="Somebody else moved"):
        list(export_models(store, team, linked, []))
