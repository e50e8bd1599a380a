-- Evidence of reviews is only ever added to: old decisions cite it. A line "--;;" ends a statement.
CREATE TRIGGER guard_reviews_insert BEFORE INSERT ON reviews
BEGIN
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM reviews WHERE digest = NEW.digest);
    SELECT RAISE(ABORT, 'incumbent: the evidence of a review is never changed') WHERE EXISTS (SELECT 1 FROM reviews WHERE id = NEW.id);
END
--;;
CREATE TRIGGER guard_reviews_update BEFORE UPDATE ON reviews
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the evidence of a review is never changed');
END
--;;
CREATE TRIGGER guard_reviews_delete BEFORE DELETE ON reviews
BEGIN
    SELECT RAISE(ABORT, 'incumbent: the evidence of a review is never deleted');
END
