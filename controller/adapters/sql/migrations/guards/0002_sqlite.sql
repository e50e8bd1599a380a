-- What a SQLite database of Incumbent refuses, whoever writes. A line "--;;" ends a statement.
--
-- INSERT OR REPLACE deletes the row in its way without asking the triggers for deletion; so every guard of an
-- insertion also refuses a row whose key is there before.

-- A decision follows the head of the chain, and the head moves by itself.
CREATE TRIGGER guard_decisions_follow BEFORE INSERT ON decisions
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a decision must follow the head of the chain')
     WHERE NOT EXISTS (SELECT 1 FROM chain_head WHERE decision = NEW.id - 1 AND hash = NEW.prev_hash)
        OR EXISTS (SELECT 1 FROM decisions WHERE id = NEW.id OR hash = NEW.hash);
END
--;;
CREATE TRIGGER guard_decisions_advance AFTER INSERT ON decisions
BEGIN
    UPDATE chain_head SET decision = NEW.id, hash = NEW.hash WHERE id = 1;
END
--;;
CREATE TRIGGER guard_chain_head_update BEFORE UPDATE ON chain_head
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the head of the chain moves by itself, with each decision')
     WHERE NOT EXISTS (
           SELECT 1 FROM decisions
            WHERE id = NEW.decision AND hash = NEW.hash AND id = OLD.decision + 1 AND prev_hash = OLD.hash);
END
--;;
CREATE TRIGGER guard_chain_head_insert BEFORE INSERT ON chain_head
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the chain has one head');
END
--;;
-- A model begins empty, numbers its versions and runs without gaps, and changes its champion by a reign.
CREATE TRIGGER guard_models_insert BEFORE INSERT ON models
BEGIN
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM models WHERE model = NEW.model);
    SELECT RAISE(ABORT, 'incumbent: a model begins with no champion and its first numbers')
     WHERE NEW.generation <> 0 OR NEW.champion IS NOT NULL OR NEW.next_version <> 1 OR NEW.next_run <> 1;
END
--;;
CREATE TRIGGER guard_models_name BEFORE UPDATE OF model ON models WHEN NEW.model IS NOT OLD.model
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a model is never renamed');
END
--;;
CREATE TRIGGER guard_models_seat BEFORE UPDATE OF generation, champion ON models
WHEN NEW.generation IS NOT OLD.generation OR NEW.champion IS NOT OLD.champion
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the champion moves with the next generation and by a reign only')
     WHERE NEW.generation <> OLD.generation + 1
        OR NOT EXISTS (
           SELECT 1 FROM reigns
            WHERE model = NEW.model AND generation = NEW.generation AND version = NEW.champion
              AND previous IS OLD.champion);
END
--;;
CREATE TRIGGER guard_models_numbers BEFORE UPDATE OF next_version, next_run ON models
WHEN NEW.next_version <> OLD.next_version OR NEW.next_run <> OLD.next_run
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a number is given by entering the version or the run')
     WHERE NEW.next_version NOT IN (OLD.next_version, OLD.next_version + 1)
        OR NEW.next_run NOT IN (OLD.next_run, OLD.next_run + 1)
        OR (NEW.next_version > OLD.next_version AND NOT EXISTS (
           SELECT 1 FROM versions WHERE model = NEW.model AND number = OLD.next_version))
        OR (NEW.next_run > OLD.next_run AND NOT EXISTS (
           SELECT 1 FROM runs WHERE model = NEW.model AND number = OLD.next_run));
END
--;;
-- A reign is a compare-and-set: it follows the model's present generation and champion. It moves the seat and
-- writes the facts of the version that leaves and of the one that comes.
CREATE TRIGGER guard_reigns_insert BEFORE INSERT ON reigns
BEGIN
    SELECT RAISE(ABORT, 'incumbent: [stale] the champion is another one by now')
     WHERE NOT EXISTS (
           SELECT 1 FROM models
            WHERE model = NEW.model AND generation = NEW.generation - 1 AND champion IS NEW.previous)
        OR EXISTS (SELECT 1 FROM reigns WHERE model = NEW.model AND generation = NEW.generation);
    SELECT RAISE(ABORT, 'incumbent: [move] only a version that exists and may become champion takes the seat')
     WHERE NOT EXISTS (
           SELECT 1 FROM versions
            WHERE model = NEW.model AND number = NEW.version
              AND state IN ('candidate', 'challenger', 'superseded', 'deprecated'));
