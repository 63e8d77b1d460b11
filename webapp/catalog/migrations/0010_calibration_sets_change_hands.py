"""A set that another team's runs still need can be handed over: whose it is, is nothing that a scheme was fitted on."""

from django.db import migrations

DROP = "DROP TRIGGER calibration_set_immutable ON catalog_calibrationset;"
CREATE = """
CREATE TRIGGER calibration_set_immutable BEFORE UPDATE ON catalog_calibrationset FOR EACH ROW
    WHEN (ROW({owner}OLD.name, OLD.texts, OLD.size, OLD.content_hash, OLD.created_at)
          IS DISTINCT FROM
          ROW({owner_now}NEW.name, NEW.texts, NEW.size, NEW.content_hash, NEW.created_at))
    EXECUTE FUNCTION crosstable_refuse_change();
"""
NOW = DROP + CREATE.format(owner="", owner_now="")
BEFORE = DROP + CREATE.format(owner="OLD.team_id, ", owner_now="NEW.team_id, ")


class Migration(migrations.Migration):
    dependencies = [("catalog", "0009_questions_have_one_index")]
    operations = [migrations.RunSQL(NOW, BEFORE)]
