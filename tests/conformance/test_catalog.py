"""What every catalogue does: free models as MLflow keeps them, governed ones beside them, one search over both."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from controller.domain.catalog import (
    ARCHIVED,
    PRODUCTION,
    STAGING,
    STATE_TAG,
    CatalogSearch,
    Clause,
    NewFreeVersion,
    Ordering,
)
from controller.domain.errors import AlreadyExists, Conflict, NotFound
from controller.ports import Store, Transaction
from tests.support.makers import AT, HOUR, MODEL, enter, seat

FREE = "Fremd 1"
MINUTE = timedelta(minutes=1)


def add(
    tx: Transaction,
    name: str = FREE,
    at: datetime = AT,
    tags: dict[str, str] | None = None,
) -> None:
    tx.free.add_model(name, description="", tags=tags or {}, at=at)


def version(
    tx: Transaction, name: str = FREE, at: datetime = AT, run: str = "r1", **tags: str
) -> int:
    new = NewFreeVersion(source=f"runs:/{run}/model", storage="s3://x", run=run, tags=tags)
    return tx.free.add_version(name, new, at)


def test_a_free_model_comes_back_as_it_was_entered(store: Store):
    with store.begin() as tx:
        add(tx, tags={"key": "value", "another key": ""})
        new = NewFreeVersion(
            source="models:/m-12ab",
            storage="models:/m-12ab",
            description="first",
            run="r",
            run_link="http://x",
            model_id="m-12ab",
            author="ana",
            tags={"a": "1"},
        )
        assert tx.free.add_version(FREE, new, AT + HOUR) == 1
        tx.free.point(FREE, "blue", 1)
    with store.read() as tx:
        model = tx.catalog.model(FREE)
        found = tx.catalog.version(FREE, 1)
        assert tx.catalog.by_alias(FREE, "blue") == found
        assert (tx.catalog.kind(FREE), tx.catalog.kind("nobody")) == ("free", None)
    assert model is not None
    assert found is not None
    assert (model.kind, model.description, model.created_at) == ("free", "", AT)
    assert model.updated_at == AT + HOUR
    assert (model.tags, model.aliases) == ({"key": "value", "another key": ""}, {"blue": 1})
    assert model.latest == (found,)
    assert (found.number, found.kind, found.stage, found.aliases) == (1, "free", "None", ("blue",))
    assert (found.source, found.storage, found.model_id) == (*["models:/m-12ab"] * 2, "m-12ab")
    assert (found.description, found.run, found.run_link) == ("first", "r", "http://x")
    assert (found.author, found.tags) == ("ana", {"a": "1"})


def test_a_name_is_taken_once(store: Store):
    with store.begin() as tx:
        add(tx)
        add(tx, "other")
    with pytest.raises(AlreadyExists, match="already exists"), store.begin() as tx:
        add(tx)
    with pytest.raises(AlreadyExists, match="already exists"), store.begin() as tx:
        tx.free.change_model(FREE, new_name="other", at=AT)


def test_a_renamed_model_keeps_all_it_has(store: Store):
    with store.begin() as tx:
        add(tx, tags={"a": "1"})
        version(tx)
        tx.free.point(FREE, "blue", 1)
        tx.free.change_model(FREE, new_name="new", description="now so", at=AT + HOUR)
    with store.read() as tx:
        assert tx.catalog.model(FREE) is None
        assert tx.catalog.version(FREE, 1) is None
        model, found = tx.catalog.model("new"), tx.catalog.by_alias("new", "blue")
    assert model is not None
    assert found is not None
    assert (model.description, model.updated_at) == ("now so", AT + HOUR)
    assert (found.model, model.tags, model.aliases) == ("new", {"a": "1"}, {"blue": 1})


def test_a_number_is_never_given_twice(store: Store):
    with store.begin() as tx:
        add(tx)
        assert [version(tx), version(tx)] == [1, 2]
        tx.free.remove_version(FREE, 2, AT)
        assert version(tx) == 3
        tx.free.remove_model(FREE, AT)
        assert tx.catalog.model(FREE) is None
        assert tx.catalog.version(FREE, 1) is None
        add(tx)
        assert version(tx) == 4
        assert [v.number for v in tx.catalog.versions(CatalogSearch())] == [4]


def test_an_import_brings_numbers_of_its_own(store: Store):
    new = NewFreeVersion(source="s", storage="s", number=7, stage=PRODUCTION, created_at=AT)
    with store.begin() as tx:
        add(tx)
        assert tx.free.add_version(FREE, new, AT + HOUR) == 7
        assert version(tx) == 8
        found = tx.catalog.version(FREE, 7)
        assert found is not None
        assert (found.stage, found.created_at, found.updated_at) == (PRODUCTION, AT, AT + HOUR)
    with pytest.raises(Conflict, match="given the number 7 before"), store.begin() as tx:
        tx.free.add_version(FREE, new, AT)
    with pytest.raises(NotFound, match="not found"), store.begin() as tx:
        tx.free.add_version("nobody", new, AT)


def test_a_deleted_version_takes_its_aliases_along(store: Store):
    with store.begin() as tx:
        add(tx)
        version(tx)
        version(tx)
        for alias, number in (("a", 1), ("b", 1), ("c", 2)):
            tx.free.point(FREE, alias, number)
        tx.free.remove_version(FREE, 1, AT + HOUR)
        model = tx.catalog.model(FREE)
        assert model is not None
        assert (model.aliases, model.updated_at) == ({"c": 2}, AT + HOUR)
        assert tx.catalog.by_alias(FREE, "a") is None


def test_an_alias_moves_and_goes(store: Store):
    with store.begin() as tx:
        add(tx)
        version(tx)
        version(tx)
        tx.free.point(FREE, "blue", 1)
        tx.free.point(FREE, "blue", 2)
        found = tx.catalog.by_alias(FREE, "blue")
        assert found is not None
        assert found.number == 2
        tx.free.point(FREE, "blue", None)
        tx.free.point(FREE, "blue", None)
        assert tx.catalog.by_alias(FREE, "blue") is None


def test_tags_are_set_and_taken_off(store: Store):
    with store.begin() as tx:
        add(tx)
        version(tx)
        for number in (0, 1):
            tx.free.tag(FREE, number, "a", "1")
            tx.free.tag(FREE, number, "a", "2")
            tx.free.tag(FREE, number, "b", "")
            tx.free.tag(FREE, number, "a", None)
        model = tx.catalog.model(FREE)
        assert model is not None
        assert (model.tags, model.latest[0].tags) == ({"b": ""}, {"b": ""})


def test_stages(store: Store):
    with store.begin() as tx:
        add(tx)
        for number in range(1, 5):
            version(tx)
            tx.free.change_version(FREE, number, stage=PRODUCTION, at=AT + number * MINUTE)
        tx.free.change_version(FREE, 4, stage=PRODUCTION, alone=True, at=AT + HOUR)
        tx.free.change_version(FREE, 2, stage=STAGING, description="two", at=AT)
        model = tx.catalog.model(FREE)
        assert model is not None
        assert [(v.stage, v.number) for v in model.latest] == [
            (STAGING, 2),
            (PRODUCTION, 4),
            (ARCHIVED, 3),
        ]
        assert model.latest[0].description == "two"


UNKNOWN = {
    "rename": lambda tx: tx.free.change_model("x", new_name="y", at=AT),
    "delete": lambda tx: tx.free.remove_model("x", AT),
    "a version": lambda tx: version(tx, "x"),
    "a version's stage": lambda tx: tx.free.change_version(FREE, 9, stage="Staging", at=AT),
    "delete a version": lambda tx: tx.free.remove_version(FREE, 9, AT),
    "tag": lambda tx: tx.free.tag("x", 0, "a", "b"),
    "tag a version": lambda tx: tx.free.tag(FREE, 9, "a", "b"),
    "alias": lambda tx: tx.free.point(FREE, "blue", 9),
    "take an alias away": lambda tx: tx.free.point("x", "blue", None),
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_there_cannot_be_changed(store: Store, change):
    with store.begin() as tx:
        add(tx)
    with pytest.raises(NotFound, match="not found"), store.begin() as tx:
        change(tx)


def test_governed_versions_are_listed_beside(store: Store):
    with store.begin() as tx:
        enter(tx, 1)
        enter(tx, 2)
        seat(tx, 1)
        seat(tx, 2, generation=1, previous=1, at=AT + HOUR)
        add(tx, at=AT + MINUTE)
        version(tx, at=AT + MINUTE)
    with store.read() as tx:
        catalog = tx.catalog
        assert catalog.kind(MODEL) == "governed"
        model = catalog.model(MODEL)
        champion = catalog.by_alias(MODEL, "champion")
        assert model is not None
        assert champion is not None
        assert (model.kind, model.aliases) == ("governed", {"champion": 2})
        assert [(v.stage, v.number) for v in model.latest] == [(PRODUCTION, 2), (ARCHIVED, 1)]
        assert (champion.number, champion.digest, champion.run) == (2, "d2", f"{MODEL}.t2")
        assert (champion.aliases, champion.tags[STATE_TAG]) == (("champion",), "champion")
        assert champion.source == "sha256:d2"
        assert catalog.by_alias(MODEL, "blue") is None
        assert [m.name for m in catalog.models(CatalogSearch())] == [FREE, MODEL]
        order = [(v.model, v.number) for v in catalog.versions(CatalogSearch())]
    assert order == [(MODEL, 2), (MODEL, 1), (FREE, 1)]


def test_a_name_with_a_control_row_alone_is_nobodys(store: Store):
    with store.begin() as tx:
        tx.models.state("asked-for")
    with store.read() as tx:
        assert tx.catalog.kind("asked-for") is None
        assert tx.catalog.models(CatalogSearch()) == []


CLAUSES = {
    "name": (Clause(field="name", op="=", value="B2"), ["B2"]),
    "like is exact": (Clause(field="name", op="LIKE", value="b%"), ["b1"]),
    "like one letter": (Clause(field="name", op="LIKE", value="_2"), ["B2"]),
    "a star is a star": (Clause(field="name", op="LIKE", value="*"), []),
    "ilike": (Clause(field="name", op="ILIKE", value="b%"), ["B2", "b1"]),
    "not": (Clause(field="name", op="!=", value="B2"), ["b1", MODEL]),
    "in": (Clause(field="name", op="IN", value=("B2", MODEL)), ["B2", MODEL]),
    "run": (Clause(field="run", op="=", value="r7"), ["b1"]),
    "source": (Clause(field="source", op="=", value="runs:/r8/model"), ["B2"]),
    "source of ours": (Clause(field="source", op="=", value="sha256:d1"), [MODEL]),
    "number": (Clause(field="number", op=">=", value=2), []),
    "tag": (Clause(field="tag", op="=", key="team", value="x"), ["b1"]),
    "tag is not": (Clause(field="tag", op="!=", key="team", value="x"), ["B2"]),
    "state": (Clause(field="tag", op="=", key=STATE_TAG, value="candidate"), [MODEL]),
    "no prompts": (
        Clause(field="tag", op="!=", key="mlflow.prompt.is_prompt", value="true"),
        ["B2", "b1", MODEL],
    ),
}


@pytest.mark.parametrize(("clause", "names"), CLAUSES.values(), ids=CLAUSES.keys())
def test_versions_are_searched(store: Store, clause: Clause, names: list[str]):
    with store.begin() as tx:
        enter(tx, 1)
        add(tx, "b1")
        add(tx, "B2")
        version(tx, "b1", run="r7", team="x")
        version(tx, "B2", run="r8", team="y")
    with store.read() as tx:
        search = CatalogSearch(clauses=(clause,), order=(Ordering(field="name"),))
        assert [v.model for v in tx.catalog.versions(search)] == names


ORDERS = {
    "as usual": (),
    "name": (Ordering(field="name"),),
    "name, the other way": (Ordering(field="name", descending=True),),
    "number": (Ordering(field="number", descending=True),),
    "created": (Ordering(field="created"),),
}
VALUES = {
    "name": lambda v: v.model,
    "number": lambda v: v.number,
    "created": lambda v: v.created_at,
    "updated": lambda v: v.updated_at,
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_pages_of_a_search_are_its_whole(store: Store, order: tuple[Ordering, ...]):
    with store.begin() as tx:
        for number in (1, 2, 3):
            enter(tx, number)
        for name in ("a", "B", "z"):
            add(tx, name)
            version(tx, name, at=AT + MINUTE)
            version(tx, name, at=AT)
    with store.read() as tx:
        whole = tx.catalog.versions(CatalogSearch(order=order))
        assert len(whole) == 9
        given = order or (Ordering(field="updated", descending=True),)
        fields = [o.field for o in given]
        fields += [f for f in ("name", "number") if f not in fields]
        paged, after = [], None
        while page := tx.catalog.versions(CatalogSearch(order=order, limit=2, after=after)):
            paged += page
            after = tuple(VALUES[f](page[-1]) for f in fields)
    assert paged == whole


def test_models_are_searched_by_tag_and_page(store: Store):
    with store.begin() as tx:
        for name in ("c", "a", "b", "d"):
            add(tx, name, tags={"mlflow.prompt.is_prompt": "true"} if name == "d" else {"t": name})
        search = CatalogSearch(
            clauses=(Clause(field="tag", op="!=", key="mlflow.prompt.is_prompt", value="true"),)
        )
        assert [m.name for m in tx.catalog.models(search)] == ["a", "b", "c"]
        assert [m.name for m in tx.catalog.models(CatalogSearch(limit=2, after=("b",)))] == [
            "c",
            "d",
        ]
        tagged = CatalogSearch(clauses=(Clause(field="tag", op="=", key="t", value="b"),))
        assert [m.name for m in tx.catalog.models(tagged)] == ["b"]
