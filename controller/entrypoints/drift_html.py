"""A drift report as HTML: one file that needs nothing else, or a fragment for the page.

Only aggregates go in, so that a report of hundreds of columns stays small. Charts are SVG with their numbers beside
them; nothing is a script, nothing comes from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from controller.policy.phrase import format_time_utc
from controller.service.explain.drift_report import ColumnMoves, DriftComparison, DriftView

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#777;--bad:#b3261e;--warn:#9a6700;--good:#1a7f37}
@media(prefers-color-scheme:dark){:root{--soft:#aaa;--bad:#ff7b72;--warn:#e3b341;--good:#56d364}}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.soft{color:var(--soft)}
.alert{color:var(--bad);font-weight:600}.warn{color:var(--warn);font-weight:600}.ok{color:var(--good)}
.drift-line{fill:none;stroke:currentColor;stroke-width:1.5}.drift-bar{fill:currentColor;opacity:.35}
.drift-now{fill:currentColor}h2{margin-top:2rem}
"""
_WIDTH, _HEIGHT = 120, 24
_MOST_COLUMNS = 200


def drift_document(view: DriftView, at: datetime) -> str:
    """The whole file."""
    made = format_time_utc(at)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Drift of {escape(view.model)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Drift of {escape(view.model)}</h1>"
        f'<p class="soft">Made {made}. Distances are debiased for the sample size; an alarm needs an effect, '
        "significance over all columns, and more than the history of accepted batches.</p>"
        f"{fragment(view)}</body></html>\n"
    )


def fragment(view: DriftView) -> str:
    """The sections alone."""
    return "".join(_sections(view))


def _sections(view: DriftView) -> Iterator[str]:
    if not (view.looks or view.skew or view.decay or view.quarantined):
        yield "<p>Nobody has looked at these data yet.</p>"
    for comparison in view.comparisons:
        yield from _comparison(comparison, len(view.looks))
    if view.skew is not None:
        yield f"<h2>Served rows</h2><p>{view.skew.matched:,} rows were found again by their key.</p>"
        yield _reasons(view.skew.comparison.reasons, view.skew.comparison.verdict)
        yield _mismatches(view.skew.mismatches)
    yield from _decay(view)
    yield from _quarantine(view)


def _verdict(word: str) -> str:
    kind = word if word in {"alert", "warn", "ok"} else "soft"
    return f'<span class="{kind}">{escape(word.replace("_", " "))}</span>'


def _comparison(found: DriftComparison, looks: int) -> Iterator[str]:
    name = "the training data" if found.reference == "training" else found.reference
    yield f"<h2>Against {escape(name.replace('_', ' '))}: {_verdict(found.verdict)}</h2>"
    before = f" against {found.reference_rows:,}" if found.reference_rows else ""
    yield f'<p class="soft">{found.rows:,} rows{before}; history of {looks} looks.</p>'
    if found.problem:
        yield f"<p>{escape(found.problem)}</p>"
        return
    yield (
        '<table><caption class="soft">Columns, the worst first</caption><tr><th>column</th><th>verdict</th>'
        '<th class="n">Jensen-Shannon</th><th class="n">PSI</th><th class="n">nulls ±</th><th class="n">p</th>'
        "<th>history</th></tr>"
    )
    for column in found.columns[:_MOST_COLUMNS]:
        yield _row(column)
    yield "</table>"
    if len(found.columns) > _MOST_COLUMNS:
        yield f'<p class="soft">… and {len(found.columns) - _MOST_COLUMNS:,} calmer columns.</p>'
    for column in found.columns[:_MOST_COLUMNS]:
        if column.verdict in {"alert", "warn"}:
            yield _moved(column)


