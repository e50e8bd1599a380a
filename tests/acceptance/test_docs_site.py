"""The site of documents: builds strictly, and asks no other host for anything when it is read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOADS = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?([^\"'\s>]+)"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|icon|preconnect|preload|dns-prefetch))[^>]*\bhref=[\"']?([^\"'\s>]+)"
    r"|@import\s+[\"']([^\"']+)|url\([\"']?([^\"')]+)"
)


def loaded(text: str) -> list[str]:
    """Addresses that a browser loads by itself."""
    return [next(filter(None, found)) for found in LOADS.findall(text)]


def foreign(address: str) -> bool:
    return address.startswith(("http:", "https:", "//"))


@pytest.mark.long
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere():
    done = subprocess.run(
        ["make", "docs"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    site = ROOT / "site"

    files = [path for kind in ("*.html", "*.css") for path in site.rglob(kind)]
    assert len(files) > 20
    elsewhere = {
        f"{path.relative_to(site)}: {address}"
        for path in files
        for address in loaded(path.read_text(encoding="utf-8"))
        if foreign(address)
    }
    assert elsewhere == set()
    assert (site / "images" / "inbox-light.png").exists()


@pytest.mark.parametrize(
    "text",
    [
        '<script async src="https://cdn.example/x.js">',
        "<img src=//cdn.example/a.png>",
        '<link href="https://fonts.example/css" rel="stylesheet">',
        "a { background: url(https://cdn.example/a.png) }",
    ],
    ids=["script", "image", "stylesheet", "css"],
)
def test_what_is_loaded_from_elsewhere_is_seen(text: str):
    assert [one for one in loaded(text) if foreign(one)]
