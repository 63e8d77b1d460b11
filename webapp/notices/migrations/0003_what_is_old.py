from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    atomic = False
    dependencies = [("notices", "0002_ended_indexes")]

    operations = [
        AddIndexConcurrently(
            "notice",
            models.Index(fields=["read_at"], condition=Q(read_at__isnull=False), name="notice_read"),
        ),
        AddIndexConcurrently(
            "notice",
            models.Index(fields=["created_at"], condition=Q(in_inbox=False, read_at=None), name="notice_outside"),
        ),
    ]
