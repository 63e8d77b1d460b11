from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    atomic = False
    dependencies = [("jobs", "0009_history_public_runs_jobs_by_state")]

    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(
                fields=["version", "contender", "-id"],
                include=["team", "visibility", "created_by"],
                condition=Q(state="done", subset=None),
                name="run_newest",
            ),
        ),
    ]
