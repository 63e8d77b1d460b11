import django.db.models.deletion
from django.db import migrations, models

# Named by Django when the table was made.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS catalog_sample_version_id_f89343d5"
MAKE = "CREATE INDEX CONCURRENTLY catalog_sample_version_id_f89343d5 ON catalog_sample (version_id)"


class Migration(migrations.Migration):

    atomic = False
    dependencies = [("catalog", "0008_contenders_of_variants")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(DROP, MAKE)],
            [
                migrations.AlterField(
                    "sample",
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="questions",
                        to="catalog.benchmarkversion",
                    ),
                )
            ],
        )
    ]
