"""A verdict is what was said: only its dismissal is written later, and nobody deletes one while its review is there."""

from django.db import migrations

CREATE = """
CREATE FUNCTION crosstable_verdict_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.review_id, OLD.author_id, OLD.ruling, OLD.body, OLD.subject_hash, OLD.at)
        IS DISTINCT FROM (NEW.review_id, NEW.author_id, NEW.ruling, NEW.body, NEW.subject_hash, NEW.at)
        OR (OLD.dismissed_at IS NOT NULL AND (OLD.dismissed_at, OLD.dismissed_by_id, OLD.dismissal)
            IS DISTINCT FROM (NEW.dismissed_at, NEW.dismissed_by_id, NEW.dismissal)) THEN
        RAISE EXCEPTION 'a verdict does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER verdict_stays BEFORE UPDATE ON reviews_verdict
    FOR EACH ROW EXECUTE FUNCTION crosstable_verdict_stays();
"""
DROP = "DROP TRIGGER verdict_stays ON reviews_verdict; DROP FUNCTION crosstable_verdict_stays();"


class Migration(migrations.Migration):
    dependencies = [("reviews", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
