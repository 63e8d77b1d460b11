from django.db import migrations, models

# Whoever changes runs, in whatever version, says in the same transaction which columns of boards are to be read again.
# A run that lands is told by its worker.
NOTE = """
CREATE FUNCTION crosstable_note_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO leaderboards_columnchange (team, version)
    SELECT DISTINCT team_id, version_id FROM made WHERE subset IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER columns_of_new_runs AFTER INSERT ON jobs_run REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION crosstable_note_columns();

CREATE FUNCTION crosstable_note_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO leaderboards_columnchange (team, version) VALUES (NEW.team_id, NEW.version_id);
    RETURN NULL;
END $$;
CREATE TRIGGER column_of_run AFTER UPDATE OF state, visibility ON jobs_run FOR EACH ROW
    WHEN (NEW.subset IS NULL AND (OLD.visibility <> NEW.visibility
          OR OLD.state <> NEW.state AND NEW.state IN ('queued', 'cancelled')))
    EXECUTE FUNCTION crosstable_note_column();
"""
DROP_NOTE = """
DROP TRIGGER columns_of_new_runs ON jobs_run; DROP FUNCTION crosstable_note_columns();
DROP TRIGGER column_of_run ON jobs_run; DROP FUNCTION crosstable_note_column();
"""
# The version before marks a board stale and knows no columns: then all are to be read. It can be dropped one release
# after `stale_versions` came (migration 0007).
READ_ALL = """
CREATE FUNCTION crosstable_read_all_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.stale_versions := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER stale_without_columns BEFORE UPDATE OF stale_since ON leaderboards_leaderboard FOR EACH ROW
    WHEN (NEW.stale_since IS NOT NULL AND NEW.stale_since IS DISTINCT FROM OLD.stale_since
          AND NEW.stale_versions IS NOT DISTINCT FROM OLD.stale_versions)
    EXECUTE FUNCTION crosstable_read_all_columns();
"""
DROP_READ_ALL = """
DROP TRIGGER stale_without_columns ON leaderboards_leaderboard; DROP FUNCTION crosstable_read_all_columns();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0005_partial_runs"),
        ("leaderboards", "0007_stale_columns"),
    ]

    operations = [
        migrations.CreateModel(
            name="ColumnChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("team", models.BigIntegerField()),
                ("version", models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL(NOTE, DROP_NOTE),
        migrations.RunSQL(READ_ALL, DROP_READ_ALL),
    ]
