-- What a PostgreSQL database of Incumbent refuses, whoever writes. A line "--;;" ends a statement.
--
-- The functions lock the row that they compare with, so that two transactions can't both find it unchanged.

-- For the triggers that always refuse: the sentence is their argument.
CREATE FUNCTION guard_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'incumbent: %', TG_ARGV[0];
END $$
--;;
-- A decision follows the head of the chain, and the head moves by itself.
CREATE FUNCTION guard_decisions_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM chain_head WHERE decision = NEW.id - 1 AND hash = NEW.prev_hash FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incumbent: a decision must follow the head of the chain';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_decisions_follow BEFORE INSERT ON decisions FOR EACH ROW
EXECUTE FUNCTION guard_decisions_follow()
--;;
CREATE FUNCTION guard_decisions_advance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE chain_head SET decision = NEW.id, hash = NEW.hash WHERE id = 1;
    RETURN NULL;
END
$$
--;;
CREATE TRIGGER guard_decisions_advance AFTER INSERT ON decisions FOR EACH ROW
EXECUTE FUNCTION guard_decisions_advance()
--;;
CREATE FUNCTION guard_chain_head_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM decisions
         WHERE id = NEW.decision AND hash = NEW.hash AND id = OLD.decision + 1 AND prev_hash = OLD.hash)
    THEN
        RAISE EXCEPTION 'incumbent: the head of the chain moves by itself, with each decision';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_chain_head_update BEFORE UPDATE ON chain_head FOR EACH ROW
EXECUTE FUNCTION guard_chain_head_update()
--;;
CREATE TRIGGER guard_chain_head_insert BEFORE INSERT ON chain_head FOR EACH ROW
EXECUTE FUNCTION guard_refuse('the chain has one head')
--;;
-- A model begins empty, numbers its versions and runs without gaps, and changes its champion by a reign.
CREATE FUNCTION guard_models_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.generation <> 0 OR NEW.champion IS NOT NULL OR NEW.next_version <> 1 OR NEW.next_run <> 1 THEN
        RAISE EXCEPTION 'incumbent: a model begins with no champion and its first numbers';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_models_insert BEFORE INSERT ON models FOR EACH ROW
EXECUTE FUNCTION guard_models_insert()
--;;
CREATE TRIGGER guard_models_name BEFORE UPDATE OF model ON models FOR EACH ROW
WHEN (NEW.model IS DISTINCT FROM OLD.model)
EXECUTE FUNCTION guard_refuse('a model is never renamed')
--;;
CREATE FUNCTION guard_models_seat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.generation <> OLD.generation + 1 OR NOT EXISTS (
        SELECT 1 FROM reigns
         WHERE model = NEW.model AND generation = NEW.generation AND version = NEW.champion
           AND previous IS NOT DISTINCT FROM OLD.champion)
    THEN
        RAISE EXCEPTION 'incumbent: the champion moves with the next generation and by a reign only';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_models_seat BEFORE UPDATE ON models FOR EACH ROW
WHEN (NEW.generation IS DISTINCT FROM OLD.generation OR NEW.champion IS DISTINCT FROM OLD.champion)
EXECUTE FUNCTION guard_models_seat()
--;;
CREATE FUNCTION guard_models_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.next_version NOT IN (OLD.next_version, OLD.next_version + 1)
        OR NEW.next_run NOT IN (OLD.next_run, OLD.next_run + 1)
        OR (NEW.next_version > OLD.next_version AND NOT EXISTS (
            SELECT 1 FROM versions WHERE model = NEW.model AND number = OLD.next_version))
        OR (NEW.next_run > OLD.next_run AND NOT EXISTS (
            SELECT 1 FROM runs WHERE model = NEW.model AND number = OLD.next_run))
    THEN
        RAISE EXCEPTION 'incumbent: a number is given by entering the version or the run';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_models_numbers BEFORE UPDATE ON models FOR EACH ROW
WHEN (NEW.next_version <> OLD.next_version OR NEW.next_run <> OLD.next_run)
EXECUTE FUNCTION guard_models_numbers()
--;;
-- A reign is a compare-and-set: it follows the model's present generation and champion. It moves the seat and
-- writes the facts of the version that leaves and of the one that comes.
CREATE FUNCTION guard_reigns_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM models
      WHERE model = NEW.model AND generation = NEW.generation - 1
        AND champion IS NOT DISTINCT FROM NEW.previous
        FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incumbent: [stale] the champion is another one by now';
    END IF;
    PERFORM 1 FROM versions
      WHERE model = NEW.model AND number = NEW.version
        AND state IN ('candidate', 'challenger', 'superseded', 'deprecated')
        FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incumbent: [move] only a version that exists and may become champion takes the seat';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_reigns_insert BEFORE INSERT ON reigns FOR EACH ROW
