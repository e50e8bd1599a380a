"""What MkDocs runs while it builds the site: the list of the records of decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LIST = "decisions/index.md"


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Adds the records to their page, each by its own first line."""
    if page.file.src_uri != LIST:
        return markdown
    folder = Path(config["docs_dir"]) / "decisions"
    records = (path for path in sorted(folder.glob("[0-9]*.md")))
    return markdown + "".join(f"- [{_title(path)}]({path.name})\n" for path in records)


def _title(record: Path) -> str:
    first = record.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# ").strip()
