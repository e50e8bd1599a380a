-- What a PostgreSQL database of Incumbent refuses, whoever writes. A line "--;;" ends a statement; what stands
-- in braces comes from controller/domain (see sql/guards.py), which also makes the guards of what is never changed.
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
        AND state IN ({may_become_champion})
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
        {version_moves})
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
    IF OLD.state NOT IN ({unended}) THEN
        RAISE EXCEPTION 'incumbent: [move] a run that has ended is never changed';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        {run_moves})
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
-- An alias moves by its move only: the next generation, from where it points, to a version that lives.
CREATE FUNCTION guard_alias_moves_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    seen integer;
    points integer;
BEGIN
    PERFORM 1 FROM models WHERE model = NEW.model FOR UPDATE;
    SELECT generation, version INTO seen, points FROM aliases
     WHERE model = NEW.model AND name = NEW.name FOR UPDATE;
    IF NEW.generation <> coalesce(seen, 0) + 1 OR NEW.previous IS DISTINCT FROM points THEN
        RAISE EXCEPTION 'incumbent: [stale] an alias moves with the next generation, from where it points';
    END IF;
    IF NEW.name IN ({reserved}) THEN
        RAISE EXCEPTION 'incumbent: the champion is no alias: it moves by promotion and rollback';
    END IF;
    IF NEW.version IS NOT NULL THEN
        PERFORM 1 FROM versions
          WHERE model = NEW.model AND number = NEW.version AND state NOT IN ({unaliased})
            FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'incumbent: [move] an alias points at a version that exists and lives';
        END IF;
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_alias_moves_insert BEFORE INSERT ON alias_moves FOR EACH ROW
EXECUTE FUNCTION guard_alias_moves_insert()
--;;
CREATE FUNCTION guard_alias_moves_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.generation = 1 THEN
        INSERT INTO aliases (model, name, generation, version, at)
        VALUES (NEW.model, NEW.name, NEW.generation, NEW.version, NEW.at);
    ELSE
        UPDATE aliases SET generation = NEW.generation, version = NEW.version, at = NEW.at
         WHERE model = NEW.model AND name = NEW.name;
    END IF;
    RETURN NULL;
END
$$
--;;
CREATE TRIGGER guard_alias_moves_move AFTER INSERT ON alias_moves FOR EACH ROW
EXECUTE FUNCTION guard_alias_moves_move()
--;;
CREATE FUNCTION guard_aliases_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM alias_moves
         WHERE model = NEW.model AND name = NEW.name AND generation = NEW.generation
           AND version IS NOT DISTINCT FROM NEW.version AND at = NEW.at)
    THEN
        RAISE EXCEPTION 'incumbent: an alias moves by its move only';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.model <> OLD.model OR NEW.name <> OLD.name OR NEW.generation <> OLD.generation + 1 THEN
            RAISE EXCEPTION 'incumbent: an alias moves by its move only';
        END IF;
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_aliases_insert BEFORE INSERT ON aliases FOR EACH ROW
EXECUTE FUNCTION guard_aliases_change()
--;;
CREATE TRIGGER guard_aliases_update BEFORE UPDATE ON aliases FOR EACH ROW
EXECUTE FUNCTION guard_aliases_change()
--;;
-- A version leaves only when nobody needs it, and comes back only while its artifact is there. Its row is locked
-- first: whoever takes a lease on it or points an alias at it locks the same row.
CREATE FUNCTION guard_version_facts_needed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM versions WHERE model = NEW.model AND number = NEW.version FOR UPDATE;
{entering}
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_version_facts_needed BEFORE INSERT ON version_facts FOR EACH ROW
WHEN (NEW.after IN ({fenced_after}))
EXECUTE FUNCTION guard_version_facts_needed()
--;;
CREATE FUNCTION guard_version_facts_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{leaving}
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_version_facts_gone BEFORE INSERT ON version_facts FOR EACH ROW
WHEN (NEW.before = {fenced_before})
EXECUTE FUNCTION guard_version_facts_gone()
--;;
-- A lease says who uses what, and stays.
CREATE FUNCTION guard_consumers_live() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM versions
      WHERE model = NEW.model AND number = NEW.version AND state <> 'archived' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incumbent: [move] a consumer uses a version that lives';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_consumers_insert BEFORE INSERT ON consumers FOR EACH ROW
EXECUTE FUNCTION guard_consumers_live()
--;;
CREATE TRIGGER guard_consumers_renew BEFORE UPDATE ON consumers FOR EACH ROW
WHEN (NEW.until > OLD.until)
EXECUTE FUNCTION guard_consumers_live()
--;;
CREATE TRIGGER guard_consumers_update BEFORE UPDATE ON consumers FOR EACH ROW
WHEN (NEW.model <> OLD.model OR NEW.name <> OLD.name OR NEW.version <> OLD.version OR NEW.since <> OLD.since
      OR NEW.resolves < OLD.resolves OR NEW.downloads < OLD.downloads)