EXECUTE FUNCTION guard_reigns_insert()
--;;
CREATE FUNCTION guard_reigns_seat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE models SET generation = NEW.generation, champion = NEW.version WHERE model = NEW.model;
    IF NEW.previous IS NOT NULL THEN
        INSERT INTO version_facts (model, version, before, after, actor, reason, decision, at)
        VALUES (NEW.model, NEW.previous, 'champion', NEW.leaves, NEW.actor, NEW.leave_reason, NEW.decision,
                NEW.since);
    END IF;
    INSERT INTO version_facts (model, version, before, after, actor, reason, decision, at)
    SELECT NEW.model, NEW.version, state, 'champion', NEW.actor, NEW.reason, NEW.decision, NEW.since
      FROM versions WHERE model = NEW.model AND number = NEW.version;
    RETURN NULL;
END
$$
--;;
CREATE TRIGGER guard_reigns_seat AFTER INSERT ON reigns FOR EACH ROW
EXECUTE FUNCTION guard_reigns_seat()
--;;
-- A version is entered as a candidate with the model's next number, which is then used up.
CREATE FUNCTION guard_versions_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM models WHERE model = NEW.model AND next_version = NEW.number FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incumbent: a version is entered with its model''s next number, once';
    END IF;
    IF NEW.state <> 'candidate' OR NEW.verified OR NEW.promoted_at IS NOT NULL THEN
        RAISE EXCEPTION 'incumbent: [move] a version begins as a candidate';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_versions_insert BEFORE INSERT ON versions FOR EACH ROW
EXECUTE FUNCTION guard_versions_insert()
--;;
CREATE FUNCTION guard_versions_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE models SET next_version = next_version + 1 WHERE model = NEW.model;
    RETURN NULL;
END
$$
--;;
CREATE TRIGGER guard_versions_number AFTER INSERT ON versions FOR EACH ROW
EXECUTE FUNCTION guard_versions_number()
--;;
-- A version moves by a fact only, and a fact says what is true and legal.
CREATE FUNCTION guard_version_facts_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present text;
    sits boolean;
BEGIN
    SELECT state INTO present FROM versions WHERE model = NEW.model AND number = NEW.version FOR UPDATE;
    IF present IS DISTINCT FROM coalesce(NEW.before, NEW.after) THEN
        RAISE EXCEPTION 'incumbent: a fact begins where the version is';
    END IF;
    IF NEW.before IS NULL AND (NEW.after <> 'candidate' OR EXISTS (
        SELECT 1 FROM version_facts WHERE model = NEW.model AND version = NEW.version))
    THEN
        RAISE EXCEPTION 'incumbent: [move] a version begins once, as a candidate';
    END IF;
    IF NEW.before IS NOT NULL AND (NEW.before, NEW.after) NOT IN (
        ('candidate', 'challenger'), ('candidate', 'champion'), ('candidate', 'rejected'), ('candidate', 'failed'),
        ('challenger', 'champion'), ('challenger', 'rejected'), ('challenger', 'failed'),
        ('champion', 'superseded'), ('champion', 'rejected'),
        ('superseded', 'champion'), ('superseded', 'deprecated'), ('superseded', 'rejected'),
        ('deprecated', 'champion'), ('deprecated', 'superseded'), ('deprecated', 'archived'),
        ('archived', 'deprecated'),
        ('rejected', 'archived'),
        ('failed', 'archived'))
    THEN
        RAISE EXCEPTION 'incumbent: [move] the life cycle has no such move';
    END IF;
    sits := EXISTS (SELECT 1 FROM models WHERE model = NEW.model AND champion = NEW.version);
    IF (NEW.after = 'champion') <> sits AND 'champion' IN (NEW.after, NEW.before) THEN
        RAISE EXCEPTION 'incumbent: [move] a version becomes or leaves champion by a reign only';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_version_facts_insert BEFORE INSERT ON version_facts FOR EACH ROW
EXECUTE FUNCTION guard_version_facts_insert()
--;;
CREATE FUNCTION guard_version_facts_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE versions
       SET state = NEW.after, state_since = NEW.at,
           promoted_at = CASE NEW.after WHEN 'champion' THEN NEW.at ELSE promoted_at END
     WHERE model = NEW.model AND number = NEW.version;
    RETURN NULL;
