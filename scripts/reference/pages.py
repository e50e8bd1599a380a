"""Every page that is made, by its name below docs/reference."""

from __future__ import annotations

import json
from pathlib import Path

from controller.rulefmt.lints.reference import lints_markdown
from controller.rulefmt.reference import json_schema, reference_markdown, rule_test_markdown
from controller.service.observe.reference import markdown as metrics_markdown
from scripts.reference.api import api_page
from scripts.reference.commands import commands_page
from scripts.reference.reasons import reasons_page
from scripts.reference.settings import settings_page
from scripts.reference.signals import signals_page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def pages() -> dict[str, str]:
    """Name of the file -> its text."""
    return {
        "api.md": api_page(),
        "commands.md": commands_page(),
        "lints.md": lints_markdown(),
        "metrics.md": metrics_markdown(),
        "policy.md": reference_markdown(),
        "policy.schema.json": json.dumps(json_schema(), indent=1) + "\n",
        "reasons.md": reasons_page(),
        "rule-tests.md": rule_test_markdown(),
        "settings.md": settings_page(),
        "signals.md": signals_page(),
    }
