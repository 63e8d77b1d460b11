"""Versions never change: a score must mean tomorrow what it meant today. Deleting a whole entry stays possible."""

from django.db import migrations

CREATE = """
CREATE TRIGGER entry_version_immutable BEFORE UPDATE ON catalog_entryversion FOR EACH ROW
    WHEN (ROW(OLD.entry_id, OLD.number, OLD.source, OLD.location, OLD.revision, OLD.endpoint_model, OLD.endpoint_style,
              OLD.tokenizer, OLD.fingerprint, OLD.tokenizer_hash, OLD.chat_template_hash)
          IS DISTINCT FROM
          ROW(NEW.entry_id, NEW.number, NEW.source, NEW.location, NEW.revision, NEW.endpoint_model, NEW.endpoint_style,
              NEW.tokenizer, NEW.fingerprint, NEW.tokenizer_hash, NEW.chat_template_hash)
          OR (OLD.weights_hash <> '' AND OLD.weights_hash IS DISTINCT FROM NEW.weights_hash))
    EXECUTE FUNCTION crosstable_refuse_change();
CREATE TRIGGER benchmark_version_immutable BEFORE UPDATE ON catalog_benchmarkversion FOR EACH ROW
    WHEN (ROW(OLD.benchmark_id, OLD.number, OLD.content_hash, OLD.definition, OLD.harness_task, OLD.kind)
          IS DISTINCT FROM
          ROW(NEW.benchmark_id, NEW.number, NEW.content_hash, NEW.definition, NEW.harness_task, NEW.kind)
          OR (OLD.samples IS NOT NULL AND OLD.samples IS DISTINCT FROM NEW.samples))
    EXECUTE FUNCTION crosstable_refuse_change();
CREATE TRIGGER sample_immutable BEFORE UPDATE ON catalog_sample
    FOR EACH ROW EXECUTE FUNCTION crosstable_refuse_change();
"""
DROP = """
DROP TRIGGER entry_version_immutable ON catalog_entryversion;
DROP TRIGGER benchmark_version_immutable ON catalog_benchmarkversion;
DROP TRIGGER sample_immutable ON catalog_sample;
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial"), ("accounts", "0002_append_only_audit")]
    operations = [migrations.RunSQL(CREATE, DROP)]