EXECUTE FUNCTION guard_refuse('what a lease is about is never changed, and what it counts only rises')
--;;
-- A hold is lifted once, by a decision.
CREATE FUNCTION guard_version_keeps_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM versions WHERE model = NEW.model AND number = NEW.version FOR UPDATE;
    IF NOT FOUND OR NEW.lifted_at IS NOT NULL OR NEW.lifted_by IS NOT NULL OR EXISTS (
        SELECT 1 FROM version_keeps WHERE model = NEW.model AND version = NEW.version AND lifted_at IS NULL)
    THEN
        RAISE EXCEPTION 'incumbent: a hold begins standing, on a version that exists';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_version_keeps_insert BEFORE INSERT ON version_keeps FOR EACH ROW
EXECUTE FUNCTION guard_version_keeps_insert()
--;;
CREATE TRIGGER guard_version_keeps_update BEFORE UPDATE ON version_keeps FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.model <> OLD.model OR NEW.version <> OLD.version OR NEW.reason <> OLD.reason
      OR NEW.actor <> OLD.actor OR NEW.since <> OLD.since OR NEW.decision <> OLD.decision
      OR OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR NEW.lifted_by IS NULL)
EXECUTE FUNCTION guard_refuse('a hold on a version is only lifted, once and by a decision')
--;;
-- Retention takes the artifact of an archived version, once.
CREATE FUNCTION guard_removals_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM versions
      WHERE model = NEW.model AND number = NEW.version AND digest = NEW.digest AND state = 'archived'
        FOR UPDATE;
    IF NOT FOUND OR NEW.done_at IS NOT NULL THEN
        RAISE EXCEPTION 'incumbent: only the artifact of an archived version is taken away';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_removals_insert BEFORE INSERT ON removals FOR EACH ROW
EXECUTE FUNCTION guard_removals_insert()
--;;
CREATE TRIGGER guard_removals_update BEFORE UPDATE ON removals FOR EACH ROW
WHEN (NEW.model <> OLD.model OR NEW.version <> OLD.version OR NEW.digest <> OLD.digest OR NEW.at <> OLD.at
      OR NEW.decision <> OLD.decision OR OLD.done_at IS NOT NULL)
EXECUTE FUNCTION guard_refuse('a removal is never changed')
--;;
-- What a worker's login may write: it has no table to write to but its own row among the workers, and these functions.
-- They run with the rights of their owner.
--
-- A claim belongs to whoever knows its secret. Only the secret's digest is kept, so that reading the table tells nobody.
CREATE FUNCTION claim_digest(secret text, run text, fence integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(secret || ':' || run || ':' || fence, 'UTF8')), 'hex')
$$
--;;
-- Whether this session logged in as one that decides: the owner, the controller, or one role for everything.
CREATE FUNCTION login_decides() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT has_table_privilege(session_user, 'public.decisions', 'INSERT')
$$
--;;
CREATE FUNCTION run_is_held(a_run text, a_fence integer, a_secret text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM runs
         WHERE id = a_run AND fence = a_fence AND state = 'running'
           AND (claim = claim_digest(a_secret, a_run, a_fence) OR login_decides()))
$$
--;;
CREATE FUNCTION worker_claim(a_run text, a_fence integer, a_worker text, a_lease interval, a_secret text)
RETURNS SETOF runs LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    claimed runs;
BEGIN
    IF length(a_secret) < 32 THEN
        RAISE EXCEPTION 'incumbent: the secret of a claim has at least 32 characters';
    END IF;
    UPDATE runs
       SET state = 'running', fence = fence + 1, attempt = attempt + 1, worker = a_worker, progress = NULL,
           lease_until = clock_timestamp() + least(a_lease, interval '1 day'), started_at = clock_timestamp(),
           claim = claim_digest(a_secret, a_run, a_fence + 1)
     WHERE id = a_run AND fence = a_fence AND state = 'queued'
    RETURNING * INTO claimed;
    IF FOUND THEN
        UPDATE outbox SET acknowledged_at = clock_timestamp()
         WHERE topic = 'run' AND key = a_run || ':' || a_fence AND acknowledged_at IS NULL;
        RETURN NEXT claimed;
    END IF;
END
$$
--;;
CREATE FUNCTION worker_heartbeat(
    a_run text, a_fence integer, a_lease interval, a_progress double precision, a_secret text)
RETURNS TABLE (cancel boolean) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT run_is_held(a_run, a_fence, a_secret) THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE runs
       SET handed_back = handed_back + (a_lease = interval '0' AND lease_until > clock_timestamp())::int,
           lease_until = clock_timestamp() + least(a_lease, interval '1 day'),
           progress = coalesce(a_progress, progress)
     WHERE id = a_run AND fence = a_fence AND state = 'running'
    RETURNING cancel_requested;
