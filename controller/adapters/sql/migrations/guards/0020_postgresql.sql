-- What a worker's login may write: it has no table to write to but its own row among the workers, and these functions.
-- They run with the rights of their owner. A line "--;;" ends a statement.
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
