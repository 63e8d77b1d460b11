from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    atomic = False
    dependencies = [("jobs", "0010_newest_run_of_a_cell")]

    operations = [
        AddIndexConcurrently("run", models.Index(fields=["worker"], condition=Q(state="done"), name="run_done_by")),
        AddIndexConcurrently("runevent", models.Index(fields=["at"], name="run_event_at")),
    ]