END
--;;
CREATE TRIGGER guard_reigns_seat AFTER INSERT ON reigns
BEGIN
    UPDATE models SET generation = NEW.generation, champion = NEW.version WHERE model = NEW.model;
    INSERT INTO version_facts (model, version, before, after, actor, reason, decision, at)
    SELECT NEW.model, NEW.previous, 'champion', NEW.leaves, NEW.actor, NEW.leave_reason, NEW.decision, NEW.since
     WHERE NEW.previous IS NOT NULL;
    INSERT INTO version_facts (model, version, before, after, actor, reason, decision, at)
    SELECT NEW.model, NEW.version, state, 'champion', NEW.actor, NEW.reason, NEW.decision, NEW.since
      FROM versions WHERE model = NEW.model AND number = NEW.version;
END
--;;
-- A version is entered as a candidate with the model's next number, which is then used up.
CREATE TRIGGER guard_versions_insert BEFORE INSERT ON versions
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a version is entered with its model''s next number, once')
     WHERE NOT EXISTS (SELECT 1 FROM models WHERE model = NEW.model AND next_version = NEW.number)
        OR EXISTS (SELECT 1 FROM versions WHERE model = NEW.model AND number = NEW.number);
    SELECT RAISE(ABORT, 'incumbent: a run brings one version')
     WHERE EXISTS (SELECT 1 FROM versions WHERE run = NEW.run);
    SELECT RAISE(ABORT, 'incumbent: [move] a version begins as a candidate')
     WHERE NEW.state <> 'candidate' OR NEW.verified OR NEW.promoted_at IS NOT NULL;
END
--;;
CREATE TRIGGER guard_versions_number AFTER INSERT ON versions
BEGIN
    UPDATE models SET next_version = next_version + 1 WHERE model = NEW.model;
END
--;;
-- A version moves by a fact only, and a fact says what is true and legal.
CREATE TRIGGER guard_version_facts_insert BEFORE INSERT ON version_facts
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a fact is never changed')
     WHERE EXISTS (SELECT 1 FROM version_facts WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'incumbent: a fact begins where the version is')
     WHERE NOT EXISTS (
           SELECT 1 FROM versions
            WHERE model = NEW.model AND number = NEW.version AND state = coalesce(NEW.before, NEW.after));
    SELECT RAISE(ABORT, 'incumbent: [move] a version begins once, as a candidate')
     WHERE NEW.before IS NULL
       AND (NEW.after <> 'candidate' OR EXISTS (
           SELECT 1 FROM version_facts WHERE model = NEW.model AND version = NEW.version));
    SELECT RAISE(ABORT, 'incumbent: [move] the life cycle has no such move')
     WHERE NEW.before IS NOT NULL AND (NEW.before, NEW.after) NOT IN (VALUES
           ('candidate', 'challenger'), ('candidate', 'champion'), ('candidate', 'rejected'), ('candidate', 'failed'),
           ('challenger', 'champion'), ('challenger', 'rejected'), ('challenger', 'failed'),
           ('champion', 'superseded'), ('champion', 'rejected'),
           ('superseded', 'champion'), ('superseded', 'deprecated'), ('superseded', 'rejected'),
           ('deprecated', 'champion'), ('deprecated', 'superseded'), ('deprecated', 'archived'),
           ('archived', 'deprecated'),
           ('rejected', 'archived'),
           ('failed', 'archived'));
    SELECT RAISE(ABORT, 'incumbent: [move] a version becomes or leaves champion by a reign only')
     WHERE (NEW.after = 'champion') <> EXISTS (
           SELECT 1 FROM models WHERE model = NEW.model AND champion = NEW.version)
       AND (NEW.after = 'champion' OR NEW.before = 'champion');
