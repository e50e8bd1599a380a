"""The tables of the first release. The guards are made after the migrations: see ``controller.adapters.sql.guards``."""

from __future__ import annotations

import re
from pathlib import Path

from alembic import op

revision = "0001_first_release"
down_revision = None
branch_labels = None
depends_on = None

TYPES = {
    "sqlite": {"id": "INTEGER NOT NULL", "big": "INTEGER", "time": "VARCHAR(27)"},
    "postgresql": {"id": "BIGSERIAL NOT NULL", "big": "BIGINT", "time": "TIMESTAMP WITH TIME ZONE"},
}


def upgrade() -> None:
    """Make them, and the head of an empty chain."""
    bind = op.get_bind()
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    types = TYPES[bind.dialect.name]
    for statement in re.sub(r"\{(\w+)\}", lambda found: types[found[1]], script).split(";\n"):
        if statement.strip():
            bind.execution_options(no_parameters=True).exec_driver_sql(statement)
