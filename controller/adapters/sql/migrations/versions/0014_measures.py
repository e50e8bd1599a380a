"""What figures from service add up to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "measures",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("hour", BIG, autoincrement=False, nullable=False),
        sa.Column("figures", BIG, nullable=False),
        sa.Column("rows", BIG, nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("within", sa.Float(), nullable=False),
        sa.Column("spread_rows", BIG, nullable=False),
        sa.Column("plain", sa.Float(), nullable=False),
        sa.Column("squares", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name=op.f("fk_measures_model_version"),
        ),
        sa.PrimaryKeyConstraint("model", "version", "metric", "hour", name=op.f("pk_measures")),
    )
