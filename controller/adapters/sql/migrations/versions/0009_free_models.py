"""Models without a policy, which other tools keep here through MLflow's interface."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
PRESENT = sa.text("deleted_at IS NULL")


def _words(name: str, *, empty: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="" if empty else None, nullable=False)


def _of_model(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["model"], ["free_models.id"], name=op.f(f"fk_{table}_model"))


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "free_models",
        sa.Column("id", BIG, nullable=False),
        _words("name", empty=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        _words("description"),
        sa.Column("next_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_free_models")),
    )
    op.create_index(
        "uq_free_models_name",
        "free_models",
        ["name"],
        unique=True,
        sqlite_where=PRESENT,
        postgresql_where=PRESENT,
    )
    op.create_index("ix_free_models_updated_at", "free_models", ["updated_at"])
    op.create_table(
        "free_versions",
        sa.Column("model", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), server_default="None", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        _words("description"),
        _words("source", empty=False),
        _words("storage", empty=False),
        _words("run"),
        _words("run_link"),
        _words("model_id"),
        _words("author"),
        sa.Column("deleted_at", TIME, nullable=True),
        _of_model("free_versions"),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_free_versions")),
    )
    op.create_index("ix_free_versions_updated_at", "free_versions", ["updated_at"])
    op.create_index("ix_free_versions_model_updated_at", "free_versions", ["model", "updated_at"])
    op.create_index(
        "ix_free_versions_model_stage_number", "free_versions", ["model", "stage", "number"]
    )
    op.create_index("ix_free_versions_run", "free_versions", ["run"])
    op.create_index("ix_free_versions_source", "free_versions", ["source"])
    op.create_table(
        "free_tags",
        sa.Column("model", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        _words("value", empty=False),
        _of_model("free_tags"),
        sa.PrimaryKeyConstraint("model", "number", "key", name=op.f("pk_free_tags")),
    )
    op.create_index("ix_free_tags_key", "free_tags", ["key"])
    op.create_table(
        "free_aliases",
        sa.Column("model", BIG, nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _of_model("free_aliases"),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_free_aliases")),
    )
    op.create_index("ix_free_aliases_model_number", "free_aliases", ["model", "number"])
