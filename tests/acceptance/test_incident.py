"""The incident of docs/incident, played anew: what people are told is enough to see it, and to mend it."""

from __future__ import annotations

from pathlib import Path

from scripts.incident.acts import play
from scripts.incident.report import write
from scripts.incident.scene import open_scene

PAGE = Path(__file__).parents[2] / "docs" / "incident" / "index.md"


def test_one_incident_followed_only_by_what_the_system_tells(tmp_path: Path):
    (tmp_path / "scene").mkdir()
    with open_scene(tmp_path / "scene") as scene:
        record = play(scene)
        write(tmp_path / "told", scene, record)
        told = [(who, what) for _, who, what in scene.line if who in {"mail", "chat", "pager"}]
    assert told == [
        ("mail", "[incumbent] flight-delay: there is a new champion"),
        ("chat", "[incumbent] 2 notices about flight-delay: 1 promoted, 1 training"),
        ("pager", "[incumbent] flight-delay: a data source does not answer"),
        ("mail", "[incumbent] flight-delay: a challenger waits"),
        ("chat", "[incumbent] 2 notices about flight-delay: 1 held, 1 training"),
        ("mail", "[incumbent] flight-delay: there is a new champion"),
        ("chat", "[incumbent] flight-delay: there is a new champion"),
        ("mail", "[incumbent] flight-delay: the champion was rolled back"),
        ("pager", "[incumbent] flight-delay: the champion was rolled back"),
    ]
    names = [span.name for span in record.trace]
    assert names[0] == "signal new_data"
    assert {"run profile", "run train", "run evaluate", "decision hold", "signal approval"} <= set(
        names
    )
    assert names[-1] == "decision promote"
    known = {span.span for span in record.trace}
    assert [span.name for span in record.trace if span.parent not in known] == ["signal new_data"]
    champions = [
        seen['incumbent_champion_version{model="flight-delay"}'] for _, seen in record.figures
    ]
    assert champions == [1, 1, 1, 2, 1, 1]
    assert any("all as recorded" in answer for _, answer in record.answers)


def test_the_page_was_written_by_this_script():
    text = PAGE.read_text(encoding="utf-8")
    for part in ("## Time line", "## Figures after each act", "## One trace", "## Messages"):
        assert part in text
    assert "| pager | [incumbent] flight-delay: the champion was rolled back |" in text
