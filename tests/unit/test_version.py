from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

from click.testing import CliRunner

from controller import __version__
from controller.entrypoints.cli.main import main


def test_the_command_names_the_version_of_the_distribution() -> None:
    result = CliRunner().invoke(main, ["--version"])

    assert result.exit_code == 0
    assert result.output.strip() == f"incumbent, version {__version__}"
    assert version("incumbent") == __version__


def test_a_trivial_command_imports_no_heavy_library() -> None:
    heavy = {"celery", "sqlalchemy", "pydantic", "duckdb", "rich", "importlib.metadata", "requests"}
    program = (
        "import sys\n"
        "from controller.entrypoints.cli.main import main\n"
        "main(['--version'], standalone_mode=False)\n"
        f"print(sorted(set(sys.modules) & {heavy!r}), file=sys.stderr)\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert result.stderr.strip() == "[]"
