from django.db import migrations, models

KINDS = [("done", "Done"), ("failed", "Failed"), ("cancelled", "Cancelled"), ("lost", "Its worker went silent")]
TOTAL = """
INSERT INTO jobs_endingtotal (kind, edge, count, microseconds)
SELECT kind, (SELECT min(edge) FROM unnest('{1,5,15,60,300,900,3600,14400,Infinity}'::float8[]) AS edge
              WHERE edge >= microseconds / 1e6) AS edge, count(*), sum(microseconds)
"""
# What the diaries tell. They repeat the reason when somebody else claims the run.
LOSSES = f"""{TOTAL} FROM (SELECT 'lost' AS kind, 0::bigint AS microseconds FROM jobs_runevent
    WHERE text LIKE '%was lost: no heartbeat%' AND state <> 'running') AS loss GROUP BY 1, 2"""  # noqa: S608
# Whoever ends a run, in whatever version, a row says so in the same transaction. The trigger comes first: it lets
# nobody write to runs until this migration is through, so that each ending is in the totals or in a row, never in both.
NOTE = """
CREATE FUNCTION crosstable_note_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_ending (kind, microseconds)
    VALUES (NEW.state, greatest(0, 1e6 * extract(epoch FROM NEW.finished_at - NEW.started_at))::bigint);
    RETURN NULL;
END $$;
CREATE TRIGGER run_ended AFTER UPDATE OF state ON jobs_run FOR EACH ROW
    WHEN (OLD.state = 'running' AND NEW.state IN ('done', 'failed', 'cancelled'))
    EXECUTE FUNCTION crosstable_note_ending();
"""
RUNS = f"""{TOTAL} FROM (
    SELECT state AS kind, (1e6 * extract(epoch FROM finished_at - started_at))::bigint AS microseconds FROM jobs_run
    WHERE state IN ('done', 'failed', 'cancelled') AND finished_at >= started_at
) AS run GROUP BY 1, 2"""  # noqa: S608
DROP = "DROP TRIGGER run_ended ON jobs_run; DROP FUNCTION crosstable_note_ending();"


class Migration(migrations.Migration):

    dependencies = [("jobs", "0006_queues_by_resource")]

    operations = [
        migrations.CreateModel(
            name="Ending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("microseconds", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="EndingTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("edge", models.FloatField()),
                ("count", models.BigIntegerField()),
                ("microseconds", models.BigIntegerField()),
            ],
            options={"constraints": [models.UniqueConstraint(fields=["kind", "edge"], name="ending_total_once")]},
        ),
        migrations.RunSQL(LOSSES, migrations.RunSQL.noop),
        migrations.RunSQL(NOTE, DROP),
        migrations.RunSQL(RUNS, migrations.RunSQL.noop),
    ]
