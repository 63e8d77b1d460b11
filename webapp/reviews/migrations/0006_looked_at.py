from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("reviews", "0005_sample_comments")]

    operations = [
        migrations.AddField("review", "checked_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddIndex(
            "review",
            models.Index(
                models.OrderBy(models.F("checked_at"), nulls_first=True),
                "id",
                condition=models.Q(("state", "approved")),
                name="review_approved",
            ),
        ),
    ]
