"""A release says tomorrow what it said today: only who sees it, and that it is withdrawn, may change."""

from django.db import migrations

CREATE = """
CREATE TRIGGER release_immutable BEFORE UPDATE ON releases_release FOR EACH ROW
    WHEN (ROW(OLD.leaderboard_id, OLD.team_id, OLD.name, OLD.title, OLD.note, OLD.as_of, OLD.frozen, OLD.sha256, OLD.review)
          IS DISTINCT FROM
          ROW(NEW.leaderboard_id, NEW.team_id, NEW.name, NEW.title, NEW.note, NEW.as_of, NEW.frozen, NEW.sha256, NEW.review)
          OR (OLD.withdrawn_at IS NOT NULL AND NEW.withdrawn_at IS DISTINCT FROM OLD.withdrawn_at))
    EXECUTE FUNCTION crosstable_refuse_change();
"""
DROP = "DROP TRIGGER release_immutable ON releases_release;"


class Migration(migrations.Migration):
    dependencies = [("releases", "0001_initial"), ("accounts", "0002_append_only_audit")]
    operations = [migrations.RunSQL(CREATE, DROP)]
