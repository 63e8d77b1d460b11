"""The next version of Crosstable, made out of this one: code of its own, which needs migrations of its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings as conf
from django.db import connection

NUMBER = "9.9.0"
PARTS = ("evaluation", "webapp", "workers", "deploy", "templates", "static")
LEFT_OUT = shutil.ignore_patterns("tests", "checkpoints")
# Columns that the new code fills, and an index, each in the way that deploy/README.md asks for.
COLUMNS = """from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("jobs", "{before}")]
    operations = [
        migrations.AddField("run", "planned_by", models.CharField(max_length=20, null=True)),
        migrations.AddField("run", "release", models.CharField(max_length=20, db_default="")),
    ]
"""
INDEX = """from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

class Migration(migrations.Migration):
    atomic = False
    dependencies = [("jobs", "{before}")]
    operations = [AddIndexConcurrently("run", models.Index(fields=["release"], name="run_by_release"))]
"""
FIELDS = """
    planned_by = models.CharField(max_length=20, null=True)
    release = models.CharField(max_length=20, db_default="")
"""
BY_RELEASE = 'models.Index(fields=["release"], name="run_by_release"),'
# File, what stands there now, and what stands before it in the next version.
CHANGES = (
    ("evaluation/records.py", "from __future__", "# Another version of the science.\n"),
    ("webapp/jobs/models.py", "\n    # Attempt -> versions of what", FIELDS),
    ("webapp/jobs/models.py", 'models.Index(fields=["worker"]', BY_RELEASE),
    ("webapp/jobs/joining.py", "total=cell.samples", f'planned_by="{NUMBER}", '),
    ("webapp/jobs/leases.py", "software={**run.software", f'release="{NUMBER}", '),
    ("webapp/jobs/serializers.py", '"cost_usd", "partial",\n', '"planned_by", "release", '),
)


def next_version(folder: Path) -> Path:
    """The tree of its code."""
    for part in PARTS:
        shutil.copytree(conf.BASE_DIR / part, folder / part, ignore=LEFT_OUT)
    for file in ("manage.py", "pyproject.toml"):
        shutil.copy2(conf.BASE_DIR / file, folder)
    for file, place, words in CHANGES:
        text = (folder / file).read_text()
        assert text.count(place) == 1, f"{file} has changed: {place!r}"
        (folder / file).write_text(text.replace(place, words + place))
    project = folder / "pyproject.toml"
    project.write_text(re.sub(r'^version = ".*"', f'version = "{NUMBER}"', project.read_text(), flags=re.MULTILINE))
    _add_migrations(folder / "webapp/jobs/migrations")
    return folder


def _add_migrations(folder: Path) -> None:
    before = max(folder.glob("0*.py")).stem
    for name, text in (("what_ran_it", COLUMNS), ("run_by_release", INDEX)):
        following = f"{int(before[:4]) + 1:04}_{name}"
        (folder / f"{following}.py").write_text(text.format(before=before))
        before = following


@contextmanager
def taken_back() -> Iterator[None]:
    """The database of the tests is this version's again afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM django_migrations")
        last = cursor.fetchone()[0]
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE jobs_run DROP COLUMN IF EXISTS planned_by, DROP COLUMN IF EXISTS release")
            cursor.execute("DELETE FROM django_migrations WHERE id > %s", [last])
