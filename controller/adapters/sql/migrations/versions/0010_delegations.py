"""Approvals that are taken back or given in somebody's place, and who stands in for whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """Make room for them; what was written before is an approval or a rejection of one's own."""
    op.add_column("approvals", sa.Column("word", sa.Text(), nullable=True))
    op.add_column("approvals", sa.Column("behalf", sa.Text(), nullable=True))
    op.create_table(
        "delegations",
        sa.Column("id", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
        sa.UniqueConstraint("key", name=op.f("uq_delegations_key")),
    )
    op.create_index("ix_delegations_to", "delegations", ["to"], unique=False)
