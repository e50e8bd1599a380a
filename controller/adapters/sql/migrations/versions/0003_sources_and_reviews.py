"""How sources fare, and the evidence of reviews, which is only ever added to."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from controller.adapters.sql.schema import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
GUARDS = Path(__file__).parent.parent / "guards"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "source_states",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("good_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_source_states")),
    )
    op.create_table(
        "reviews",
        sa.Column("id", BIG, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("digest", name=op.f("uq_reviews_digest")),
    )
    op.create_index("ix_reviews_source_id", "reviews", ["source", "id"], unique=False)
    bind = op.get_bind()
    run_script(bind, GUARDS / f"0003_{bind.dialect.name}.sql")