def _row(column: ColumnMoves) -> str:
    cells = (
        column.effect,
        column.values.get("psi"),
        column.values.get("null_rate"),
        column.p_value,
    )
    numbers = "".join(f'<td class="n">{_number(value)}</td>' for value in cells)
    return (
        f"<tr><td>{escape(column.column)}</td><td>{_verdict(column.verdict)}</td>{numbers}"
        f"<td>{history_svg(column.history, column.column)}</td></tr>"
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def history_svg(values: Sequence[float | None], title: str) -> str:
    """The effect over the looks, from zero up; its numbers stand in the title."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return '<span class="soft">–</span>'
    top = max(known) or 1.0
    step = _WIDTH / max(len(values) - 1, 1)
    points = " ".join(
        f"{at * step:.1f},{_HEIGHT - 2 - (_HEIGHT - 4) * value / top:.1f}"
        for at, value in enumerate(values)
        if value is not None
    )
    said = f"{title}: {', '.join(_number(v) for v in values)}"
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(said)}"><polyline class="drift-line" points="{points}"/></svg>'
    )


def _moved(column: ColumnMoves) -> str:
    why = escape("; ".join(column.reasons))
    rows = "".join(
        f'<tr><td>{escape(label)}</td><td class="n">{before:.1%}</td><td class="n">{now:.1%}</td>'
        f"<td>{_bars(before, now)}</td></tr>"
        for label, before, now in column.moved
    )
    table = (
        f'<table><tr><th>bin</th><th class="n">before</th><th class="n">now</th><th></th></tr>{rows}</table>'
        if rows
        else ""
    )
    return f"<h3>{escape(column.column)}</h3><p>{why}</p>{table}"


def _bars(before: float, now: float) -> str:
    return (
        f'<svg width="{_WIDTH}" height="14" aria-hidden="true">'
        f'<rect class="drift-bar" width="{_WIDTH * before:.1f}" height="6"/>'
        f'<rect class="drift-now" y="7" width="{_WIDTH * now:.1f}" height="6"/></svg>'
    )


def _reasons(reasons: Sequence[str], verdict: str) -> str:
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"<p>{_verdict(verdict)}</p>" + (f"<ul>{items}</ul>" if items else "")


def _mismatches(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    rows = "".join(
        f'<tr><td>{escape(str(f.get("feature")))}</td><td class="n">{f.get("mismatches"):,}</td>'
        f'<td class="n">{f.get("rate") or 0:.2%}</td><td>{escape(_examples(f))}</td></tr>'
        for f in found
    )
    return (
        '<table><tr><th>feature</th><th class="n">rows that differ</th><th class="n">rate</th>'
        f"<th>key: in training, in serving</th></tr>{rows}</table>"
    )


def _examples(found: Mapping[str, Any]) -> str:
    return "; ".join(f"{key}: {one}, {other}" for key, one, other in found.get("examples") or ())


def _decay(view: DriftView) -> Iterator[str]:
    decay = view.decay
    if decay is None:
        return
    yield f"<h2>v{decay.version} on {decay.labels:,} labels since it was judged</h2><ul>"
    for reading in decay.readings:
        said = escape(str(reading.get("problem") or reading.get("sentence") or ""))
        yield f"<li>{escape(str(reading.get('name')))}: {said}</li>"
    for estimate in decay.estimates:
        if "value" in estimate:
            yield (
                f"<li>{escape(str(estimate['metric']))} before labels came: {estimate['value']:.4g}, an estimate "
                f"({escape(str(estimate['method']))})</li>"
            )
    yield "</ul>"
    for metric, days in decay.days.items():
        yield f"<p>{escape(metric)} by day: {history_svg([v for _, v, _ in days], metric)}</p>"


def _quarantine(view: DriftView) -> Iterator[str]:
    if not view.quarantined:
        return
    yield "<h2>Quarantine</h2><ul>"
    for batch in view.quarantined:
        failing = f" ({batch.failing:,} rows)" if batch.failing else ""
        yield f"<li>Batch {batch.sequence}, {escape(batch.uri)}: {escape(batch.reason)}{failing}"
        for example in batch.examples[:3]:
            said = ", ".join(f"{key}={value}" for key, value in list(example.items())[:8])
            yield f'<br><span class="soft">{escape(said)}</span>'
        yield "</li>"
    yield "</ul>"
