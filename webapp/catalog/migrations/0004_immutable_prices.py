"""A price says what held on its days: a new price is a new row. Only withdrawing it is possible, once, with a reason."""

from django.db import migrations

CREATE = """
CREATE TRIGGER price_immutable BEFORE UPDATE ON catalog_price FOR EACH ROW
    WHEN (ROW(OLD.entry_id, OLD.scheme, OLD.input_usd, OLD.output_usd, OLD.cached_usd, OLD.hour_usd, OLD.source,
              OLD.source_url, OLD.valid_from, OLD.valid_to, OLD.created_by_id, OLD.created_at)
          IS DISTINCT FROM
          ROW(NEW.entry_id, NEW.scheme, NEW.input_usd, NEW.output_usd, NEW.cached_usd, NEW.hour_usd, NEW.source,
              NEW.source_url, NEW.valid_from, NEW.valid_to, NEW.created_by_id, NEW.created_at)
          OR OLD.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION crosstable_refuse_change();
"""
DROP = "DROP TRIGGER price_immutable ON catalog_price;"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_prices"), ("accounts", "0002_append_only_audit")]
    operations = [migrations.RunSQL(CREATE, DROP)]
