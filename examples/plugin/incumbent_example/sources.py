"""A source: `data: {source: "example-lines:/var/log/flights.jsonl"}` reads what was appended since the last look."""

from __future__ import annotations

from pathlib import Path


def poll(address: str, cursor: str | None, folder: Path) -> tuple[list[Path], str]:
    """Writes the lines beyond the cursor, a number of bytes, as one Parquet file into ``folder``.

    Returns the files, none where nothing came, and the next cursor. A line that is not whole yet waits.
    """
    start = int(cursor or 0)
    with Path(address).open("rb") as stream:
        stream.seek(start)
        lines = stream.read()
    lines = lines[: lines.rfind(b"\n") + 1]
    if not lines.strip():
        return [], str(start + len(lines))
    import duckdb

    part, file = folder / "lines.jsonl", folder / "lines.parquet"
    part.write_bytes(lines)
    duckdb.sql(
        f"COPY (FROM read_json('{part}', format='newline_delimited')) TO '{file}' (FORMAT parquet)"
    )
    part.unlink()
    return [file], str(start + len(lines))
