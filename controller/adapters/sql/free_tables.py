"""The tables of free models. A name may be taken again after a deletion; the row of old keeps its numbers."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, text

from controller.adapters.sql.tables import metadata
from controller.adapters.sql.types import BIG, UtcTime, Words

PRESENT = "deleted_at IS NULL"
MODEL_KEY = "free_models.id"

free_models = Table(
    "free_models",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("name", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("description", Words, nullable=False, server_default=""),
    Column("next_version", Integer, nullable=False, server_default="1"),
    Column("deleted_at", UtcTime),
    Index(
        "uq_free_models_name",
        "name",
        unique=True,
        sqlite_where=text(PRESENT),
        postgresql_where=text(PRESENT),
    ),
    Index("ix_free_models_updated_at", "updated_at"),
)

free_versions = Table(
    "free_versions",
    metadata,
    Column("model", BIG, ForeignKey(MODEL_KEY), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("stage", Text, nullable=False, server_default="None"),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("description", Words, nullable=False, server_default=""),
    Column("source", Words, nullable=False),
    Column("storage", Words, nullable=False),
    Column("run", Words, nullable=False, server_default=""),
    Column("run_link", Words, nullable=False, server_default=""),
    Column("model_id", Words, nullable=False, server_default=""),
    Column("author", Words, nullable=False, server_default=""),
    Column("deleted_at", UtcTime),
    Index("ix_free_versions_updated_at", "updated_at"),
    Index("ix_free_versions_model_updated_at", "model", "updated_at"),
    Index("ix_free_versions_model_stage_number", "model", "stage", "number"),
    Index("ix_free_versions_run", "run"),
    Index("ix_free_versions_source", "source"),
)

free_tags = Table(
    "free_tags",
    metadata,
    Column("model", BIG, ForeignKey(MODEL_KEY), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Words, primary_key=True),
    Column("value", Words, nullable=False),
    Index("ix_free_tags_key", "key"),
)

free_aliases = Table(
    "free_aliases",
    metadata,
    Column("model", BIG, ForeignKey(MODEL_KEY), primary_key=True),
    Column("alias", Words, primary_key=True),
    Column("number", Integer, nullable=False),
    Index("ix_free_aliases_model_number", "model", "number"),
)
