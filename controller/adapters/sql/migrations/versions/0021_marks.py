"""Marks of signals, what decisions cover beside themselves, and that an anchor was made."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from controller.adapters.sql.schema import run_script

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parents[1] / "guards"
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNCOVERED = sa.text("decision IS NULL")


def upgrade() -> None:
    """Add the columns, the two tables of one row, and their guards."""
    op.add_column("signals", sa.Column("mark", sa.Text(), nullable=True))
    # Without the reference to a decision: SQLite adds no constraint to a table that stands.
    op.add_column("comments", sa.Column("decision", BIG, nullable=True))
    op.create_index(
        "ix_comments_uncovered",
        "comments",
        ["id"],
        sqlite_where=UNCOVERED,
        postgresql_where=UNCOVERED,
    )
    op.create_table(
        "marked_since",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("signal", BIG, nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_marked_since_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_marked_since")),
    )
    op.create_table(
        "anchored",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_anchored_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anchored")),
    )
    bind = op.get_bind()
    run_script(bind, GUARDS / f"0021_{bind.dialect.name}.sql")
