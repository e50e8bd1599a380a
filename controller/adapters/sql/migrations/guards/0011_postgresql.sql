-- Who uses versions: what a PostgreSQL database of Incumbent refuses. A line "--;;" ends a statement.

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
    IF NEW.name IN ('champion', 'latest') THEN
        RAISE EXCEPTION 'incumbent: the champion is no alias: it moves by promotion and rollback';
    END IF;
    IF NEW.version IS NOT NULL THEN
        PERFORM 1 FROM versions
          WHERE model = NEW.model AND number = NEW.version AND state NOT IN ('archived', 'rejected', 'failed')
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
CREATE TRIGGER guard_aliases_delete BEFORE DELETE ON aliases FOR EACH ROW
EXECUTE FUNCTION guard_refuse('an alias is never deleted: its generation would start again')
--;;
CREATE TRIGGER guard_aliases_truncate BEFORE TRUNCATE ON aliases FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('an alias is never deleted: its generation would start again')
--;;
CREATE TRIGGER guard_alias_moves_update BEFORE UPDATE ON alias_moves FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a move of an alias is never changed')
--;;
CREATE TRIGGER guard_alias_moves_delete BEFORE DELETE ON alias_moves FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a move of an alias is never deleted')
--;;
CREATE TRIGGER guard_alias_moves_truncate BEFORE TRUNCATE ON alias_moves FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a move of an alias is never deleted')
--;;
-- A version leaves only when nobody needs it, and comes back only while its artifact is there. Its row is locked
-- first: whoever takes a lease on it or points an alias at it locks the same row.
CREATE FUNCTION guard_version_facts_needed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM versions WHERE model = NEW.model AND number = NEW.version FOR UPDATE;
    IF EXISTS (SELECT 1 FROM aliases WHERE model = NEW.model AND version = NEW.version) THEN
        RAISE EXCEPTION 'incumbent: [move] an alias points at this version';
    END IF;
    IF NEW.after = 'archived' THEN
        IF EXISTS (SELECT 1 FROM consumers WHERE model = NEW.model AND version = NEW.version AND until > NEW.at) THEN
            RAISE EXCEPTION 'incumbent: [move] a consumer uses this version';
        END IF;
        IF EXISTS (
            SELECT 1 FROM version_keeps WHERE model = NEW.model AND version = NEW.version AND lifted_at IS NULL)
        THEN
            RAISE EXCEPTION 'incumbent: [move] a hold keeps this version';
        END IF;
        IF NEW.version IN (
            (SELECT r.version FROM reigns r
               JOIN versions v ON v.model = r.model AND v.number = r.version
              WHERE r.model = NEW.model AND v.state IN ('superseded', 'deprecated')
              ORDER BY r.generation DESC LIMIT 1),
            (SELECT r.version FROM reigns r
               JOIN versions v ON v.model = r.model AND v.number = r.version
              WHERE r.model = NEW.model AND v.state IN ('superseded', 'deprecated') AND v.verified
              ORDER BY r.generation DESC LIMIT 1))
        THEN
            RAISE EXCEPTION 'incumbent: [move] a rollback would seat this version';
        END IF;
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_version_facts_needed BEFORE INSERT ON version_facts FOR EACH ROW
WHEN (NEW.after IN ('archived', 'rejected', 'failed'))
EXECUTE FUNCTION guard_version_facts_needed()
--;;
CREATE FUNCTION guard_version_facts_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM removals WHERE model = NEW.model AND version = NEW.version) THEN
        RAISE EXCEPTION 'incumbent: [move] its artifact is gone, so the version cannot come back';
    END IF;
    IF EXISTS (
        SELECT 1 FROM version_facts
         WHERE model = NEW.model AND version = NEW.version AND after IN ('rejected', 'failed'))
    THEN
        RAISE EXCEPTION 'incumbent: [move] a version that was rejected never comes back';
    END IF;
    RETURN NEW;
END
$$
--;;
CREATE TRIGGER guard_version_facts_gone BEFORE INSERT ON version_facts FOR EACH ROW
WHEN (NEW.before = 'archived')
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
CREATE TRIGGER guard_consumers_delete BEFORE DELETE ON consumers FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a lease of a consumer is never deleted')
--;;
CREATE TRIGGER guard_consumers_truncate BEFORE TRUNCATE ON consumers FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a lease of a consumer is never deleted')
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
CREATE TRIGGER guard_version_keeps_delete BEFORE DELETE ON version_keeps FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a hold on a version is never deleted')
--;;
CREATE TRIGGER guard_version_keeps_truncate BEFORE TRUNCATE ON version_keeps FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a hold on a version is never deleted')
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
CREATE TRIGGER guard_removals_delete BEFORE DELETE ON removals FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a removal is never deleted')
--;;
CREATE TRIGGER guard_removals_truncate BEFORE TRUNCATE ON removals FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a removal is never deleted')
--;;
