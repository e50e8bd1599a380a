-- What a SQLite database of Incumbent refuses, whoever writes. A line "--;;" ends a statement; what stands
-- in braces comes from controller/domain (see sql/guards.py), which also makes the guards of what is never changed.
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
              AND state IN ({may_become_champion}));
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
           {version_moves});
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
     WHERE OLD.state NOT IN ({unended});
    SELECT RAISE(ABORT, 'incumbent: [move] a run has no such move')
     WHERE NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES
           {run_moves});
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
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM signals WHERE key = NEW.key AND model = NEW.model AND kind = NEW.kind AND actor = NEW.actor);
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
-- Old decisions cite the evidence of reviews.
CREATE TRIGGER guard_reviews_insert BEFORE INSERT ON reviews
BEGIN
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM reviews WHERE digest = NEW.digest);
    SELECT RAISE(ABORT, 'incumbent: the evidence of a review is never changed') WHERE EXISTS (SELECT 1 FROM reviews WHERE id = NEW.id);
END
--;;
-- An alias moves by its move only: the next generation, from where it points, to a version that lives.
CREATE TRIGGER guard_alias_moves_insert BEFORE INSERT ON alias_moves
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a move of an alias is never changed')
     WHERE EXISTS (SELECT 1 FROM alias_moves WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'incumbent: [stale] an alias moves with the next generation, from where it points')
     WHERE NOT EXISTS (
           SELECT 1 WHERE NEW.generation = 1 + coalesce(
                  (SELECT generation FROM aliases WHERE model = NEW.model AND name = NEW.name), 0)
              AND NEW.previous IS (SELECT version FROM aliases WHERE model = NEW.model AND name = NEW.name));
    SELECT RAISE(ABORT, 'incumbent: the champion is no alias: it moves by promotion and rollback')
     WHERE NEW.name IN ({reserved});
    SELECT RAISE(ABORT, 'incumbent: [move] an alias points at a version that exists and lives')
     WHERE NEW.version IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM versions
            WHERE model = NEW.model AND number = NEW.version AND state NOT IN ({unaliased}));
END
--;;
CREATE TRIGGER guard_alias_moves_move AFTER INSERT ON alias_moves
BEGIN
    INSERT INTO aliases (model, name, generation, version, at)
    SELECT NEW.model, NEW.name, NEW.generation, NEW.version, NEW.at
     WHERE NOT EXISTS (SELECT 1 FROM aliases WHERE model = NEW.model AND name = NEW.name);
    UPDATE aliases SET generation = NEW.generation, version = NEW.version, at = NEW.at
     WHERE model = NEW.model AND name = NEW.name AND generation < NEW.generation;
END
--;;
CREATE TRIGGER guard_aliases_insert BEFORE INSERT ON aliases
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an alias moves by its move only')
     WHERE EXISTS (SELECT 1 FROM aliases WHERE model = NEW.model AND name = NEW.name)
        OR NOT EXISTS (
           SELECT 1 FROM alias_moves
            WHERE model = NEW.model AND name = NEW.name AND generation = NEW.generation
              AND version IS NEW.version AND at = NEW.at);
END
--;;
CREATE TRIGGER guard_aliases_update BEFORE UPDATE ON aliases
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an alias moves by its move only')
     WHERE NEW.model <> OLD.model OR NEW.name <> OLD.name OR NEW.generation <> OLD.generation + 1
        OR NOT EXISTS (
           SELECT 1 FROM alias_moves
            WHERE model = NEW.model AND name = NEW.name AND generation = NEW.generation
              AND version IS NEW.version AND at = NEW.at);
END
--;;
-- A version leaves only when nobody needs it, and comes back only while its artifact is there.
CREATE TRIGGER guard_version_facts_needed BEFORE INSERT ON version_facts
WHEN NEW.after IN ({fenced_after})
BEGIN
{entering}
END
--;;
CREATE TRIGGER guard_version_facts_gone BEFORE INSERT ON version_facts WHEN NEW.before = {fenced_before}
BEGIN
{leaving}
END
--;;
-- A lease says who uses what, and stays.
CREATE TRIGGER guard_consumers_insert BEFORE INSERT ON consumers
BEGIN
    SELECT RAISE(ABORT, 'incumbent: [move] a consumer uses a version that lives')
     WHERE NOT EXISTS (
           SELECT 1 FROM versions WHERE model = NEW.model AND number = NEW.version AND state <> 'archived');
