"""A claim has a secret, and on PostgreSQL functions that a worker's login writes through, and through nothing else."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from controller.adapters.sql.schema import run_script

revision = "0020"
down_revision = "0017"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parents[1] / "guards"


def upgrade() -> None:
    """Add the column and, on PostgreSQL, the functions."""
    op.add_column("runs", sa.Column("claim", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        run_script(op.get_bind(), GUARDS / "0020_postgresql.sql")