END
--;;
CREATE TRIGGER guard_version_facts_move AFTER INSERT ON version_facts WHEN NEW.before IS NOT NULL
BEGIN
    UPDATE versions
       SET state = NEW.after, state_since = NEW.at,
           promoted_at = CASE NEW.after WHEN 'champion' THEN NEW.at ELSE promoted_at END
     WHERE model = NEW.model AND number = NEW.version;
END
--;;
CREATE TRIGGER guard_versions_state BEFORE UPDATE OF state, state_since, promoted_at ON versions
WHEN NEW.state IS NOT OLD.state OR NEW.state_since IS NOT OLD.state_since OR NEW.promoted_at IS NOT OLD.promoted_at
BEGIN
    SELECT RAISE(ABORT, 'incumbent: [move] a version moves by a fact only')
     WHERE NOT EXISTS (
           SELECT 1 FROM version_facts
            WHERE id = (SELECT max(id) FROM version_facts WHERE model = NEW.model AND version = NEW.number)
              AND before = OLD.state AND after = NEW.state AND at = NEW.state_since)
        OR (NEW.state <> 'champion' AND NEW.promoted_at IS NOT OLD.promoted_at);
END
--;;
CREATE TRIGGER guard_versions_verified BEFORE UPDATE OF verified, verified_at, verified_by ON versions WHEN OLD.verified
BEGIN
    SELECT RAISE(ABORT, 'incumbent: what was verified stays so')
     WHERE NOT NEW.verified OR NEW.verified_at IS NOT OLD.verified_at
        OR NEW.verified_by IS NOT OLD.verified_by;
END
--;;
-- A run is entered queued with the model's next number; it moves as its table of moves says, its fence only rises.
CREATE TRIGGER guard_runs_insert BEFORE INSERT ON runs
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a run is entered with its model''s next number, once')
     WHERE NOT EXISTS (SELECT 1 FROM models WHERE model = NEW.model AND next_run = NEW.number)
        OR EXISTS (SELECT 1 FROM runs WHERE id = NEW.id OR entry = NEW.entry);
    SELECT RAISE(ABORT, 'incumbent: [move] a run begins queued, with fence and attempt 0')
     WHERE NEW.state <> 'queued' OR NEW.fence <> 0 OR NEW.attempt <> 0;
END
--;;
CREATE TRIGGER guard_runs_number AFTER INSERT ON runs
BEGIN
    UPDATE models SET next_run = next_run + 1 WHERE model = NEW.model;
END
--;;
CREATE TRIGGER guard_runs_update BEFORE UPDATE ON runs
BEGIN
    SELECT RAISE(ABORT, 'incumbent: [move] a run that has ended is never changed')
     WHERE OLD.state NOT IN ('queued', 'running');
    SELECT RAISE(ABORT, 'incumbent: [move] a run has no such move')
     WHERE NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES
           ('queued', 'running'), ('queued', 'cancelled'), ('queued', 'dead'),
           ('running', 'done'), ('running', 'failed'), ('running', 'queued'), ('running', 'dead'), ('running', 'cancelled'));
    SELECT RAISE(ABORT, 'incumbent: a run is claimed and taken back with the next fence only')
     WHERE NEW.fence <> OLD.fence
           + (OLD.state = 'queued' AND NEW.state = 'running' OR OLD.state = 'running' AND NEW.state = 'queued');
    SELECT RAISE(ABORT, 'incumbent: attempts are counted by claims')
     WHERE NEW.attempt <> OLD.attempt + (OLD.state = 'queued' AND NEW.state = 'running');
END
--;;
-- A signal is entered open and once; when it has ended nothing about it changes.
CREATE TRIGGER guard_signals_insert BEFORE INSERT ON signals
BEGIN
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM signals WHERE key = NEW.key);
    SELECT RAISE(ABORT, 'incumbent: a signal is entered open, under a number of its own')
     WHERE NEW.status <> 'open' OR NEW.decision IS NOT NULL OR EXISTS (SELECT 1 FROM signals WHERE id = NEW.id);
