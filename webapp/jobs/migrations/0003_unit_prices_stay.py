"""A run keeps the unit prices that it was costed with: prices change, history does not."""

from django.db import migrations

CREATE = """
CREATE TRIGGER run_unit_prices_stay BEFORE UPDATE OF unit_prices ON jobs_run FOR EACH ROW
    WHEN (OLD.unit_prices <> '{}'::jsonb AND OLD.unit_prices IS DISTINCT FROM NEW.unit_prices)
    EXECUTE FUNCTION crosstable_refuse_change();
"""
DROP = "DROP TRIGGER run_unit_prices_stay ON jobs_run;"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_costs"), ("accounts", "0002_append_only_audit")]
    operations = [migrations.RunSQL(CREATE, DROP)]
