-- Who uses versions: what a SQLite database of Incumbent refuses. A line "--;;" ends a statement.

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
     WHERE NEW.name IN ('champion', 'latest');
    SELECT RAISE(ABORT, 'incumbent: [move] an alias points at a version that exists and lives')
     WHERE NEW.version IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM versions
            WHERE model = NEW.model AND number = NEW.version AND state NOT IN ('archived', 'rejected', 'failed'));
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
CREATE TRIGGER guard_aliases_delete BEFORE DELETE ON aliases
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an alias is never deleted: its generation would start again');
END
--;;
CREATE TRIGGER guard_alias_moves_update BEFORE UPDATE ON alias_moves
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a move of an alias is never changed');
END
--;;
CREATE TRIGGER guard_alias_moves_delete BEFORE DELETE ON alias_moves
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a move of an alias is never deleted');
END
--;;
-- A version leaves only when nobody needs it, and comes back only while its artifact is there.
CREATE TRIGGER guard_version_facts_needed BEFORE INSERT ON version_facts
WHEN NEW.after IN ('archived', 'rejected', 'failed')
BEGIN
    SELECT RAISE(ABORT, 'incumbent: [move] an alias points at this version')
     WHERE EXISTS (SELECT 1 FROM aliases WHERE model = NEW.model AND version = NEW.version);
    SELECT RAISE(ABORT, 'incumbent: [move] a consumer uses this version')
     WHERE NEW.after = 'archived' AND EXISTS (
           SELECT 1 FROM consumers WHERE model = NEW.model AND version = NEW.version AND until > NEW.at);
    SELECT RAISE(ABORT, 'incumbent: [move] a hold keeps this version')
     WHERE NEW.after = 'archived' AND EXISTS (
           SELECT 1 FROM version_keeps WHERE model = NEW.model AND version = NEW.version AND lifted_at IS NULL);
    SELECT RAISE(ABORT, 'incumbent: [move] a rollback would seat this version')
     WHERE NEW.after = 'archived' AND NEW.version IN (
           (SELECT r.version FROM reigns r
              JOIN versions v ON v.model = r.model AND v.number = r.version
             WHERE r.model = NEW.model AND v.state IN ('superseded', 'deprecated')
             ORDER BY r.generation DESC LIMIT 1),
           (SELECT r.version FROM reigns r
              JOIN versions v ON v.model = r.model AND v.number = r.version
             WHERE r.model = NEW.model AND v.state IN ('superseded', 'deprecated') AND v.verified
             ORDER BY r.generation DESC LIMIT 1));
END
--;;
CREATE TRIGGER guard_version_facts_gone BEFORE INSERT ON version_facts WHEN NEW.before = 'archived'
BEGIN
    SELECT RAISE(ABORT, 'incumbent: [move] its artifact is gone, so the version cannot come back')
     WHERE EXISTS (SELECT 1 FROM removals WHERE model = NEW.model AND version = NEW.version);
    SELECT RAISE(ABORT, 'incumbent: [move] a version that was rejected never comes back')
     WHERE EXISTS (
           SELECT 1 FROM version_facts
            WHERE model = NEW.model AND version = NEW.version AND after IN ('rejected', 'failed'));
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
CREATE TRIGGER guard_consumers_delete BEFORE DELETE ON consumers
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a lease of a consumer is never deleted');
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
CREATE TRIGGER guard_version_keeps_delete BEFORE DELETE ON version_keeps
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a hold on a version is never deleted');
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
CREATE TRIGGER guard_removals_delete BEFORE DELETE ON removals
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a removal is never deleted');
END
--;;
