"""The tables of the first release.

What they are for is said where the code reads them, in ``tables.py``; here they are as they were on this day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")

HEAD = sa.table("chain_head", sa.column("id"), sa.column("decision"), sa.column("hash"))


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "batches",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("sequence", BIG, autoincrement=False, nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("rows", BIG, nullable=True),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("quarantined", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "sequence", name=op.f("pk_batches")),
        sa.UniqueConstraint("model", "uri", "digest", name=op.f("uq_batches_model_uri_digest")),
    )
    op.create_index(
        "ix_batches_model_uri_sequence", "batches", ["model", "uri", "sequence"], unique=False
    )
    op.create_table(
        "chain_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_chain_head_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_head")),
    )
    op.create_table(
        "data_sources",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("through", BIG, server_default="0", nullable=False),
        sa.Column("batches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows", BIG, server_default="0", nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_data_sources")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("reviewers", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("hash", name=op.f("uq_decisions_hash")),
        sa.UniqueConstraint("prev_hash", name=op.f("uq_decisions_prev_hash")),
    )
    op.create_index("ix_decisions_model_id", "decisions", ["model", "id"], unique=False)
    op.create_index("ix_decisions_verdict_id", "decisions", ["verdict", "id"], unique=False)
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("fence", BIG, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "models",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("champion", sa.Integer(), nullable=True),
        sa.Column("next_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("next_run", sa.Integer(), server_default="1", nullable=False),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("hold_actor", sa.Text(), nullable=True),
        sa.Column("hold_since", TIME, nullable=True),
        sa.Column("tests", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejections", sa.Text(), server_default="[]", nullable=False),
        sa.Column("wake_at", TIME, nullable=True),
        sa.Column("last_fired", sa.Text(), server_default="{}", nullable=False),
        sa.Column("recipe_index", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rest_stretches", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rest_until", TIME, nullable=True),
        sa.Column("rest_since_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("(champion IS NULL) = (generation = 0)", name=op.f("ck_models_seat")),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_models")),
    )
    op.create_index("ix_models_wake_at", "models", ["wake_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("acknowledged_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("topic", "key", name=op.f("uq_outbox_topic_key")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["topic", "due_at"],
        unique=False,
        sqlite_where=sa.text("acknowledged_at IS NULL"),
        postgresql_where=sa.text("acknowledged_at IS NULL"),
    )
    op.create_table(
        "rule_texts",
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("blob", name=op.f("pk_rule_texts")),
    )
    op.create_table(
        "schedules",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("trigger_name", sa.Text(), nullable=False),
        sa.Column("due", TIME, nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "trigger_name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "active_rules",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("reviewers", sa.Text(), nullable=False),
        sa.Column("activated_at", TIME, nullable=False),
        sa.Column("refused", sa.Text(), server_default="", nullable=False),
        sa.Column("retired_at", TIME, nullable=True),
        sa.Column("retired_because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["blob"], ["rule_texts.blob"], name=op.f("fk_active_rules_blob")),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_active_rules")),
    )
    op.create_table(
        "runs",
        sa.Column("entry", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ordered_at", TIME, nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column(
            "cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("progress", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("result", sa.Text(), server_default="{}", nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'dead', 'cancelled')",
            name=op.f("ck_runs_state"),
        ),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name=op.f("fk_runs_decision")),
        sa.ForeignKeyConstraint(["model"], ["models.model"], name=op.f("fk_runs_model")),
        sa.PrimaryKeyConstraint("entry", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_runs_id")),
        sa.UniqueConstraint("model", "number", name=op.f("uq_runs_model_number")),
    )
    op.create_index("ix_runs_model_kind", "runs", ["model", "kind", "number"], unique=False)
    op.create_index(
        "ix_runs_unended",
        "runs",
        ["state", "lease_until"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'running')"),
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "signals",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("trigger_name", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("decision", BIG, nullable=True),
        sa.CheckConstraint(
            "status IN ('open', 'deferred', 'handled', 'skipped', 'failed')",
            name=op.f("ck_signals_status"),
        ),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name=op.f("fk_signals_decision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
        sa.UniqueConstraint("key", name=op.f("uq_signals_key")),
    )
    op.create_index("ix_signals_model_id", "signals", ["model", "id"], unique=False)
    op.create_index(
        "ix_signals_open",
        "signals",
        ["model", "received_at"],
        unique=False,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "ix_signals_waiting",
        "signals",
        ["model", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('open', 'deferred')"),
        postgresql_where=sa.text("status IN ('open', 'deferred')"),
    )
    op.create_table(
        "versions",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", TIME, nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("data_through", BIG, nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("verified_at", TIME, nullable=True),
        sa.Column("verified_by", BIG, nullable=True),
        sa.Column("promoted_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('candidate', 'challenger', 'champion', 'superseded',"
            " 'deprecated', 'archived', 'rejected', 'failed')",
            name=op.f("ck_versions_state"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_versions_number")),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name=op.f("fk_versions_decision")),
        sa.ForeignKeyConstraint(["model"], ["models.model"], name=op.f("fk_versions_model")),
        sa.ForeignKeyConstraint(
            ["verified_by"], ["decisions.id"], name=op.f("fk_versions_verified_by")
        ),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_versions")),
        sa.UniqueConstraint("run", name=op.f("uq_versions_run")),
    )
    op.create_index(
        "ix_versions_model_state_number", "versions", ["model", "state", "number"], unique=False
    )
    op.create_index(
        "uq_versions_champion",
        "versions",
        ["model"],
        unique=True,
        sqlite_where=sa.text("state = 'champion'"),
        postgresql_where=sa.text("state = 'champion'"),
    )
    op.create_table(
        "approvals",
        sa.Column("id", BIG, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name=op.f("fk_approvals_decision")),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name=op.f("fk_approvals_model_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index("ix_approvals_model_id", "approvals", ["model", "id"], unique=False)
    op.create_table(
        "budget_tests",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("rejected", sa.Boolean(), nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["decision"], ["decisions.id"], name=op.f("fk_budget_tests_decision")
        ),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name=op.f("fk_budget_tests_model_version"),
        ),
        sa.ForeignKeyConstraint(["model"], ["models.model"], name=op.f("fk_budget_tests_model")),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_budget_tests")),
    )
    op.create_index(
        "ix_budget_tests_model_version_number",
        "budget_tests",
        ["model", "version", "number"],
        unique=False,
    )
    op.create_table(
        "evaluations",
        sa.Column("id", BIG, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("evaluation", sa.Text(), nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["decision"], ["decisions.id"], name=op.f("fk_evaluations_decision")
        ),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name=op.f("fk_evaluations_model_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluations")),
    )
    op.create_index(
        "ix_evaluations_model_version_id", "evaluations", ["model", "version", "id"], unique=False
    )
    op.create_table(
        "reigns",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("leaves", sa.Text(), nullable=True),
        sa.Column("leave_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.CheckConstraint("cause IN ('promotion', 'rollback')", name=op.f("ck_reigns_cause")),
        sa.CheckConstraint(
            "previous IS NULL AND leaves IS NULL OR previous IS NOT NULL AND leaves IN ('superseded', 'rejected')",
            name=op.f("ck_reigns_leaves"),
        ),
        sa.ForeignKeyConstraint(["decision"], ["decisions.id"], name=op.f("fk_reigns_decision")),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name=op.f("fk_reigns_model_version"),
        ),
        sa.ForeignKeyConstraint(["model"], ["models.model"], name=op.f("fk_reigns_model")),
        sa.PrimaryKeyConstraint("model", "generation", name=op.f("pk_reigns")),
    )
    op.create_table(
        "version_facts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decision", BIG, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["decision"], ["decisions.id"], name=op.f("fk_version_facts_decision")
        ),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["versions.model", "versions.number"],
            name=op.f("fk_version_facts_model_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_version_facts")),
    )
    op.create_index(
        "ix_version_facts_model_version_id",
        "version_facts",
        ["model", "version", "id"],
        unique=False,
    )
    op.execute(sa.insert(HEAD).values(id=1, decision=0, hash="0" * 64))
