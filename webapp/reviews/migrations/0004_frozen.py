"""Keep what runs said when they were frozen; of reviews that are there, what they say now."""

from django.db import migrations, models


def freeze(apps, schema_editor):
    Review, Run = apps.get_model("reviews", "Review"), apps.get_model("jobs", "Run")
    for review in Review.objects.all():
        rows = Run.objects.filter(pk__in=review.runs).select_related("contender__version__entry", "version__benchmark")
        review.frozen = [
            {
                "id": run.pk,
                "contender": run.contender.name,
                "benchmark": f"{run.version.benchmark.name} v{run.version.number}",
                "benchmark_hash": run.version.content_hash,
                "samples": run.done,
                "mean": run.mean,
                "identity": run.identity,
            }
            for run in rows.order_by("pk")
        ]
        review.save(update_fields=["frozen"])


class Migration(migrations.Migration):

    dependencies = [
        ('reviews', '0003_changes'),
        ('jobs', '0003_unit_prices_stay'),
    ]

    operations = [
        migrations.AddField(
            model_name='review',
            name='frozen',
            field=models.JSONField(default=list),
        ),
        migrations.RunPython(freeze, migrations.RunPython.noop),
    ]