END
$$
--;;
CREATE TRIGGER guard_version_facts_move AFTER INSERT ON version_facts FOR EACH ROW
WHEN (NEW.before IS NOT NULL)
EXECUTE FUNCTION guard_version_facts_move()
--;;
CREATE FUNCTION guard_versions_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM version_facts
         WHERE id = (SELECT max(id) FROM version_facts WHERE model = NEW.model AND version = NEW.number)
           AND before = OLD.state AND after = NEW.state AND at = NEW.state_since)
        OR (NEW.state <> 'champion' AND NEW.promoted_at IS DISTINCT FROM OLD.promoted_at)
    THEN
        RAISE EXCEPTION 'incumbent: [move] a version moves by a fact only';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_versions_state BEFORE UPDATE ON versions FOR EACH ROW
WHEN (NEW.state IS DISTINCT FROM OLD.state OR NEW.state_since IS DISTINCT FROM OLD.state_since
      OR NEW.promoted_at IS DISTINCT FROM OLD.promoted_at)
EXECUTE FUNCTION guard_versions_state()
--;;
CREATE TRIGGER guard_versions_verified BEFORE UPDATE ON versions FOR EACH ROW
WHEN (OLD.verified AND (NOT NEW.verified OR NEW.verified_at IS DISTINCT FROM OLD.verified_at
      OR NEW.verified_by IS DISTINCT FROM OLD.verified_by))
EXECUTE FUNCTION guard_refuse('what was verified stays so')
--;;
-- A run is entered queued with the model's next number; it moves as its table of moves says, its fence only rises.
CREATE FUNCTION guard_runs_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM models WHERE model = NEW.model AND next_run = NEW.number FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incumbent: a run is entered with its model''s next number, once';
    END IF;
    IF NEW.state <> 'queued' OR NEW.fence <> 0 OR NEW.attempt <> 0 THEN
        RAISE EXCEPTION 'incumbent: [move] a run begins queued, with fence and attempt 0';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_runs_insert BEFORE INSERT ON runs FOR EACH ROW
EXECUTE FUNCTION guard_runs_insert()
--;;
CREATE FUNCTION guard_runs_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE models SET next_run = next_run + 1 WHERE model = NEW.model;
    RETURN NULL;
END
$$
--;;
CREATE TRIGGER guard_runs_number AFTER INSERT ON runs FOR EACH ROW
EXECUTE FUNCTION guard_runs_number()
--;;
CREATE FUNCTION guard_runs_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    claimed boolean := OLD.state = 'queued' AND NEW.state = 'running';
    taken boolean := OLD.state = 'running' AND NEW.state = 'queued';
BEGIN
    IF OLD.state NOT IN ('queued', 'running') THEN
        RAISE EXCEPTION 'incumbent: [move] a run that has ended is never changed';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('queued', 'running'), ('queued', 'cancelled'), ('queued', 'dead'),
        ('running', 'done'), ('running', 'failed'), ('running', 'queued'), ('running', 'dead'), ('running', 'cancelled'))
    THEN
        RAISE EXCEPTION 'incumbent: [move] a run has no such move';
    END IF;
    IF NEW.fence <> OLD.fence + (claimed OR taken)::int THEN
        RAISE EXCEPTION 'incumbent: a run is claimed and taken back with the next fence only';
    END IF;
    IF NEW.attempt <> OLD.attempt + claimed::int THEN
        RAISE EXCEPTION 'incumbent: attempts are counted by claims';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_runs_update BEFORE UPDATE ON runs FOR EACH ROW
EXECUTE FUNCTION guard_runs_update()
--;;
-- A signal is entered open and once; when it has ended nothing about it changes.
CREATE TRIGGER guard_signals_insert BEFORE INSERT ON signals FOR EACH ROW
WHEN (NEW.status <> 'open' OR NEW.decision IS NOT NULL)
EXECUTE FUNCTION guard_refuse('a signal is entered open, under a number of its own')
--;;
CREATE TRIGGER guard_signals_ended BEFORE UPDATE ON signals FOR EACH ROW
WHEN (OLD.status NOT IN ('open', 'deferred'))
EXECUTE FUNCTION guard_refuse('a signal that has ended is never changed')
--;;
CREATE TRIGGER guard_signals_answer BEFORE UPDATE ON signals FOR EACH ROW
WHEN (NEW.status IS DISTINCT FROM OLD.status AND (NEW.status = 'open' OR NEW.decision IS NULL))
EXECUTE FUNCTION guard_refuse('a signal is answered by a decision')
--;;
-- The fence of a lease rises with each new holder.
CREATE TRIGGER guard_leases_update BEFORE UPDATE ON leases FOR EACH ROW
WHEN (NEW.name <> OLD.name OR NEW.fence < OLD.fence
      OR (NEW.owner NOT IN (OLD.owner, '') AND NEW.fence = OLD.fence))
