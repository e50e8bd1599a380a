-- The tables of the first release: never edited after it. Types in braces differ between SQLite and PostgreSQL.
CREATE TABLE anchored (
    id INTEGER NOT NULL, decision {big} NOT NULL, hash TEXT NOT NULL,
    CONSTRAINT pk_anchored PRIMARY KEY (id),
    CONSTRAINT ck_anchored_one CHECK (id = 1)
);
CREATE TABLE batches (
    model TEXT NOT NULL, sequence {big} NOT NULL, uri TEXT NOT NULL, digest TEXT NOT NULL, size {big} NOT NULL,
    rows {big}, columns TEXT NOT NULL, seen_at {time} NOT NULL, quarantined TEXT DEFAULT '' NOT NULL,
    details TEXT NOT NULL,
    CONSTRAINT pk_batches PRIMARY KEY (model, sequence),
    CONSTRAINT uq_batches_model_uri_digest UNIQUE (model, uri, digest)
);
CREATE INDEX ix_batches_model_uri_sequence ON batches (model, uri, sequence);
CREATE TABLE chain_head (
    id INTEGER NOT NULL, decision {big} NOT NULL, hash TEXT NOT NULL,
    CONSTRAINT pk_chain_head PRIMARY KEY (id),
    CONSTRAINT ck_chain_head_one CHECK (id = 1)
);
CREATE TABLE comments (
    id {id}, subject TEXT NOT NULL, actor TEXT NOT NULL, at {time} NOT NULL, text TEXT NOT NULL,
    key TEXT NOT NULL, decision {big},
    CONSTRAINT pk_comments PRIMARY KEY (id),
    CONSTRAINT uq_comments_key UNIQUE (key)
);
CREATE INDEX ix_comments_subject_id ON comments (subject, id);
CREATE INDEX ix_comments_uncovered ON comments (id) WHERE decision IS NULL;
CREATE TABLE controllers (
    owner TEXT NOT NULL, host TEXT NOT NULL, pid {big} NOT NULL, version TEXT NOT NULL,
    started_at {time} NOT NULL, seen_at {time} NOT NULL,
    CONSTRAINT pk_controllers PRIMARY KEY (owner)
);
CREATE TABLE counters (
    name TEXT NOT NULL, value {big} NOT NULL,
    CONSTRAINT pk_counters PRIMARY KEY (name)
);
CREATE TABLE data_sources (
    model TEXT NOT NULL, cursor TEXT, through {big} DEFAULT '0' NOT NULL, batches INTEGER DEFAULT '0' NOT NULL,
    rows {big} DEFAULT '0' NOT NULL, digest TEXT,
    CONSTRAINT pk_data_sources PRIMARY KEY (model)
);
CREATE TABLE decisions (
    id {big} NOT NULL, model TEXT NOT NULL, decided_at {time} NOT NULL, verdict TEXT NOT NULL,
    path TEXT NOT NULL, blob TEXT NOT NULL, revision TEXT, review TEXT, reviewers TEXT NOT NULL,
    snapshot TEXT NOT NULL, decision TEXT NOT NULL, actor TEXT NOT NULL, prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_decisions PRIMARY KEY (id),
    CONSTRAINT uq_decisions_hash UNIQUE (hash),
    CONSTRAINT uq_decisions_prev_hash UNIQUE (prev_hash)
);
CREATE INDEX ix_decisions_model_id ON decisions (model, id);
CREATE INDEX ix_decisions_verdict_id ON decisions (verdict, id);
CREATE TABLE delegations (
    id {id}, actor TEXT NOT NULL, "to" TEXT NOT NULL, reason TEXT NOT NULL, since {time} NOT NULL,
    until {time} NOT NULL, key TEXT NOT NULL, revoked_at {time},
    CONSTRAINT pk_delegations PRIMARY KEY (id),
    CONSTRAINT uq_delegations_key UNIQUE (key)
);
CREATE INDEX ix_delegations_to ON delegations ("to");
CREATE TABLE deliveries (
    id {id}, channel TEXT NOT NULL, address TEXT NOT NULL, lane TEXT NOT NULL, state TEXT NOT NULL,
    created_at {time} NOT NULL, due_at {time} NOT NULL, notices TEXT NOT NULL, count INTEGER NOT NULL,
    tally TEXT NOT NULL, attempts INTEGER NOT NULL, sent_at {time}, last_error TEXT NOT NULL, silence {big},
    again_of {big}, key TEXT,
    CONSTRAINT pk_deliveries PRIMARY KEY (id),
    CONSTRAINT ck_deliveries_state CHECK (state IN ('gathering', 'sending', 'sent', 'failed', 'silenced', 'nowhere'))
);
CREATE INDEX ix_deliveries_channel_address_id ON deliveries (channel, address, id);
CREATE INDEX ix_deliveries_unsent ON deliveries (due_at) WHERE state IN ('gathering', 'sending');
CREATE UNIQUE INDEX ux_deliveries_key ON deliveries (key);
CREATE TABLE descriptions (
    model TEXT NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL, actor TEXT NOT NULL, at {time} NOT NULL,
    CONSTRAINT pk_descriptions PRIMARY KEY (model, version)
);
CREATE TABLE free_models (
    id {id}, name TEXT NOT NULL, created_at {time} NOT NULL, updated_at {time} NOT NULL,
    description TEXT DEFAULT '' NOT NULL, next_version INTEGER DEFAULT '1' NOT NULL, deleted_at {time},
    CONSTRAINT pk_free_models PRIMARY KEY (id)
);
CREATE INDEX ix_free_models_updated_at ON free_models (updated_at);
CREATE UNIQUE INDEX uq_free_models_name ON free_models (name) WHERE deleted_at IS NULL;
CREATE TABLE leases (
    name TEXT NOT NULL, owner TEXT NOT NULL, fence {big} NOT NULL, until {time} NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (name)
);
CREATE TABLE marked_since (
    id INTEGER NOT NULL, signal {big} NOT NULL, mark TEXT NOT NULL,
    CONSTRAINT pk_marked_since PRIMARY KEY (id),
    CONSTRAINT ck_marked_since_one CHECK (id = 1)
);
CREATE TABLE models (
    model TEXT NOT NULL, generation INTEGER DEFAULT '0' NOT NULL, champion INTEGER,
    next_version INTEGER DEFAULT '1' NOT NULL, next_run INTEGER DEFAULT '1' NOT NULL, hold_reason TEXT,
    hold_actor TEXT, hold_since {time}, tests INTEGER DEFAULT '0' NOT NULL,
    rejections TEXT DEFAULT '[]' NOT NULL, wake_at {time}, last_fired TEXT DEFAULT '{}' NOT NULL,
    recipe_index INTEGER DEFAULT '0' NOT NULL, rest_stretches INTEGER DEFAULT '0' NOT NULL, rest_until {time},
    rest_since_version INTEGER DEFAULT '0' NOT NULL, error TEXT, rollout TEXT,
    CONSTRAINT pk_models PRIMARY KEY (model),
    CONSTRAINT ck_models_seat CHECK ((champion IS NULL) = (generation = 0))
);
CREATE INDEX ix_models_wake_at ON models (wake_at);
CREATE TABLE nonces (
    kind TEXT NOT NULL, name TEXT NOT NULL, ends_at {time} NOT NULL,
    CONSTRAINT pk_nonces PRIMARY KEY (kind, name)
);
CREATE INDEX ix_nonces_ends_at ON nonces (kind, ends_at);
CREATE TABLE outbox (
    id {id}, topic TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL, due_at {time} NOT NULL, last_error TEXT DEFAULT '' NOT NULL,
    acknowledged_at {time},
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT uq_outbox_topic_key UNIQUE (topic, key)
);
CREATE INDEX ix_outbox_waiting ON outbox (topic, due_at) WHERE acknowledged_at IS NULL;
CREATE TABLE publications (
    model TEXT NOT NULL, place TEXT NOT NULL, generation INTEGER NOT NULL, alias INTEGER,
    decision {big} NOT NULL, checked_at {time}, drift TEXT NOT NULL, drift_at {time}, drift_key TEXT NOT NULL,
    settled TEXT NOT NULL, error TEXT NOT NULL, failures INTEGER NOT NULL, look_at {time},
    CONSTRAINT pk_publications PRIMARY KEY (model)
);
CREATE TABLE published_versions (
    model TEXT NOT NULL, number INTEGER NOT NULL, remote INTEGER NOT NULL, digest TEXT NOT NULL,
    CONSTRAINT pk_published_versions PRIMARY KEY (model, number)
);
CREATE TABLE reviews (
    id {id}, digest TEXT NOT NULL, source TEXT NOT NULL, revision TEXT NOT NULL, proven BOOLEAN NOT NULL,
    recorded_at {time} NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL,
    CONSTRAINT pk_reviews PRIMARY KEY (id),
    CONSTRAINT uq_reviews_digest UNIQUE (digest)
);
CREATE INDEX ix_reviews_source_id ON reviews (source, id);
CREATE TABLE rule_texts (
    blob TEXT NOT NULL, text TEXT NOT NULL,
    CONSTRAINT pk_rule_texts PRIMARY KEY (blob)
);
CREATE TABLE run_journal (
    id {id}, run TEXT NOT NULL, fence INTEGER NOT NULL, at {time} NOT NULL, kind TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL, step {big}, value FLOAT, text TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_run_journal PRIMARY KEY (id)
);
CREATE INDEX ix_run_journal_run_id ON run_journal (run, id);
CREATE TABLE schedules (
    model TEXT NOT NULL, trigger_name TEXT NOT NULL, due {time} NOT NULL, definition TEXT NOT NULL,
    CONSTRAINT pk_schedules PRIMARY KEY (model, trigger_name)
);
CREATE TABLE silences (
    id {id}, model TEXT, event TEXT, channel TEXT, reason TEXT NOT NULL, created_by TEXT NOT NULL,
    created_at {time} NOT NULL, ends_at {time} NOT NULL, key TEXT,
    CONSTRAINT pk_silences PRIMARY KEY (id)
);
CREATE INDEX ix_silences_ends_at ON silences (ends_at);
CREATE UNIQUE INDEX ux_silences_key ON silences (key);
CREATE TABLE source_hints (
    model TEXT NOT NULL, at {time} NOT NULL,
    CONSTRAINT pk_source_hints PRIMARY KEY (model)
);
CREATE TABLE source_states (
    model TEXT NOT NULL, source TEXT NOT NULL, checked_at {time} NOT NULL, good_at {time},
    error TEXT DEFAULT '' NOT NULL, failures INTEGER DEFAULT '0' NOT NULL, problems TEXT NOT NULL,
    CONSTRAINT pk_source_states PRIMARY KEY (model)
);
CREATE TABLE tags (
    model TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, actor TEXT NOT NULL,
    at {time} NOT NULL,
    CONSTRAINT pk_tags PRIMARY KEY (model, version, name)
);
CREATE INDEX ix_tags_name ON tags (name);
CREATE TABLE tokens (
    id {id}, name TEXT NOT NULL, digest TEXT NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL,
    owners TEXT NOT NULL, created_by TEXT NOT NULL, created_at {time} NOT NULL, expires_at {time} NOT NULL,
    revoked_at {time}, key TEXT,
    CONSTRAINT pk_tokens PRIMARY KEY (id),
    CONSTRAINT uq_tokens_digest UNIQUE (digest)
);
CREATE UNIQUE INDEX ux_tokens_key ON tokens (key);
CREATE TABLE workers (
    name TEXT NOT NULL, host TEXT NOT NULL, pid {big} NOT NULL, version TEXT NOT NULL, queues TEXT NOT NULL,
    concurrency INTEGER NOT NULL, started_at {time} NOT NULL, seen_at {time} NOT NULL,
    CONSTRAINT pk_workers PRIMARY KEY (name)
);
CREATE TABLE active_rules (
    model TEXT NOT NULL, path TEXT NOT NULL, blob TEXT NOT NULL, revision TEXT, review TEXT,
    reviewers TEXT NOT NULL, activated_at {time} NOT NULL, refused TEXT DEFAULT '' NOT NULL, retired_at {time},
    retired_because TEXT,
    CONSTRAINT pk_active_rules PRIMARY KEY (model),
    CONSTRAINT fk_active_rules_blob FOREIGN KEY (blob) REFERENCES rule_texts (blob)
);
CREATE TABLE free_aliases (
    model {big} NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL,
    CONSTRAINT pk_free_aliases PRIMARY KEY (model, alias),
    CONSTRAINT fk_free_aliases_model FOREIGN KEY (model) REFERENCES free_models (id)
);
CREATE INDEX ix_free_aliases_model_number ON free_aliases (model, number);
CREATE TABLE free_tags (
    model {big} NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    CONSTRAINT pk_free_tags PRIMARY KEY (model, number, key),
    CONSTRAINT fk_free_tags_model FOREIGN KEY (model) REFERENCES free_models (id)
);
CREATE INDEX ix_free_tags_key ON free_tags (key);
CREATE TABLE free_versions (
    model {big} NOT NULL, number INTEGER NOT NULL, stage TEXT DEFAULT 'None' NOT NULL,
    created_at {time} NOT NULL, updated_at {time} NOT NULL, description TEXT DEFAULT '' NOT NULL,
    source TEXT NOT NULL, storage TEXT NOT NULL, run TEXT DEFAULT '' NOT NULL,
    run_link TEXT DEFAULT '' NOT NULL, model_id TEXT DEFAULT '' NOT NULL, author TEXT DEFAULT '' NOT NULL,
    deleted_at {time},
    CONSTRAINT pk_free_versions PRIMARY KEY (model, number),
    CONSTRAINT fk_free_versions_model FOREIGN KEY (model) REFERENCES free_models (id)
);
CREATE INDEX ix_free_versions_model_stage_number ON free_versions (model, stage, number);
CREATE INDEX ix_free_versions_model_updated_at ON free_versions (model, updated_at);
CREATE INDEX ix_free_versions_run ON free_versions (run);
CREATE INDEX ix_free_versions_source ON free_versions (source);
CREATE INDEX ix_free_versions_updated_at ON free_versions (updated_at);
CREATE TABLE runs (
    entry {id}, id TEXT NOT NULL, model TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
    spec TEXT NOT NULL, retries INTEGER NOT NULL, state TEXT NOT NULL, fence INTEGER NOT NULL,
    attempt INTEGER NOT NULL, ordered_at {time} NOT NULL, decision {big} NOT NULL, worker TEXT,
    lease_until {time}, started_at {time}, ended_at {time}, cancel_requested BOOLEAN DEFAULT false NOT NULL,
    progress FLOAT, reason TEXT DEFAULT '' NOT NULL, result TEXT DEFAULT '{}' NOT NULL,
    handed_back INTEGER DEFAULT '0' NOT NULL, claim TEXT,
    CONSTRAINT pk_runs PRIMARY KEY (entry),
    CONSTRAINT fk_runs_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_runs_model FOREIGN KEY (model) REFERENCES models (model),
    CONSTRAINT uq_runs_id UNIQUE (id),
    CONSTRAINT uq_runs_model_number UNIQUE (model, number),
    CONSTRAINT ck_runs_state CHECK (state IN ('queued', 'running', 'done', 'failed', 'dead', 'cancelled'))
);
CREATE INDEX ix_runs_model_kind ON runs (model, kind, number);
CREATE INDEX ix_runs_unended ON runs (state, lease_until) WHERE state IN ('queued', 'running');
CREATE TABLE signals (
    id {id}, key TEXT NOT NULL, model TEXT NOT NULL, kind TEXT NOT NULL, trigger_name TEXT, actor TEXT NOT NULL,
    occurred_at {time} NOT NULL, received_at {time} NOT NULL, payload TEXT NOT NULL,
    status TEXT DEFAULT 'open' NOT NULL, reason TEXT DEFAULT '' NOT NULL, decision {big}, mark TEXT,
    CONSTRAINT pk_signals PRIMARY KEY (id),
    CONSTRAINT fk_signals_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT uq_signals_model_key_kind_actor UNIQUE (model, key, kind, actor),
    CONSTRAINT ck_signals_status CHECK (status IN ('open', 'deferred', 'handled', 'skipped', 'failed'))
);
-- Before the partial ones: of indexes that serve alike SQLite takes the one that was made last.
CREATE INDEX ix_signals_model_id ON signals (model, id);
CREATE INDEX ix_signals_drift ON signals (model, id) WHERE kind IN ('drift', 'decay', 'skew');
CREATE INDEX ix_signals_drift_id ON signals (id) WHERE kind IN ('drift', 'decay', 'skew');
CREATE INDEX ix_signals_open ON signals (model, received_at) WHERE status = 'open';
CREATE INDEX ix_signals_waiting ON signals (model, id) WHERE status IN ('open', 'deferred');
CREATE TABLE versions (
    model TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, state_since {time} NOT NULL,
    run TEXT NOT NULL, digest TEXT NOT NULL, recipe TEXT NOT NULL, size {big} NOT NULL,
    data_through {big} NOT NULL, metrics TEXT NOT NULL, lineage TEXT, created_at {time} NOT NULL,
    decision {big} NOT NULL, verified BOOLEAN DEFAULT false NOT NULL, verified_at {time}, verified_by {big},
    promoted_at {time}, sunset {time}, sunset_firm BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_versions PRIMARY KEY (model, number),
    CONSTRAINT fk_versions_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_versions_model FOREIGN KEY (model) REFERENCES models (model),
    CONSTRAINT fk_versions_verified_by FOREIGN KEY (verified_by) REFERENCES decisions (id),
    CONSTRAINT uq_versions_run UNIQUE (run),
    CONSTRAINT ck_versions_number CHECK (number > 0),
    CONSTRAINT ck_versions_state CHECK (state IN ('candidate', 'challenger', 'champion', 'superseded', 'deprecated', 'archived', 'rejected', 'failed'))
);
CREATE INDEX ix_versions_digest ON versions (digest);
CREATE INDEX ix_versions_model_state_number ON versions (model, state, number);
CREATE INDEX ix_versions_model_state_since ON versions (model, state_since, number);
CREATE INDEX ix_versions_waiting ON versions (state_since) WHERE state = 'challenger';
CREATE UNIQUE INDEX uq_versions_champion ON versions (model) WHERE state = 'champion';
CREATE TABLE alias_moves (
    id {id}, model TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, version INTEGER,
    previous INTEGER, actor TEXT NOT NULL, reason TEXT NOT NULL, decision {big} NOT NULL, at {time} NOT NULL,
    CONSTRAINT pk_alias_moves PRIMARY KEY (id),
    CONSTRAINT fk_alias_moves_model FOREIGN KEY (model) REFERENCES models (model),
    CONSTRAINT fk_alias_moves_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number),
    CONSTRAINT fk_alias_moves_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT uq_alias_moves_model_name_generation UNIQUE (model, name, generation)
);
CREATE TABLE aliases (
    model TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, version INTEGER, at {time} NOT NULL,
    CONSTRAINT pk_aliases PRIMARY KEY (model, name),
    CONSTRAINT fk_aliases_model FOREIGN KEY (model) REFERENCES models (model),
    CONSTRAINT fk_aliases_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number)
);
CREATE TABLE approvals (
    id {id}, model TEXT NOT NULL, version INTEGER NOT NULL, actor TEXT NOT NULL, agrees BOOLEAN NOT NULL,
    evidence TEXT NOT NULL, reason TEXT NOT NULL, at {time} NOT NULL, decision {big} NOT NULL, word TEXT,
    behalf TEXT,
    CONSTRAINT pk_approvals PRIMARY KEY (id),
    CONSTRAINT fk_approvals_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_approvals_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number)
);
CREATE INDEX ix_approvals_model_id ON approvals (model, id);
CREATE TABLE budget_tests (
    model TEXT NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL, level FLOAT NOT NULL,
    rejected BOOLEAN NOT NULL, decision {big} NOT NULL,
    CONSTRAINT pk_budget_tests PRIMARY KEY (model, number),
    CONSTRAINT fk_budget_tests_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_budget_tests_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number),
    CONSTRAINT fk_budget_tests_model FOREIGN KEY (model) REFERENCES models (model)
);
CREATE INDEX ix_budget_tests_model_version_number ON budget_tests (model, version, number);
CREATE TABLE consumers (
    model TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, selector TEXT NOT NULL,
    actor TEXT DEFAULT '' NOT NULL, since {time} NOT NULL, seen_at {time} NOT NULL, until {time} NOT NULL,
    resolves {big} DEFAULT '0' NOT NULL, downloads {big} DEFAULT '0' NOT NULL,
    CONSTRAINT pk_consumers PRIMARY KEY (model, name, version),
    CONSTRAINT fk_consumers_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number)
);
CREATE INDEX ix_consumers_model_until ON consumers (model, until);
CREATE INDEX ix_consumers_name ON consumers (name);
CREATE TABLE evaluations (
    id {id}, model TEXT NOT NULL, version INTEGER NOT NULL, run TEXT NOT NULL, evaluation TEXT NOT NULL,
    decision {big} NOT NULL,
    CONSTRAINT pk_evaluations PRIMARY KEY (id),
    CONSTRAINT fk_evaluations_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_evaluations_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number)
);
CREATE INDEX ix_evaluations_model_version_id ON evaluations (model, version, id);
CREATE TABLE measures (
    model TEXT NOT NULL, version INTEGER NOT NULL, metric TEXT NOT NULL, hour {big} NOT NULL,
    figures {big} NOT NULL, rows {big} NOT NULL, total FLOAT NOT NULL, within FLOAT NOT NULL,
    spread_rows {big} NOT NULL, plain FLOAT NOT NULL, squares FLOAT NOT NULL,
    CONSTRAINT pk_measures PRIMARY KEY (model, version, metric, hour),
    CONSTRAINT fk_measures_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number)
);
CREATE TABLE reigns (
    model TEXT NOT NULL, generation INTEGER NOT NULL, version INTEGER NOT NULL, previous INTEGER, leaves TEXT,
    leave_reason TEXT DEFAULT '' NOT NULL, cause TEXT NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL,
    decision {big} NOT NULL, since {time} NOT NULL,
    CONSTRAINT pk_reigns PRIMARY KEY (model, generation),
    CONSTRAINT fk_reigns_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_reigns_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number),
    CONSTRAINT fk_reigns_model FOREIGN KEY (model) REFERENCES models (model),
    CONSTRAINT ck_reigns_cause CHECK (cause IN ('promotion', 'rollback')),
    CONSTRAINT ck_reigns_leaves CHECK (previous IS NULL AND leaves IS NULL OR previous IS NOT NULL AND leaves IN ('superseded', 'rejected'))
);
CREATE TABLE removals (
    model TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, at {time} NOT NULL,
    decision {big} NOT NULL, done_at {time},
    CONSTRAINT pk_removals PRIMARY KEY (model, version),
    CONSTRAINT fk_removals_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number),
    CONSTRAINT fk_removals_decision FOREIGN KEY (decision) REFERENCES decisions (id)
);
CREATE INDEX ix_removals_digest ON removals (digest);
CREATE TABLE version_facts (
    id {id}, model TEXT NOT NULL, version INTEGER NOT NULL, before TEXT, after TEXT NOT NULL,
    actor TEXT NOT NULL, reason TEXT NOT NULL, decision {big} NOT NULL, at {time} NOT NULL,
    CONSTRAINT pk_version_facts PRIMARY KEY (id),
    CONSTRAINT fk_version_facts_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_version_facts_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number)
);
CREATE INDEX ix_version_facts_model_version_id ON version_facts (model, version, id);
CREATE TABLE version_keeps (
    id {id}, model TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL,
    since {time} NOT NULL, decision {big} NOT NULL, lifted_at {time}, lifted_by {big},
    CONSTRAINT pk_version_keeps PRIMARY KEY (id),
    CONSTRAINT fk_version_keeps_model_version FOREIGN KEY (model, version) REFERENCES versions (model, number),
    CONSTRAINT fk_version_keeps_decision FOREIGN KEY (decision) REFERENCES decisions (id),
    CONSTRAINT fk_version_keeps_lifted_by FOREIGN KEY (lifted_by) REFERENCES decisions (id)
);
CREATE UNIQUE INDEX uq_version_keeps_standing ON version_keeps (model, version) WHERE lifted_at IS NULL;
INSERT INTO chain_head (id, decision, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
