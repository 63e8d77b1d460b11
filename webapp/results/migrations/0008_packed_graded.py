from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("results", "0007_scores_have_one_index")]

    operations = [
        AddIndexConcurrently(
            "packedscores",
            models.Index(fields=["run"], condition=~models.Q(dtype="u1"), name="packed_graded"),
        ),
    ]
