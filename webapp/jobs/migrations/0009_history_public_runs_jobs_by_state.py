from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    atomic = False
    dependencies = [("jobs", "0008_runs_of_now_and_of_a_month")]

    operations = [
        AddIndexConcurrently(
            "run", models.Index(fields=["version", "-id"], condition=Q(state="done"), name="run_history")
        ),
        AddIndexConcurrently(
            "run", models.Index(fields=["-id"], condition=Q(visibility="public"), name="run_public")
        ),
        AddIndexConcurrently("job", models.Index(fields=["state", "-id"], name="job_by_state")),
    ]
