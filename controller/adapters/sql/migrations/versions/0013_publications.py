"""What was published to a team's own registry, and what was found there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "publications",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("alias", sa.Integer(), nullable=True),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("drift", sa.Text(), nullable=False),
        sa.Column("drift_at", TIME, nullable=True),
        sa.Column("drift_key", sa.Text(), nullable=False),
        sa.Column("settled", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("look_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_publications")),
    )
    op.create_table(
        "published_versions",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("remote", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_published_versions")),
    )
