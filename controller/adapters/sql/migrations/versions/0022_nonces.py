"""Deliveries that were taken, login links that were used and sessions that were ended are kept for all processes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """Nothing was kept in the database before."""
    op.create_table(
        "nonces",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_nonces"),
    )
    op.create_index("ix_nonces_ends_at", "nonces", ["kind", "ends_at"])
