-- Marks stay, comments are only ever added to, and an anchor is not forgotten. A line "--;;" ends a statement.
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
CREATE TRIGGER guard_comments_delete BEFORE DELETE ON comments
BEGIN
    SELECT RAISE(ABORT, 'incumbent: a comment is never deleted');
END
--;;
CREATE TRIGGER guard_marked_since_update BEFORE UPDATE ON marked_since
BEGIN
    SELECT RAISE(ABORT, 'incumbent: from where on signals are marked is never changed');
END
--;;
CREATE TRIGGER guard_marked_since_delete BEFORE DELETE ON marked_since
BEGIN
    SELECT RAISE(ABORT, 'incumbent: from where on signals are marked is never forgotten');
END
--;;
CREATE TRIGGER guard_anchored_update BEFORE UPDATE ON anchored
WHEN NEW.id <> OLD.id OR NEW.decision < OLD.decision OR (NEW.decision = OLD.decision AND NEW.hash <> OLD.hash)
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an anchor is followed by a later one only');
END
--;;
CREATE TRIGGER guard_anchored_delete BEFORE DELETE ON anchored
BEGIN
    SELECT RAISE(ABORT, 'incumbent: an anchor is never forgotten');
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
