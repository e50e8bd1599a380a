"""Who uses versions: aliases, consumers, holds, tags; sunsets, and what retention took."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from controller.adapters.sql.schema import run_script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
GUARDS = Path(__file__).parent.parent / "guards"
STANDING = sa.text("lifted_at IS NULL")


def _version(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_model_version")
    return sa.ForeignKeyConstraint(
        ["model", "version"], ["versions.model", "versions.number"], name=name
    )


def _model(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["model"], ["models.model"], name=op.f(f"fk_{table}_model"))


def _decision(table: str, column: str = "decision") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["decisions.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    """Make them."""
    op.add_column("versions", sa.Column("sunset", TIME, nullable=True))
    op.add_column(
        "versions",
        sa.Column("sunset_firm", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index("ix_versions_digest", "versions", ["digest"], unique=False)
    _aliases()
    _consumers()
    _notes()
    bind = op.get_bind()
    run_script(bind, GUARDS / f"0011_{bind.dialect.name}.sql")


def _aliases() -> None:
    op.create_table(
        "aliases",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("at", TIME, nullable=False),
        _model("aliases"),
        _version("aliases"),
        sa.PrimaryKeyConstraint("model", "name", name=op.f("pk_aliases")),
    )
    op.create_table(
        "alias_moves",
        sa.Column("id", BIG, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("at", TIME, nullable=False),
        _model("alias_moves"),
        _version("alias_moves"),
        _decision("alias_moves"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_moves")),
        sa.UniqueConstraint(
            "model", "name", "generation", name=op.f("uq_alias_moves_model_name_generation")
        ),
    )


def _consumers() -> None:
    op.create_table(
        "consumers",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("resolves", BIG, server_default="0", nullable=False),
        sa.Column("downloads", BIG, server_default="0", nullable=False),
        _version("consumers"),
        sa.PrimaryKeyConstraint("model", "name", "version", name=op.f("pk_consumers")),
    )
    op.create_index("ix_consumers_model_until", "consumers", ["model", "until"], unique=False)
    op.create_index("ix_consumers_name", "consumers", ["name"], unique=False)
    op.create_table(
        "version_keeps",
        sa.Column("id", BIG, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("lifted_at", TIME, nullable=True),
        sa.Column("lifted_by", BIG, nullable=True),
        _version("version_keeps"),
        _decision("version_keeps"),
        _decision("version_keeps", "lifted_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version_keeps")),
    )
    op.create_index(
        "uq_version_keeps_standing",
        "version_keeps",
        ["model", "version"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
    op.create_table(
        "removals",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("done_at", TIME, nullable=True),
        _version("removals"),
        _decision("removals"),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_removals")),
    )
    op.create_index("ix_removals_digest", "removals", ["digest"], unique=False)


def _notes() -> None:
    op.create_table(
        "tags",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("model", "version", "name", name=op.f("pk_tags")),
    )
    op.create_index("ix_tags_name", "tags", ["name"], unique=False)
    op.create_table(
        "descriptions",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_descriptions")),
    )
