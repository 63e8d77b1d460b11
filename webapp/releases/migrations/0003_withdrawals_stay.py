"""Who withdrew a release, when and why: said once."""

from django.db import migrations

CREATE = """
CREATE TRIGGER release_withdrawal_immutable BEFORE UPDATE ON releases_release FOR EACH ROW
    WHEN (OLD.withdrawn_at IS NOT NULL
          AND ROW(OLD.withdrawn_at, OLD.withdrawn_by_id, OLD.withdrawn_reason)
          IS DISTINCT FROM ROW(NEW.withdrawn_at, NEW.withdrawn_by_id, NEW.withdrawn_reason))
    EXECUTE FUNCTION crosstable_refuse_change();
"""
DROP = "DROP TRIGGER release_withdrawal_immutable ON releases_release;"


class Migration(migrations.Migration):
    dependencies = [("releases", "0002_releases_never_change")]
    operations = [migrations.RunSQL(CREATE, DROP)]