END
--;;
CREATE TRIGGER guard_signals_ended BEFORE UPDATE ON signals WHEN OLD.status NOT IN ('open', 'deferred')
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a signal that has ended is never changed');
END
--;;
CREATE TRIGGER guard_signals_answer BEFORE UPDATE OF status ON signals WHEN NEW.status IS NOT OLD.status
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a signal is answered by a decision')
     WHERE NEW.status = 'open' OR NEW.decision IS NULL
        OR NOT EXISTS (SELECT 1 FROM decisions WHERE id = NEW.decision);
END
--;;
-- The fence of a lease rises with each new holder.
CREATE TRIGGER guard_leases_insert BEFORE INSERT ON leases
BEGIN
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM leases WHERE name = NEW.name);
END
--;;
CREATE TRIGGER guard_leases_update BEFORE UPDATE ON leases
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the fence of a lease only rises')
     WHERE NEW.name <> OLD.name OR NEW.fence < OLD.fence
        OR (NEW.owner NOT IN (OLD.owner, '') AND NEW.fence = OLD.fence);
END
--;;
-- What things are made of.
CREATE TRIGGER guard_signals_made_of BEFORE UPDATE OF id, key, model, kind, trigger_name, actor, occurred_at, received_at, payload ON signals
WHEN NEW.id IS NOT OLD.id
     OR NEW.key IS NOT OLD.key
     OR NEW.model IS NOT OLD.model
     OR NEW.kind IS NOT OLD.kind
     OR NEW.trigger_name IS NOT OLD.trigger_name
     OR NEW.actor IS NOT OLD.actor
     OR NEW.occurred_at IS NOT OLD.occurred_at
     OR NEW.received_at IS NOT OLD.received_at
     OR NEW.payload IS NOT OLD.payload
BEGIN
    SELECT RAISE(ABORT, 'incumbent: what a signal says is never changed');
END
--;;
CREATE TRIGGER guard_versions_made_of BEFORE UPDATE OF model, number, run, digest, recipe, size, data_through, metrics, lineage, created_at, decision ON versions
WHEN NEW.model IS NOT OLD.model
     OR NEW.number IS NOT OLD.number
     OR NEW.run IS NOT OLD.run
     OR NEW.digest IS NOT OLD.digest
     OR NEW.recipe IS NOT OLD.recipe
     OR NEW.size IS NOT OLD.size
     OR NEW.data_through IS NOT OLD.data_through
     OR NEW.metrics IS NOT OLD.metrics
     OR NEW.lineage IS NOT OLD.lineage
     OR NEW.created_at IS NOT OLD.created_at
     OR NEW.decision IS NOT OLD.decision
BEGIN
    SELECT RAISE(ABORT, 'incumbent: what a version is made of is never changed');
END
--;;
CREATE TRIGGER guard_runs_made_of BEFORE UPDATE OF entry, id, model, number, kind, spec, retries, ordered_at, decision ON runs
WHEN NEW.entry IS NOT OLD.entry
     OR NEW.id IS NOT OLD.id
     OR NEW.model IS NOT OLD.model
     OR NEW.number IS NOT OLD.number
     OR NEW.kind IS NOT OLD.kind
     OR NEW.spec IS NOT OLD.spec
     OR NEW.retries IS NOT OLD.retries
     OR NEW.ordered_at IS NOT OLD.ordered_at
     OR NEW.decision IS NOT OLD.decision
BEGIN
    SELECT RAISE(ABORT, 'incumbent: what a run was ordered to do is never changed');
END
--;;
CREATE TRIGGER guard_batches_made_of BEFORE UPDATE OF model, sequence, uri, digest, size, rows, columns, seen_at, details ON batches
WHEN NEW.model IS NOT OLD.model
     OR NEW.sequence IS NOT OLD.sequence
     OR NEW.uri IS NOT OLD.uri
     OR NEW.digest IS NOT OLD.digest
     OR NEW.size IS NOT OLD.size
     OR NEW.rows IS NOT OLD.rows
     OR NEW.columns IS NOT OLD.columns
     OR NEW.seen_at IS NOT OLD.seen_at
     OR NEW.details IS NOT OLD.details
