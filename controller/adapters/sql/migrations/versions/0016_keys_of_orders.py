"""Silences, repeated messages and tokens are kept once under the key of who ordered them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room for the keys; what was written before has none."""
    for table in ("deliveries", "silences", "tokens"):
        op.add_column(table, sa.Column("key", sa.Text(), nullable=True))
        op.create_index(f"ux_{table}_key", table, ["key"], unique=True)