END
$$
--;;
-- The end of a run and its signal. What the signal says of the run must be so; the rest is the worker's own report.
CREATE FUNCTION worker_finish(
    a_run text, a_fence integer, a_state text, a_reason text, a_result text, a_payload text, a_at timestamptz,
    a_secret text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ended runs;
    -- jsonb takes no NUL; nothing that is compared holds one.
    said jsonb := regexp_replace(a_payload, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::jsonb;
BEGIN
    IF NOT run_is_held(a_run, a_fence, a_secret) THEN
        RETURN false;
    END IF;
    UPDATE runs
       SET state = a_state, reason = a_reason, result = a_result, ended_at = a_at, lease_until = NULL
     WHERE id = a_run AND fence = a_fence AND state = 'running'
    RETURNING * INTO ended;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF ended.state NOT IN ('done', 'failed', 'dead', 'cancelled')
        OR (said ->> 'run', said ->> 'kind', said ->> 'state') IS DISTINCT FROM (ended.id, ended.kind, ended.state)
    THEN
        RAISE EXCEPTION 'incumbent: a worker reports the end of its own run, as it is';
    END IF;
    INSERT INTO signals (key, model, kind, actor, occurred_at, received_at, payload)
    VALUES ('run:' || ended.id || ':' || ended.state, ended.model,
            CASE ended.state WHEN 'done' THEN 'run_finished' ELSE 'run_failed' END,
            'worker', a_at, a_at, a_payload)
    ON CONFLICT DO NOTHING;
    RETURN true;
END
$$
--;;
CREATE FUNCTION worker_journal(
    a_run text, a_fence integer, a_at timestamptz[], a_kind text[], a_name text[], a_step bigint[],
    a_value double precision[], a_text text[], a_secret text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT run_is_held(a_run, a_fence, a_secret) THEN
        RETURN false;
    END IF;
    INSERT INTO run_journal (run, fence, at, kind, name, step, value, text)
    SELECT a_run, a_fence, line.at, line.kind, line.name, line.step, line.value, line.text
      FROM unnest(a_at, a_kind, a_name, a_step, a_value, a_text) WITH ORDINALITY
           AS line (at, kind, name, step, value, text, place)
     ORDER BY line.place;
    RETURN true;
END
$$
--;;
CREATE FUNCTION count_up(a_name text, a_by bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT login_decides() AND (
        a_by < 1 OR a_name NOT IN ('probes', 'workers_fenced', 'results_told_twice', 'results_too_late'))
    THEN
        RAISE EXCEPTION 'incumbent: only who decides counts %', a_name;
    END IF;
    INSERT INTO counters (name, value) VALUES (a_name, a_by)
    ON CONFLICT (name) DO UPDATE SET value = counters.value + EXCLUDED.value;
END
$$
--;;
REVOKE ALL ON FUNCTION
    worker_claim(text, integer, text, interval, text),
    worker_heartbeat(text, integer, interval, double precision, text),
    worker_finish(text, integer, text, text, text, text, timestamptz, text),
    worker_journal(text, integer, timestamptz[], text[], text[], bigint[], double precision[], text[], text),
    count_up(text, bigint)
FROM PUBLIC
--;;
-- It locks a row of versions, which the API's login may only read.
ALTER FUNCTION guard_consumers_live() SECURITY DEFINER SET search_path = public, pg_temp
--;;
-- Marks and comments stay, and an anchor is only followed by a later one.
CREATE TRIGGER guard_signals_mark BEFORE UPDATE ON signals FOR EACH ROW
WHEN (NEW.mark IS DISTINCT FROM OLD.mark)
EXECUTE FUNCTION guard_refuse('the mark of a signal is never changed')
--;;
CREATE TRIGGER guard_comments_update BEFORE UPDATE ON comments FOR EACH ROW
WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.subject IS DISTINCT FROM OLD.subject OR NEW.actor IS DISTINCT FROM OLD.actor
      OR NEW.at IS DISTINCT FROM OLD.at OR NEW.text IS DISTINCT FROM OLD.text OR NEW.key IS DISTINCT FROM OLD.key
      OR OLD.decision IS NOT NULL)
EXECUTE FUNCTION guard_refuse('a comment is never changed')
--;;
CREATE TRIGGER guard_comments_insert BEFORE INSERT ON comments FOR EACH ROW
WHEN (NEW.decision IS NOT NULL)
EXECUTE FUNCTION guard_refuse('a comment is covered by a later decision')
--;;
CREATE TRIGGER guard_anchored_update BEFORE UPDATE ON anchored FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.decision < OLD.decision OR (NEW.decision = OLD.decision AND NEW.hash <> OLD.hash))
EXECUTE FUNCTION guard_refuse('an anchor is followed by a later one only')