EXECUTE FUNCTION guard_refuse('the fence of a lease only rises')
--;;
-- What things are made of.
CREATE TRIGGER guard_signals_made_of BEFORE UPDATE ON signals FOR EACH ROW
WHEN (NEW.id IS DISTINCT FROM OLD.id
      OR NEW.key IS DISTINCT FROM OLD.key
      OR NEW.model IS DISTINCT FROM OLD.model
      OR NEW.kind IS DISTINCT FROM OLD.kind
      OR NEW.trigger_name IS DISTINCT FROM OLD.trigger_name
      OR NEW.actor IS DISTINCT FROM OLD.actor
      OR NEW.occurred_at IS DISTINCT FROM OLD.occurred_at
      OR NEW.received_at IS DISTINCT FROM OLD.received_at
      OR NEW.payload IS DISTINCT FROM OLD.payload)
EXECUTE FUNCTION guard_refuse('what a signal says is never changed')
--;;
CREATE TRIGGER guard_versions_made_of BEFORE UPDATE ON versions FOR EACH ROW
WHEN (NEW.model IS DISTINCT FROM OLD.model
      OR NEW.number IS DISTINCT FROM OLD.number
      OR NEW.run IS DISTINCT FROM OLD.run
      OR NEW.digest IS DISTINCT FROM OLD.digest
      OR NEW.recipe IS DISTINCT FROM OLD.recipe
      OR NEW.size IS DISTINCT FROM OLD.size
      OR NEW.data_through IS DISTINCT FROM OLD.data_through
      OR NEW.metrics IS DISTINCT FROM OLD.metrics
      OR NEW.lineage IS DISTINCT FROM OLD.lineage
      OR NEW.created_at IS DISTINCT FROM OLD.created_at
      OR NEW.decision IS DISTINCT FROM OLD.decision)
EXECUTE FUNCTION guard_refuse('what a version is made of is never changed')
--;;
CREATE TRIGGER guard_runs_made_of BEFORE UPDATE ON runs FOR EACH ROW
WHEN (NEW.entry IS DISTINCT FROM OLD.entry
      OR NEW.id IS DISTINCT FROM OLD.id
      OR NEW.model IS DISTINCT FROM OLD.model
      OR NEW.number IS DISTINCT FROM OLD.number
      OR NEW.kind IS DISTINCT FROM OLD.kind
      OR NEW.spec IS DISTINCT FROM OLD.spec
      OR NEW.retries IS DISTINCT FROM OLD.retries
      OR NEW.ordered_at IS DISTINCT FROM OLD.ordered_at
      OR NEW.decision IS DISTINCT FROM OLD.decision)
EXECUTE FUNCTION guard_refuse('what a run was ordered to do is never changed')
--;;
CREATE TRIGGER guard_batches_made_of BEFORE UPDATE ON batches FOR EACH ROW
WHEN (NEW.model IS DISTINCT FROM OLD.model
      OR NEW.sequence IS DISTINCT FROM OLD.sequence
      OR NEW.uri IS DISTINCT FROM OLD.uri
      OR NEW.digest IS DISTINCT FROM OLD.digest
      OR NEW.size IS DISTINCT FROM OLD.size
      OR NEW.rows IS DISTINCT FROM OLD.rows
      OR NEW.columns IS DISTINCT FROM OLD.columns
      OR NEW.seen_at IS DISTINCT FROM OLD.seen_at
      OR NEW.details IS DISTINCT FROM OLD.details)
EXECUTE FUNCTION guard_refuse('what a batch holds is never changed')
--;;
CREATE TRIGGER guard_outbox_made_of BEFORE UPDATE ON outbox FOR EACH ROW
WHEN (NEW.id IS DISTINCT FROM OLD.id
      OR NEW.topic IS DISTINCT FROM OLD.topic
      OR NEW.key IS DISTINCT FROM OLD.key
      OR NEW.payload IS DISTINCT FROM OLD.payload)
