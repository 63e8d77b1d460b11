from django.db import migrations

# Boards show the name, title, tags and team of an entry beside its cells, and none that is being deleted. Whoever changes
# that, in whatever version, raises the versions of the boards on which it stands, in one order.
RAISE = """
CREATE FUNCTION crosstable_raise_boards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leaderboards_leaderboard SET version = version + 1 WHERE id IN (
        SELECT id FROM leaderboards_leaderboard WHERE id IN (
            SELECT standing.leaderboard_id FROM was
            JOIN became ON became.id = was.id
            JOIN catalog_entryversion version ON version.entry_id = was.id
            JOIN catalog_contender contender ON contender.version_id = version.id
            JOIN leaderboards_standing standing ON standing.contender_id = contender.id
            WHERE ROW(was.name, was.title, was.tags, was.team_id, was.visibility = 'removed')
                IS DISTINCT FROM
                ROW(became.name, became.title, became.tags, became.team_id, became.visibility = 'removed'))
        ORDER BY id FOR NO KEY UPDATE);
    RETURN NULL;
END $$;
CREATE TRIGGER boards_of_entries AFTER UPDATE ON catalog_modelentry REFERENCING OLD TABLE AS was NEW TABLE AS became
    FOR EACH STATEMENT EXECUTE FUNCTION crosstable_raise_boards();
"""
DROP = "DROP TRIGGER boards_of_entries ON catalog_modelentry; DROP FUNCTION crosstable_raise_boards();"


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0010_calibration_sets_change_hands"),
        ("leaderboards", "0008_column_changes"),
    ]

    operations = [migrations.RunSQL(RAISE, DROP)]
