from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notices', '0003_what_is_old'),
    ]

    operations = [
        migrations.AlterField(
            model_name='notice',
            name='kind',
            field=models.CharField(choices=[('review_requested', 'Somebody asks for my review'), ('review_ruled', 'A ruling on a review that I asked for'), ('comment', 'A comment on a review of mine, or in a thread that I am in'), ('mention', 'Somebody mentions me in a comment'), ('review_stale', 'An approval that I asked for or gave no longer counts'), ('review_published', 'A review that I asked for or was asked for is published'), ('job_ended', 'A job of mine is done, failed or cancelled'), ('joined', 'Somebody joins a team by my invitation'), ('entry_deleted', 'An entry of a team of mine is deleted'), ('webhook_off', 'A webhook of a team that I own was switched off')], max_length=20),
        ),
        migrations.AlterField(
            model_name='preference',
            name='kind',
            field=models.CharField(choices=[('review_requested', 'Somebody asks for my review'), ('review_ruled', 'A ruling on a review that I asked for'), ('comment', 'A comment on a review of mine, or in a thread that I am in'), ('mention', 'Somebody mentions me in a comment'), ('review_stale', 'An approval that I asked for or gave no longer counts'), ('review_published', 'A review that I asked for or was asked for is published'), ('job_ended', 'A job of mine is done, failed or cancelled'), ('joined', 'Somebody joins a team by my invitation'), ('entry_deleted', 'An entry of a team of mine is deleted'), ('webhook_off', 'A webhook of a team that I own was switched off')], max_length=20),
        ),
    ]
