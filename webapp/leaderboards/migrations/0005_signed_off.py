from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leaderboards', '0004_saved_views'),
    ]

    operations = [
        migrations.AddField(
            model_name='standing',
            name='signed_hash',
            field=models.CharField(blank=True, default='', max_length=64),
        ),
        migrations.AddField(
            model_name='standing',
            name='signed_off',
            field=models.PositiveBigIntegerField(null=True),
        ),
    ]