END
--;;
CREATE TRIGGER guard_consumers_update BEFORE UPDATE ON consumers
BEGIN
    SELECT RAISE(ABORT, 'incumbent: what a lease is about is never changed, and what it counts only rises')
     WHERE NEW.model <> OLD.model OR NEW.name <> OLD.name OR NEW.version <> OLD.version OR NEW.since <> OLD.since
        OR NEW.resolves < OLD.resolves OR NEW.downloads < OLD.downloads;
    SELECT RAISE(ABORT, 'incumbent: [move] a consumer uses a version that lives')
     WHERE NEW.until > OLD.until AND NOT EXISTS (
           SELECT 1 FROM versions WHERE model = NEW.model AND number = NEW.version AND state <> 'archived');
END
--;;
-- A hold is lifted once, by a decision.
CREATE TRIGGER guard_version_keeps_insert BEFORE INSERT ON version_keeps
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a hold on a version is never changed')
     WHERE EXISTS (SELECT 1 FROM version_keeps WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'incumbent: a hold begins standing, on a version that exists')
     WHERE NEW.lifted_at IS NOT NULL OR NEW.lifted_by IS NOT NULL
        OR NOT EXISTS (SELECT 1 FROM versions WHERE model = NEW.model AND number = NEW.version)
        OR EXISTS (SELECT 1 FROM version_keeps WHERE model = NEW.model AND version = NEW.version AND lifted_at IS NULL);
END
--;;
CREATE TRIGGER guard_version_keeps_update BEFORE UPDATE ON version_keeps
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a hold on a version is only lifted, once and by a decision')
     WHERE NEW.id <> OLD.id OR NEW.model <> OLD.model OR NEW.version <> OLD.version OR NEW.reason <> OLD.reason
        OR NEW.actor <> OLD.actor OR NEW.since <> OLD.since OR NEW.decision <> OLD.decision
        OR OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR NEW.lifted_by IS NULL
        OR NOT EXISTS (SELECT 1 FROM decisions WHERE id = NEW.lifted_by);
END
--;;
-- Retention takes the artifact of an archived version, once.
CREATE TRIGGER guard_removals_insert BEFORE INSERT ON removals
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a removal is never changed')
     WHERE EXISTS (SELECT 1 FROM removals WHERE model = NEW.model AND version = NEW.version);
    SELECT RAISE(ABORT, 'incumbent: only the artifact of an archived version is taken away')
     WHERE NEW.done_at IS NOT NULL OR NOT EXISTS (
           SELECT 1 FROM versions
            WHERE model = NEW.model AND number = NEW.version AND digest = NEW.digest AND state = 'archived');
END
--;;
CREATE TRIGGER guard_removals_update BEFORE UPDATE ON removals
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a removal is never changed')
     WHERE NEW.model <> OLD.model OR NEW.version <> OLD.version OR NEW.digest <> OLD.digest OR NEW.at <> OLD.at
        OR NEW.decision <> OLD.decision OR OLD.done_at IS NOT NULL;
END
--;;
-- Marks and comments stay, and an anchor is only followed by a later one.
CREATE TRIGGER guard_signals_mark BEFORE UPDATE ON signals
WHEN NEW.mark IS NOT OLD.mark
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the mark of a signal is never changed');
END
--;;
CREATE TRIGGER guard_comments_update BEFORE UPDATE ON comments
WHEN NEW.id IS NOT OLD.id OR NEW.subject IS NOT OLD.subject OR NEW.actor IS NOT OLD.actor
      OR NEW.at IS NOT OLD.at OR NEW.text IS NOT OLD.text OR NEW.key IS NOT OLD.key
      OR OLD.decision IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a comment is never changed');
END
--;;
-- REPLACE deletes the row in its way without asking the triggers for deletion.
CREATE TRIGGER guard_comments_insert BEFORE INSERT ON comments
BEGIN
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM comments WHERE key = NEW.key);
    SELECT RAISE(ABORT, 'incumbent: a comment is never changed') WHERE EXISTS (SELECT 1 FROM comments WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'incumbent: a comment is covered by a later decision') WHERE NEW.decision IS NOT NULL;
END
--;;
CREATE TRIGGER guard_anchored_update BEFORE UPDATE ON anchored
WHEN NEW.id <> OLD.id OR NEW.decision < OLD.decision OR (NEW.decision = OLD.decision AND NEW.hash <> OLD.hash)
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an anchor is followed by a later one only');
END
--;;
CREATE TRIGGER guard_marked_since_again BEFORE INSERT ON marked_since
WHEN EXISTS (SELECT 1 FROM marked_since)
BEGIN
    SELECT RAISE(IGNORE);
END
--;;
CREATE TRIGGER guard_anchored_again BEFORE INSERT ON anchored
WHEN EXISTS (SELECT 1 FROM anchored)
BEGIN
    SELECT RAISE(IGNORE);
END
