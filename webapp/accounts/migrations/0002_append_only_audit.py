"""The audit log can only grow: the database itself refuses to change or delete a row."""

from django.db import migrations

CREATE = """
CREATE FUNCTION crosstable_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows never change', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION crosstable_refuse_change();
"""
DROP = "DROP TRIGGER audit_append_only ON accounts_auditevent; DROP FUNCTION crosstable_refuse_change();"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
