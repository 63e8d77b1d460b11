from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "0007_endings")]

    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(fields=["team"], condition=models.Q(state__in=["queued", "running"]), name="run_under_way"),
        ),
        AddIndexConcurrently(
            "run",
            models.Index(
                fields=["team", "finished_at"], condition=models.Q(finished_at__isnull=False), name="run_ended"
            ),
        ),
    ]
