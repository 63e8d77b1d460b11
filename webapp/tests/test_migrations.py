"""A new version is rolled out beside the one before: its migrations must let that one go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from webapp.tests.migration_rules import LARGE, faults

# Up to these numbers nothing was in use yet. After the first release only new rows are added here, never raised.
BEFORE_THE_FIRST_RELEASE = {
    "accounts": 6, "catalog": 7, "imports": 1, "jobs": 6, "leaderboards": 5, "notices": 2, "pages": 1, "releases": 2,
    "results": 5, "reviews": 4, "searches": 1,
}  # fmt: skip


def in_order() -> Iterator[Migration]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    plan = loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True)
    yield from (loader.get_migration(*key) for key in plan)


def ours() -> dict[tuple[str, int], list[str]]:
    """(app, number) -> what is dangerous in it, of our own migrations."""
    state, found = ProjectState(), {}
    for migration in in_order():
        said = list(faults(migration, state))
        if migration.__module__.startswith("webapp."):
            found[migration.app_label, int(migration.name[:4])] = said
    return found


def test_new_migrations_can_be_applied_under_the_version_before() -> None:
    found = ours()
    new = {key: said for key, said in found.items() if key[1] > BEFORE_THE_FIRST_RELEASE.get(key[0], 0)}
    assert [fault for said in new.values() for fault in said] == [], "deploy/README.md says how it is done"
    assert sum(map(len, found.values())) > 5, "the rules do find what was done before"


def test_the_large_tables_exist() -> None:
    from django.apps import apps

    assert {apps.get_model(name)._meta.label_lower for name in LARGE} == LARGE


def before() -> ProjectState:
    state = ProjectState()
    fields = [("id", models.BigAutoField(primary_key=True)), ("note", models.CharField(max_length=20, null=True))]
    state.add_model(ModelState("jobs", "Run", fields))
    return state


CHECK = models.CheckConstraint(condition=models.Q(id__gt=0), name="positive")
INDEX = models.Index(fields=["note"], name="by_note")


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (migrations.AddField("run", "kind", models.CharField(max_length=9, default="x")), "db_default"),
        (migrations.AddField("run", "kind", models.CharField(max_length=9, db_default="x")), ""),
        (migrations.AddField("run", "kind", models.CharField(max_length=9, null=True)), ""),
        (migrations.RemoveField("run", "note"), "remove it in the next"),
        (migrations.RenameField("run", "note", "remark"), "old name"),
        (migrations.RenameModel("Run", "Walk"), "db_table"),
        (migrations.DeleteModel("Run"), "delete it in the next"),
        (migrations.AlterField("run", "note", models.CharField(max_length=20)), "still writes null"),
        (migrations.AlterField("run", "note", models.IntegerField(null=True)), "rewrites the table"),
        (migrations.AlterField("run", "note", models.TextField(null=True)), ""),
        (migrations.AlterField("run", "note", models.CharField(max_length=20, null=True, help_text="x")), ""),
        (migrations.AddIndex("run", INDEX), "AddIndexConcurrently"),
        (AddIndexConcurrently("run", INDEX), ""),
        (migrations.AddConstraint("run", CHECK), "AddConstraintNotValid"),
        (AddConstraintNotValid("run", CHECK), ""),
        (migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("run", "note")]), ""),
        (migrations.SeparateDatabaseAndState([migrations.DeleteModel("Run")]), "delete it in the next"),
    ],
)
def test_what_would_stop_the_version_before_is_found(operation: Operation, words: str) -> None:
    migration = Migration("0009_attack", "jobs")
    migration.operations = [operation]
    said = list(faults(migration, before()))
    assert words in " ".join(said)
    assert bool(said) == bool(words)


def test_a_table_that_is_made_in_the_same_migration_is_nobodys_yet() -> None:
    migration = Migration("0001_initial", "jobs")
    table = migrations.CreateModel("Run", [("id", models.BigAutoField(primary_key=True))])
    migration.operations = [table, migrations.AddField("run", "kind", models.IntegerField(default=0))]
    assert list(faults(migration, ProjectState())) == []
