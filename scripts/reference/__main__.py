"""`python -m scripts.reference` writes the pages into docs/reference; `make reference` runs it."""

from __future__ import annotations

from scripts.reference.pages import FOLDER, pages


def main() -> None:
    """Write what changed, and name it."""
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(FOLDER.parents[1])}")


main()
