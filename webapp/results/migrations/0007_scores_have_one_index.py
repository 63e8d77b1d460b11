import django.db.models.deletion
from django.db import migrations, models

# Named by Django when the table was made.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS results_score_run_id_88e48259"
MAKE = "CREATE INDEX CONCURRENTLY results_score_run_id_88e48259 ON results_score (run_id)"


class Migration(migrations.Migration):

    atomic = False
    dependencies = [("jobs", "0009_history_public_runs_jobs_by_state"), ("results", "0006_measurement_lease")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(DROP, MAKE)],
            [
                migrations.AlterField(
                    "score",
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scores",
                        to="jobs.run",
                    ),
                )
            ],
        )
    ]
