-- Evidence of reviews is only ever added to: old decisions cite it. A line "--;;" ends a statement.
CREATE TRIGGER guard_reviews_update BEFORE UPDATE ON reviews FOR EACH ROW
EXECUTE FUNCTION guard_refuse('the evidence of a review is never changed')
--;;
CREATE TRIGGER guard_reviews_delete BEFORE DELETE ON reviews FOR EACH ROW
EXECUTE FUNCTION guard_refuse('the evidence of a review is never deleted')
--;;
CREATE TRIGGER guard_reviews_truncate BEFORE TRUNCATE ON reviews FOR EACH STATEMENT
EXECUTE FUNCTION guard_refuse('the evidence of a review is never deleted')
