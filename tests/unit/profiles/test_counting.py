"""Counts are held against numpy on the same rows."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.domain.errors import IntegrityError, UserError
from controller.domain.layouts import ColumnKind, Layout
from controller.domain.profiles import Profile, merge_profiles
from controller.domain.sketch import DistinctSketch
from workers.profiles import BatchData, LayoutOptions, ScanEngine, make_layout, make_profile

RNG = np.random.default_rng(7)


def table(**columns: object) -> BatchData:
    return BatchData(table=pa.table(columns))


def column(data: BatchData, layout: Layout, name: str = "x"):
    return make_profile(data, layout).by_name[name]


SHAPES = {
    "normal": RNG.normal(size=20_000),
    "lognormal": RNG.lognormal(size=20_000),
    "heavy lognormal": RNG.lognormal(sigma=4, size=20_000),
    "pareto": RNG.pareto(1.1, size=20_000) + 1,
    "zero inflated": np.where(RNG.random(20_000) < 0.4, 0.0, RNG.lognormal(size=20_000)),
    "atom off the grid": np.where(RNG.random(20_000) < 0.3, 1 / 3, RNG.normal(size=20_000)),
    "negative": -RNG.exponential(size=20_000),
    "huge": RNG.normal(size=20_000) * 1e300,
    "tiny": RNG.normal(size=20_000) * 1e-300,
    "few values": RNG.choice([0.1, 0.2, 0.7], size=20_000),
    "halves": RNG.choice([0.5, 1.0, 1.5, 4.0], size=20_000),
    "constant": np.full(20_000, 3.25),
    "small integers": RNG.integers(0, 12, size=20_000),
    "integers": RNG.integers(-400, 9_000, size=20_000),
    "large integers": RNG.integers(0, 2**60, size=20_000),
    "capped": np.minimum(RNG.exponential(size=20_000), 1.0),
    "negative zeros": np.where(RNG.random(20_000) < 0.5, -0.0, RNG.normal(size=20_000)),
}
SMOOTH = ["normal", "lognormal", "heavy lognormal", "pareto", "negative", "integers"]


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_fall_into_the_bins_that_the_edges_name(shape):
    values = SHAPES[shape]
    data = table(x=values)
    layout = make_layout(data)
    bins = column(data, layout)
    edges = np.array(layout.columns[0].edges)
    expected = np.bincount(
        np.searchsorted(edges, values.astype(float), side="right"), minlength=len(edges) + 1
    )
    assert bins.bins == tuple(expected.tolist())
    assert list(edges) == sorted(set(edges))
    assert len(layout.columns[0].labels()) == layout.columns[0].bins == len(bins.bins)
    assert bins.total == pytest.approx(values.astype(float).sum(), rel=1e-9, abs=1e-6)
    assert (bins.minimum, bins.maximum) == (values.min(), values.max())


@pytest.mark.parametrize("shape", SMOOTH)
def test_a_smooth_shape_gets_bins_of_about_two_percent(shape):
    data = table(x=SHAPES[shape])
    counts = np.array(column(data, make_layout(data)).bins)
    assert 48 <= len(counts) <= 52
    assert counts.max() <= 0.045 * 20_000


def test_an_atom_has_a_bin_of_its_own():
    values = SHAPES["zero inflated"]
    layout = make_layout(table(x=values))
    edges = layout.columns[0].edges
    at = edges.index(0.0)
    assert edges[at + 1] == np.nextafter(0.0, 1.0)
    assert column(table(x=values), layout).bins[at + 1] == (values == 0).sum()


def test_the_special_values_are_bins_and_do_not_poison_the_sums():
    layout = make_layout(table(x=np.arange(1000.0)))
    values = [1.0, None, float("nan"), float("inf"), float("-inf"), 2.0, -7.0, 5000.0]
    found = column(table(x=pa.array(values, pa.float64())), layout)
    assert (found.nulls, found.nan) == (1, 1)
    assert (found.positive_infinity, found.negative_infinity) == (1, 1)
    assert found.total == 4996.0
    assert (found.minimum, found.maximum) == (-7.0, 5000.0)
    assert sum(found.bins) == found.finite == 4
    assert found.rows == 8
    assert found.null_rate == 0.25


def test_infinities_in_the_reference_leave_the_edges_finite():
    values = np.concatenate([RNG.normal(size=1000), [np.inf, -np.inf, np.nan]])
    assert np.isfinite(make_layout(table(x=values)).columns[0].edges).all()


def test_categories_are_top_rare_unseen_and_null():
    layout = make_layout(table(x=["a"] * 60 + ["b"] * 30 + ["rare"] * 9 + [None]))
    assert layout.columns[0].categories == ("a", "b")
    assert layout.columns[0].rare == ("rare",)
    found = column(table(x=["a", "b", "b", "rare", "new", "new", "newer", None]), layout)
    assert (found.bins, found.other, found.unseen, found.nulls) == ((1, 2), 1, 3, 1)
    assert found.examples == (("new", 2), ("newer", 1))


def test_only_the_hundred_most_frequent_values_have_a_bin():
    values = [f"v{i:03d}" for i in range(150) for _ in range(100 if i < 100 else 12)]
    layout = make_layout(table(x=values)).columns[0]
    assert set(layout.categories) == {f"v{i:03d}" for i in range(100)}
    assert len(layout.categories) == 100
    assert len(layout.rare) == 50


def test_beyond_the_values_remembered_nothing_is_called_unseen():
    values = [f"v{i}" for i in range(300) for _ in range(3)]
    options = LayoutOptions(remember=200, kinds={"x": ColumnKind.CATEGORY})
    layout = make_layout(table(x=values), options)
    found = column(table(x=["brand new"] * 5), layout)
    assert not layout.columns[0].rare_complete
    assert (found.other, found.unseen, found.examples) == (5, 0, ())


def test_integer_codes_can_be_counted_as_categories():
    data = table(x=np.repeat([1, 2, 30], 50))
    layout = make_layout(data, LayoutOptions(kinds={"x": ColumnKind.CATEGORY}))
    assert layout.columns[0].categories == ("1", "2", "30")
    found = column(data, layout)
    assert (found.bins, found.problem) == ((50, 50, 50), None)


def test_booleans():
    layout = make_layout(table(x=[True, False, None]))
    found = column(table(x=[True, True, False, None]), layout)
    assert (found.bins, found.nulls, found.unseen) == ((1, 2), 1, 0)


def test_time_stamps_are_counted_by_the_hour_in_utc():
    zone = pa.timestamp("us", tz="Europe/Berlin")
    moments = [datetime(2013, 1, 1, hour, 30, tzinfo=UTC) for hour in (0, 5, 5)]
    layout = make_layout(table(x=pa.array(moments, zone)))
    found = column(table(x=pa.array([*moments, None], zone)), layout)
    assert (found.bins[0], found.bins[5], found.nulls) == (1, 2, 1)
    assert found.maximum == moments[1].timestamp()


def test_dates_are_counted_by_the_day_of_the_week():
    days = [date(2013, 1, 1) + timedelta(days=i) for i in range(8)]  # from a Tuesday on
    layout = make_layout(table(x=days))
    assert column(table(x=days), layout).bins == (1, 2, 1, 1, 1, 1, 1)
    assert layout.columns[0].labels()[1] == "Tue"


def test_text_is_lengths_nulls_and_distinct_values():
    values = [f"name-{i}" for i in range(5000)]
    layout = make_layout(table(x=values))
    assert layout.columns[0].kind is ColumnKind.TEXT
    found = column(table(x=[*values, None]), layout)
    assert found.nulls == 1
    assert found.total == sum(map(len, values))
    assert found.distinct == pytest.approx(5000, rel=0.05)


def test_nested_columns_are_counted_by_their_nulls_only():
    data = table(x=[[1], None, [2, 3]], y=[{"a": 1}] * 3)
    found = make_profile(data, make_layout(data)).by_name
    assert found["x"].kind is ColumnKind.OPAQUE
    assert (found["x"].nulls, found["y"].nulls) == (1, 0)


def test_a_category_of_a_megabyte_is_kept_as_its_beginning_and_digest():
    long = ["x" * 1_000_000 + end for end in ("a", "b")]
    layout = make_layout(table(x=[*long * 20, *["short"] * 20]))
    assert max(map(len, layout.columns[0].categories)) < 100
    assert len(layout.columns[0].categories) == 3
    found = column(table(x=[*long, "x" * 1_000_000]), layout)
    assert (sum(found.bins), found.unseen) == (2, 1)
    assert len(json.dumps(found.to_json())) < 10_000


def test_names_and_values_with_quotes_are_safe():
    awkward = "a \"quoted' name; DROP TABLE x"
    data = BatchData(table=pa.table({awkward: ["it's", 'say "hi"', "%"] * 20}))
    found = make_profile(data, make_layout(data))
    assert sum(found.by_name[awkward].bins) == 60


def test_profiles_of_batches_add_up_to_the_profile_of_their_rows():
    rows = pa.table(
        {
            "x": pa.array(np.where(RNG.random(9000) < 0.1, np.nan, RNG.normal(size=9000))),
            "g": RNG.choice(list("abcdefghij"), size=9000),
            "t": [f"t{i % 4000}" for i in range(9000)],
        }
    )
    layout = make_layout(BatchData(table=rows))
    parts = [make_profile(BatchData(table=rows.slice(i, 3000)), layout) for i in (0, 3000, 6000)]
    whole, added = make_profile(BatchData(table=rows), layout), merge_profiles(parts)
    assert added.batches == 3
    rounded = {"total": 0, "squares": 0}
    for one, other in zip(whole.columns, added.columns, strict=True):
        assert one.to_json() | rounded == other.to_json() | rounded
        assert one.total == pytest.approx(other.total)


def test_profiles_of_two_layouts_do_not_add_up():
    one, other = table(x=np.arange(100.0)), table(x=np.arange(300.0))
    first, second = (make_profile(data, make_layout(data)) for data in (one, other))
    with pytest.raises(UserError, match="bins differ"):
        first.merge(second)


def test_no_profiles_do_not_add_up():
    with pytest.raises(UserError, match="no profile to add up"):
        merge_profiles([])


def test_a_layout_and_a_profile_survive_json():
    data = table(
        x=np.append(RNG.normal(size=499), 1e200),
        g=["a", "b"] * 250,
        b=[True, False] * 250,
        t=pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 500),
    )
    layout = make_layout(data)
    profile = make_profile(data, layout)
    written = [json.dumps(value.to_json(), allow_nan=False) for value in (layout, profile)]
    assert Layout.from_json(json.loads(written[0])) == layout
    assert Profile.from_json(json.loads(written[1])) == profile


@pytest.mark.parametrize(
    "stored",
    [{}, [], {"version": 2}, {"version": 1}, {"version": 1, "rows": "many", "columns": []}],
    ids=["nothing", "a list", "a later version", "no fields", "a word for a number"],
)
@pytest.mark.parametrize("shape", [Layout, Profile])
def test_a_stored_form_that_is_wrong_is_refused(shape, stored):
    with pytest.raises(IntegrityError, match="stored"):
        shape.from_json(stored)


def test_the_same_reference_gives_the_same_layout_with_any_number_of_threads():
    data = table(x=np.random.default_rng(1).normal(size=500_000))
    first, second = (make_layout(data, engine=ScanEngine(threads=threads)) for threads in (1, 2))
    assert first.digest == second.digest


def test_columns_that_the_layout_does_not_know_are_named_and_not_counted():
    layout = make_layout(table(x=[1.0, 2.0]))
    assert make_profile(table(x=[1.0], y=["a"]), layout).extra == (("y", "VARCHAR"),)


def test_more_columns_than_one_statement_takes_are_counted(tmp_path):
    wide = pa.table({f"c{i}": RNG.normal(size=60) for i in range(600)})
    pq.write_table(wide, tmp_path / "wide.parquet")
    data = BatchData.of(tmp_path / "wide.parquet")
    layout = make_layout(data)
    assert all(sum(c.bins) == 60 for c in make_profile(data, layout).columns)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_every_row_is_in_exactly_one_bin(values):
    data = table(x=pa.array(values, pa.float64()))
    found = column(data, make_layout(data))
    special = found.nan + found.nulls + found.positive_infinity + found.negative_infinity
    assert sum(found.bins) + special == found.rows == len(values)


@given(st.sets(st.text(max_size=8), max_size=200), st.sets(st.text(max_size=8), max_size=200))
@settings(max_examples=20, deadline=None)
def test_sketches_add_up(first, second):
    def sketch(values: set[str]) -> DistinctSketch:
        data = table(x=pa.array([*values, None], pa.string()))
        options = LayoutOptions(kinds={"x": ColumnKind.CATEGORY})
        return column(data, make_layout(data, options)).sketch

    both = sketch(first).merge(sketch(second))
    assert both == sketch(first | second)
    assert both.estimate() == pytest.approx(len(first | second), rel=0.1, abs=4)
    assert DistinctSketch.from_text(both.to_text()) == both