EXECUTE FUNCTION guard_refuse('what a letter says is never changed')
--;;
-- What is only ever added to.
CREATE TRIGGER guard_decisions_update BEFORE UPDATE ON decisions FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a decision is never changed')
--;;
CREATE TRIGGER guard_decisions_delete BEFORE DELETE ON decisions FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a decision is never deleted')
--;;
CREATE TRIGGER guard_decisions_truncate BEFORE TRUNCATE ON decisions FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a decision is never deleted')
--;;
CREATE TRIGGER guard_version_facts_update BEFORE UPDATE ON version_facts FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a fact is never changed')
--;;
CREATE TRIGGER guard_version_facts_delete BEFORE DELETE ON version_facts FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a fact is never deleted')
--;;
CREATE TRIGGER guard_version_facts_truncate BEFORE TRUNCATE ON version_facts FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a fact is never deleted')
--;;
CREATE TRIGGER guard_reigns_update BEFORE UPDATE ON reigns FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a reign is never changed')
--;;
CREATE TRIGGER guard_reigns_delete BEFORE DELETE ON reigns FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a reign is never deleted')
--;;
CREATE TRIGGER guard_reigns_truncate BEFORE TRUNCATE ON reigns FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a reign is never deleted')
--;;
CREATE TRIGGER guard_evaluations_update BEFORE UPDATE ON evaluations FOR EACH ROW
EXECUTE FUNCTION guard_refuse('an evaluation is never changed')
--;;
CREATE TRIGGER guard_evaluations_delete BEFORE DELETE ON evaluations FOR EACH ROW
EXECUTE FUNCTION guard_refuse('an evaluation is never deleted')
--;;
CREATE TRIGGER guard_evaluations_truncate BEFORE TRUNCATE ON evaluations FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('an evaluation is never deleted')
--;;
CREATE TRIGGER guard_budget_tests_update BEFORE UPDATE ON budget_tests FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a test of the error budget is never changed')
--;;
CREATE TRIGGER guard_budget_tests_delete BEFORE DELETE ON budget_tests FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a test of the error budget is never deleted')
--;;
CREATE TRIGGER guard_budget_tests_truncate BEFORE TRUNCATE ON budget_tests FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a test of the error budget is never deleted')
--;;
CREATE TRIGGER guard_approvals_update BEFORE UPDATE ON approvals FOR EACH ROW
EXECUTE FUNCTION guard_refuse('an approval is never changed')
--;;
CREATE TRIGGER guard_approvals_delete BEFORE DELETE ON approvals FOR EACH ROW
EXECUTE FUNCTION guard_refuse('an approval is never deleted')
--;;
CREATE TRIGGER guard_approvals_truncate BEFORE TRUNCATE ON approvals FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('an approval is never deleted')
--;;
CREATE TRIGGER guard_rule_texts_update BEFORE UPDATE ON rule_texts FOR EACH ROW
EXECUTE FUNCTION guard_refuse('the text of a rule is never changed')
--;;
CREATE TRIGGER guard_rule_texts_delete BEFORE DELETE ON rule_texts FOR EACH ROW
EXECUTE FUNCTION guard_refuse('the text of a rule is never deleted')
--;;
CREATE TRIGGER guard_rule_texts_truncate BEFORE TRUNCATE ON rule_texts FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('the text of a rule is never deleted')
--;;
CREATE TRIGGER guard_versions_delete BEFORE DELETE ON versions FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a version is never deleted')
--;;
CREATE TRIGGER guard_versions_truncate BEFORE TRUNCATE ON versions FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a version is never deleted')
--;;
CREATE TRIGGER guard_runs_delete BEFORE DELETE ON runs FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a run is never deleted')
--;;
CREATE TRIGGER guard_runs_truncate BEFORE TRUNCATE ON runs FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a run is never deleted')
--;;
CREATE TRIGGER guard_models_delete BEFORE DELETE ON models FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a model is never deleted')
--;;
CREATE TRIGGER guard_models_truncate BEFORE TRUNCATE ON models FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a model is never deleted')
--;;
CREATE TRIGGER guard_chain_head_delete BEFORE DELETE ON chain_head FOR EACH ROW
EXECUTE FUNCTION guard_refuse('the head of the chain is never deleted')
--;;
CREATE TRIGGER guard_chain_head_truncate BEFORE TRUNCATE ON chain_head FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('the head of the chain is never deleted')
--;;
CREATE TRIGGER guard_leases_delete BEFORE DELETE ON leases FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a lease is never deleted: its fence would start again')
--;;
CREATE TRIGGER guard_leases_truncate BEFORE TRUNCATE ON leases FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a lease is never deleted: its fence would start again')
--;;
CREATE TRIGGER guard_signals_delete BEFORE DELETE ON signals FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a signal is never deleted')
--;;
CREATE TRIGGER guard_signals_truncate BEFORE TRUNCATE ON signals FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a signal is never deleted')
--;;
