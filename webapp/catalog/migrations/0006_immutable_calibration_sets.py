"""What a scheme was fitted on never changes; only the suite that a set names can be deleted from under it."""

from django.db import migrations

CREATE = """
CREATE TRIGGER calibration_set_immutable BEFORE UPDATE ON catalog_calibrationset FOR EACH ROW
    WHEN (ROW(OLD.team_id, OLD.name, OLD.texts, OLD.size, OLD.content_hash, OLD.created_at)
          IS DISTINCT FROM
          ROW(NEW.team_id, NEW.name, NEW.texts, NEW.size, NEW.content_hash, NEW.created_at))
    EXECUTE FUNCTION crosstable_refuse_change();
"""
DROP = "DROP TRIGGER calibration_set_immutable ON catalog_calibrationset;"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_calibration_sets"), ("accounts", "0002_append_only_audit")]
    operations = [migrations.RunSQL(CREATE, DROP)]
