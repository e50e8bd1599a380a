"""The tables. The migrations create them; a test compares the two.

What must hold whoever writes is not here but in the guards (``guards.py``): triggers that refuse.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from controller.adapters.sql.types import BIG, CanonicalJson, UtcTime, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

DECISION = "decisions.id"


def _in(column: str, *words: str) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


WAITING = _in("status", "open", "deferred")
DRIFT_KINDS = _in("kind", "drift", "decay", "skew")
UNENDED = _in("state", "queued", "running")

signals_table = Table(
    "signals",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("key", Words, nullable=False),
    Column("model", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("trigger_name", Words),
    Column("actor", Words, nullable=False),
    Column("occurred_at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("payload", CanonicalJson, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("reason", Words, nullable=False, server_default=""),
    Column("decision", BIG, ForeignKey(DECISION)),
    Column("mark", Text),
    UniqueConstraint("model", "key", "kind", "actor"),
    CheckConstraint(
        _in("status", "open", "deferred", "handled", "skipped", "failed"), name="status"
    ),
    Index("ix_signals_model_id", "model", "id"),
    Index(
        "ix_signals_waiting",
        "model",
        "id",
        sqlite_where=text(WAITING),
        postgresql_where=text(WAITING),
    ),
    Index(
        "ix_signals_drift",
        "model",
        "id",
        sqlite_where=text(DRIFT_KINDS),
        postgresql_where=text(DRIFT_KINDS),
    ),
    Index(
        "ix_signals_drift_id",
        "id",
        sqlite_where=text(DRIFT_KINDS),
        postgresql_where=text(DRIFT_KINDS),
    ),
    Index(
        "ix_signals_open",
        "model",
        "received_at",
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
)

decisions_table = Table(
    "decisions",
    metadata,
    Column("id", BIG, primary_key=True, autoincrement=False),
    Column("model", Text, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("blob", Text, nullable=False),
    Column("revision", Text),
    Column("review", Text),
    Column("reviewers", CanonicalJson, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("prev_hash"),
    UniqueConstraint("hash"),
    Index("ix_decisions_model_id", "model", "id"),
    Index("ix_decisions_verdict_id", "verdict", "id"),
)

chain_head_table = Table(
    "chain_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("decision", BIG, nullable=False),
    Column("hash", Text, nullable=False),
    CheckConstraint("id = 1", name="one"),
)

marked_since_table = Table(
    "marked_since",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("signal", BIG, nullable=False),
    Column("mark", Text, nullable=False),
    CheckConstraint("id = 1", name="one"),
)

anchored_table = Table(
    "anchored",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("decision", BIG, nullable=False),
    Column("hash", Text, nullable=False),
    CheckConstraint("id = 1", name="one"),
)

models_table = Table(
    "models",
    metadata,
    Column("model", Words, primary_key=True),
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("champion", Integer),
    Column("next_version", Integer, nullable=False, server_default="1"),
    Column("next_run", Integer, nullable=False, server_default="1"),
    Column("hold_reason", Words),
    Column("hold_actor", Words),
    Column("hold_since", UtcTime),
    Column("tests", Integer, nullable=False, server_default="0"),
    Column("rejections", CanonicalJson, nullable=False, server_default="[]"),
    Column("wake_at", UtcTime),
    Column("last_fired", CanonicalJson, nullable=False, server_default="{}"),
    Column("recipe_index", Integer, nullable=False, server_default="0"),
    Column("rest_stretches", Integer, nullable=False, server_default="0"),
    Column("rest_until", UtcTime),
    Column("rest_since_version", Integer, nullable=False, server_default="0"),
    Column("rollout", CanonicalJson),
    Column("error", Words),
    CheckConstraint("(champion IS NULL) = (generation = 0)", name="seat"),
    Index("ix_models_wake_at", "wake_at"),
)

versions_table = Table(
    "versions",
    metadata,
    Column("model", Words, ForeignKey("models.model"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("state_since", UtcTime, nullable=False),
    Column("run", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("recipe", Words, nullable=False),
    Column("size", BIG, nullable=False),
    Column("data_through", BIG, nullable=False),
    Column("metrics", CanonicalJson, nullable=False),
    Column("lineage", Words),
    Column("created_at", UtcTime, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("verified", Boolean, nullable=False, server_default=text("false")),
    Column("verified_at", UtcTime),
    Column("verified_by", BIG, ForeignKey(DECISION)),
    Column("promoted_at", UtcTime),
    Column("sunset", UtcTime),
    Column("sunset_firm", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("run"),
    CheckConstraint(
        _in(
            "state",
            "candidate",
            "challenger",
            "champion",
            "superseded",
            "deprecated",
            "archived",
            "rejected",
            "failed",
        ),
        name="state",
    ),
    CheckConstraint("number > 0", name="number"),
    Index(
        "ix_versions_waiting",
        "state_since",
        sqlite_where=text("state = 'challenger'"),
        postgresql_where=text("state = 'challenger'"),
    ),
    Index("ix_versions_model_state_number", "model", "state", "number"),
    Index("ix_versions_model_state_since", "model", "state_since", "number"),
    Index(
        "uq_versions_champion",
        "model",
        unique=True,
        sqlite_where=text("state = 'champion'"),
        postgresql_where=text("state = 'champion'"),
    ),
    Index("ix_versions_digest", "digest"),
)

version_facts_table = Table(
    "version_facts",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("model", Words, nullable=False),
    Column("version", Integer, nullable=False),
    Column("before", Text),
    Column("after", Text, nullable=False),
    Column("actor", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("at", UtcTime, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    Index("ix_version_facts_model_version_id", "model", "version", "id"),
)

reigns_table = Table(
    "reigns",
    metadata,
    Column("model", Words, ForeignKey("models.model"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("previous", Integer),
    Column("leaves", Text),
    Column("leave_reason", Words, nullable=False, server_default=""),
    Column("cause", Text, nullable=False),
    Column("reason", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("since", UtcTime, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    CheckConstraint(_in("cause", "promotion", "rollback"), name="cause"),
    CheckConstraint(
        "previous IS NULL AND leaves IS NULL"
        " OR previous IS NOT NULL AND leaves IN ('superseded', 'rejected')",
        name="leaves",
    ),
)

evaluations_table = Table(
    "evaluations",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("model", Words, nullable=False),
    Column("version", Integer, nullable=False),
    Column("run", Words, nullable=False),
    Column("evaluation", CanonicalJson, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    Index("ix_evaluations_model_version_id", "model", "version", "id"),
)

budget_tests_table = Table(
    "budget_tests",
    metadata,
    Column("model", Words, ForeignKey("models.model"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("level", Float, nullable=False),
    Column("rejected", Boolean, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    Index("ix_budget_tests_model_version_number", "model", "version", "number"),
)

approvals_table = Table(
    "approvals",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("model", Words, nullable=False),
    Column("version", Integer, nullable=False),
    Column("actor", Words, nullable=False),
    Column("agrees", Boolean, nullable=False),
    Column("evidence", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("word", Text),
    Column("behalf", Words),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    Index("ix_approvals_model_id", "model", "id"),
)

runs_table = Table(
    "runs",
    metadata,
    Column("entry", BIG, primary_key=True),
    Column("id", Words, nullable=False),
    Column("model", Words, ForeignKey("models.model"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("spec", CanonicalJson, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("ordered_at", UtcTime, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("worker", Words),
    Column("lease_until", UtcTime),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("progress", Float),
    Column("reason", Words, nullable=False, server_default=""),
    Column("result", CanonicalJson, nullable=False, server_default="{}"),
    Column("handed_back", Integer, nullable=False, server_default="0"),
    Column("claim", Text),
    UniqueConstraint("id"),
    UniqueConstraint("model", "number"),
    CheckConstraint(
        _in("state", "queued", "running", "done", "failed", "dead", "cancelled"), name="state"
    ),
    Index("ix_runs_model_kind", "model", "kind", "number"),
    Index(
        "ix_runs_unended",
        "state",
        "lease_until",
        sqlite_where=text(UNENDED),
        postgresql_where=text(UNENDED),
    ),
)

outbox_table = Table(
    "outbox",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("topic", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("payload", CanonicalJson, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcTime, nullable=False),
    Column("last_error", Words, nullable=False, server_default=""),
    Column("acknowledged_at", UtcTime),
    UniqueConstraint("topic", "key"),
    Index(
        "ix_outbox_waiting",
        "topic",
        "due_at",
        sqlite_where=text("acknowledged_at IS NULL"),
        postgresql_where=text("acknowledged_at IS NULL"),
    ),
)

leases_table = Table(
    "leases",
    metadata,
    Column("name", Words, primary_key=True),
    Column("owner", Words, nullable=False),
    Column("fence", BIG, nullable=False),
    Column("until", UtcTime, nullable=False),
)

data_sources_table = Table(
    "data_sources",
    metadata,
    Column("model", Words, primary_key=True),
    Column("cursor", Words),
    Column("through", BIG, nullable=False, server_default="0"),
    Column("batches", Integer, nullable=False, server_default="0"),
    Column("rows", BIG, nullable=False, server_default="0"),
    Column("digest", Text),
)

batches_table = Table(
    "batches",
    metadata,
    Column("model", Words, primary_key=True),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("uri", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("size", BIG, nullable=False),
    Column("rows", BIG),
    Column("columns", CanonicalJson, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("quarantined", Words, nullable=False, server_default=""),
    Column("details", CanonicalJson, nullable=False),
    UniqueConstraint("model", "uri", "digest"),
    Index("ix_batches_model_uri_sequence", "model", "uri", "sequence"),
)

schedules_table = Table(
    "schedules",
    metadata,
    Column("model", Words, primary_key=True),
    Column("trigger_name", Words, primary_key=True),
    Column("due", UtcTime, nullable=False),
    Column("definition", Words, nullable=False),
)

rule_texts_table = Table(
    "rule_texts",
    metadata,
    Column("blob", Text, primary_key=True),
    Column("text", Text, nullable=False),
)

active_rules_table = Table(
    "active_rules",
    metadata,
    Column("model", Words, primary_key=True),
    Column("path", Text, nullable=False),
    Column("blob", Text, ForeignKey("rule_texts.blob"), nullable=False),
    Column("revision", Text),
    Column("review", Text),
    Column("reviewers", CanonicalJson, nullable=False),
    Column("activated_at", UtcTime, nullable=False),
    Column("refused", Words, nullable=False, server_default=""),
    Column("retired_at", UtcTime),
    Column("retired_because", Words),
)

source_hints_table = Table(
    "source_hints",
    metadata,
    Column("model", Words, primary_key=True),
    Column("at", UtcTime, nullable=False),
)

source_states_table = Table(
    "source_states",
    metadata,
    Column("model", Words, primary_key=True),
    Column("source", Words, nullable=False),
    Column("checked_at", UtcTime, nullable=False),
    Column("good_at", UtcTime),
    Column("error", Words, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("problems", CanonicalJson, nullable=False),
)

reviews_table = Table(
    "reviews",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("source", Words, nullable=False),
    Column("revision", Text, nullable=False),
    Column("proven", Boolean, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("reason", Words, nullable=False),
    Column("evidence", Text, nullable=False),
    UniqueConstraint("digest"),
    Index("ix_reviews_source_id", "source", "id"),
)

run_journal_table = Table(
    "run_journal",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("run", Words, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Words, nullable=False, server_default=""),
    Column("step", BIG),
    Column("value", Float),
    Column("text", Words, nullable=False, server_default=""),
    Index("ix_run_journal_run_id", "run", "id"),
)

workers_table = Table(
    "workers",
    metadata,
    Column("name", Words, primary_key=True),
    Column("host", Words, nullable=False),
    Column("pid", BIG, nullable=False),
    Column("version", Words, nullable=False),
    Column("queues", CanonicalJson, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

tokens_table = Table(
    "tokens",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("name", Words, nullable=False),
    Column("digest", Text, nullable=False),
    Column("actor", Words, nullable=False),
    Column("role", Text, nullable=False),
    Column("owners", CanonicalJson, nullable=False),
    Column("created_by", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Column("key", Words),
    UniqueConstraint("digest"),
    Index("ux_tokens_key", "key", unique=True),
)

nonces_table = Table(
    "nonces",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("ends_at", UtcTime, nullable=False),
    Index("ix_nonces_ends_at", "kind", "ends_at"),
)

delegations_table = Table(
    "delegations",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("actor", Words, nullable=False),
    Column("to", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("key", Words, nullable=False),
    Column("revoked_at", UtcTime),
    UniqueConstraint("key"),
    Index("ix_delegations_to", "to"),
)

comments_table = Table(
    "comments",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("subject", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("text", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("decision", BIG),
    UniqueConstraint("key"),
    Index("ix_comments_subject_id", "subject", "id"),
    Index(
        "ix_comments_uncovered",
        "id",
        sqlite_where=text("decision IS NULL"),
        postgresql_where=text("decision IS NULL"),
    ),
)

UNSENT = _in("state", "gathering", "sending")

deliveries_table = Table(
    "deliveries",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("channel", Words, nullable=False),
    Column("address", Words, nullable=False),
    Column("lane", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("notices", CanonicalJson, nullable=False),
    Column("count", Integer, nullable=False),
    Column("tally", CanonicalJson, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", UtcTime),
    Column("last_error", Words, nullable=False),
    Column("silence", BIG),
    Column("again_of", BIG),
    Column("key", Words),
    CheckConstraint(
        _in("state", "gathering", "sending", "sent", "failed", "silenced", "nowhere"), name="state"
    ),
    Index("ix_deliveries_channel_address_id", "channel", "address", "id"),
    Index(
        "ix_deliveries_unsent", "due_at", sqlite_where=text(UNSENT), postgresql_where=text(UNSENT)
    ),
    Index("ux_deliveries_key", "key", unique=True),
)

silences_table = Table(
    "silences",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("model", Words),
    Column("event", Words),
    Column("channel", Words),
    Column("reason", Words, nullable=False),
    Column("created_by", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("key", Words),
    Index("ix_silences_ends_at", "ends_at"),
    Index("ux_silences_key", "key", unique=True),
)

controllers_table = Table(
    "controllers",
    metadata,
    Column("owner", Words, primary_key=True),
    Column("host", Words, nullable=False),
    Column("pid", BIG, nullable=False),
    Column("version", Words, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

counters_table = Table(
    "counters",
    metadata,
    Column("name", Words, primary_key=True),
    Column("value", BIG, nullable=False),
)

aliases_table = Table(
    "aliases",
    metadata,
    Column("model", Words, ForeignKey("models.model"), primary_key=True),
    Column("name", Words, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("version", Integer),
    Column("at", UtcTime, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
)

alias_moves_table = Table(
    "alias_moves",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("model", Words, ForeignKey("models.model"), nullable=False),
    Column("name", Words, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("version", Integer),
    Column("previous", Integer),
    Column("actor", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("at", UtcTime, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    UniqueConstraint("model", "name", "generation"),
)

consumers_table = Table(
    "consumers",
    metadata,
    Column("model", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("selector", Words, nullable=False),
    Column("actor", Words, nullable=False, server_default=""),
    Column("since", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("resolves", BIG, nullable=False, server_default="0"),
    Column("downloads", BIG, nullable=False, server_default="0"),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    Index("ix_consumers_model_until", "model", "until"),
    Index("ix_consumers_name", "name"),
)

version_keeps_table = Table(
    "version_keeps",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("model", Words, nullable=False),
    Column("version", Integer, nullable=False),
    Column("reason", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("lifted_at", UtcTime),
    Column("lifted_by", BIG, ForeignKey(DECISION)),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    Index(
        "uq_version_keeps_standing",
        "model",
        "version",
        unique=True,
        sqlite_where=text("lifted_at IS NULL"),
        postgresql_where=text("lifted_at IS NULL"),
    ),
)

removals_table = Table(
    "removals",
    metadata,
    Column("model", Words, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("decision", BIG, ForeignKey(DECISION), nullable=False),
    Column("done_at", UtcTime),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
    Index("ix_removals_digest", "digest"),
)

tags_table = Table(
    "tags",
    metadata,
    Column("model", Words, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", Words, primary_key=True),
    Column("value", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_tags_name", "name"),
)

descriptions_table = Table(
    "descriptions",
    metadata,
    Column("model", Words, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("text", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
)

measures_table = Table(
    "measures",
    metadata,
    Column("model", Words, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("metric", Words, primary_key=True),
    Column("hour", BIG, primary_key=True, autoincrement=False),
    Column("figures", BIG, nullable=False),
    Column("rows", BIG, nullable=False),
    Column("total", Float, nullable=False),
    Column("within", Float, nullable=False),
    Column("spread_rows", BIG, nullable=False),
    Column("plain", Float, nullable=False),
    Column("squares", Float, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.number"]),
)