BEGIN
    SELECT RAISE(ABORT, 'incumbent: what a batch holds is never changed');
END
--;;
CREATE TRIGGER guard_outbox_made_of BEFORE UPDATE OF id, topic, key, payload ON outbox
WHEN NEW.id IS NOT OLD.id
     OR NEW.topic IS NOT OLD.topic
     OR NEW.key IS NOT OLD.key
     OR NEW.payload IS NOT OLD.payload
BEGIN
    SELECT RAISE(ABORT, 'incumbent: what a letter says is never changed');
END
--;;
-- What is only ever added to.
CREATE TRIGGER guard_decisions_update BEFORE UPDATE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a decision is never changed');
END
--;;
CREATE TRIGGER guard_decisions_delete BEFORE DELETE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a decision is never deleted');
END
--;;
CREATE TRIGGER guard_version_facts_update BEFORE UPDATE ON version_facts
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a fact is never changed');
END
--;;
CREATE TRIGGER guard_version_facts_delete BEFORE DELETE ON version_facts
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a fact is never deleted');
END
--;;
CREATE TRIGGER guard_reigns_update BEFORE UPDATE ON reigns
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a reign is never changed');
END
--;;
CREATE TRIGGER guard_reigns_delete BEFORE DELETE ON reigns
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a reign is never deleted');
END
--;;
CREATE TRIGGER guard_evaluations_update BEFORE UPDATE ON evaluations
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an evaluation is never changed');
END
--;;
CREATE TRIGGER guard_evaluations_delete BEFORE DELETE ON evaluations
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an evaluation is never deleted');
END
--;;
CREATE TRIGGER guard_budget_tests_update BEFORE UPDATE ON budget_tests
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a test of the error budget is never changed');
END
--;;
CREATE TRIGGER guard_budget_tests_delete BEFORE DELETE ON budget_tests
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a test of the error budget is never deleted');
END
--;;
CREATE TRIGGER guard_approvals_update BEFORE UPDATE ON approvals
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an approval is never changed');
END
--;;
CREATE TRIGGER guard_approvals_delete BEFORE DELETE ON approvals
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an approval is never deleted');
END
--;;
CREATE TRIGGER guard_rule_texts_update BEFORE UPDATE ON rule_texts
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the text of a rule is never changed');
END
--;;
CREATE TRIGGER guard_rule_texts_delete BEFORE DELETE ON rule_texts
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the text of a rule is never deleted');
END
--;;
CREATE TRIGGER guard_evaluations_insert BEFORE INSERT ON evaluations
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an evaluation is never changed') WHERE EXISTS (SELECT 1 FROM evaluations WHERE id = NEW.id);
END
--;;
CREATE TRIGGER guard_budget_tests_insert BEFORE INSERT ON budget_tests
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a test of the error budget is never changed') WHERE EXISTS (SELECT 1 FROM budget_tests WHERE model = NEW.model AND number = NEW.number);
END
--;;
CREATE TRIGGER guard_approvals_insert BEFORE INSERT ON approvals
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an approval is never changed') WHERE EXISTS (SELECT 1 FROM approvals WHERE id = NEW.id);
END
--;;
CREATE TRIGGER guard_rule_texts_insert BEFORE INSERT ON rule_texts
BEGIN
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM rule_texts WHERE blob = NEW.blob);
END
--;;
CREATE TRIGGER guard_versions_delete BEFORE DELETE ON versions
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a version is never deleted');
END
--;;
CREATE TRIGGER guard_runs_delete BEFORE DELETE ON runs
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a run is never deleted');
END
--;;
CREATE TRIGGER guard_models_delete BEFORE DELETE ON models
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a model is never deleted');
END
--;;
CREATE TRIGGER guard_chain_head_delete BEFORE DELETE ON chain_head
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the head of the chain is never deleted');
END
--;;
CREATE TRIGGER guard_leases_delete BEFORE DELETE ON leases
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a lease is never deleted: its fence would start again');
END
--;;
CREATE TRIGGER guard_signals_delete BEFORE DELETE ON signals
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a signal is never deleted');
END
--;;
