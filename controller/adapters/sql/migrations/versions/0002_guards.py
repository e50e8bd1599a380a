"""The guards: what the database refuses, whoever writes. One file of SQL for each kind of database."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from controller.adapters.sql.schema import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "guards"


def upgrade() -> None:
    """Set them up."""
    bind = op.get_bind()
    run_script(bind, GUARDS / f"0002_{bind.dialect.name}.sql")
