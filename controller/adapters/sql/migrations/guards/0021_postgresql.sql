-- Marks stay, comments are only ever added to, and an anchor is not forgotten. A line "--;;" ends a statement.
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
CREATE TRIGGER guard_comments_delete BEFORE DELETE ON comments FOR EACH ROW
EXECUTE FUNCTION guard_refuse('a comment is never deleted')
--;;
CREATE TRIGGER guard_comments_truncate BEFORE TRUNCATE ON comments FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('a comment is never deleted')
--;;
CREATE TRIGGER guard_marked_since_update BEFORE UPDATE ON marked_since FOR EACH ROW
EXECUTE FUNCTION guard_refuse('from where on signals are marked is never changed')
--;;
CREATE TRIGGER guard_marked_since_delete BEFORE DELETE ON marked_since FOR EACH ROW
EXECUTE FUNCTION guard_refuse('from where on signals are marked is never forgotten')
--;;
CREATE TRIGGER guard_marked_since_truncate BEFORE TRUNCATE ON marked_since FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('from where on signals are marked is never forgotten')
--;;
CREATE TRIGGER guard_anchored_update BEFORE UPDATE ON anchored FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.decision < OLD.decision OR (NEW.decision = OLD.decision AND NEW.hash <> OLD.hash))
EXECUTE FUNCTION guard_refuse('an anchor is followed by a later one only')
--;;
CREATE TRIGGER guard_anchored_delete BEFORE DELETE ON anchored FOR EACH ROW
EXECUTE FUNCTION guard_refuse('an anchor is never forgotten')
--;;
CREATE TRIGGER guard_anchored_truncate BEFORE TRUNCATE ON anchored FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('an anchor is never forgotten')
