"""A new version is rolled out beside the one before: its migrations must let that one go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import F
from django.db.models.functions import Now

from webapp.tests.migration_rules import SMALL, faults

# Up to these numbers nothing was in use yet. After the first release only new rows are added here, never raised.
BEFORE_THE_FIRST_RELEASE = {
    "accounts": 6, "catalog": 7, "imports": 1, "jobs": 6, "leaderboards": 5, "notices": 2, "pages": 1, "releases": 2,
    "results": 5, "reviews": 4, "searches": 1,
}  # fmt: skip
# What the rules refuse and the version before can bear all the same, with the reason. A column goes by a line here, a
# release after the code has stopped using it.
ACCEPTED = {
    "catalog.0008_contenders_of_variants: Remove constraint contender_once from model contender: "
    "the version before may name it in ON CONFLICT: stop that in one release, remove it in the next":
        "it names none, and makes no contenders that differ in their variant alone",
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
    new = [said for key, said in found.items() if key[1] > BEFORE_THE_FIRST_RELEASE.get(key[0], 0)]
    assert {fault for said in new for fault in said} == set(ACCEPTED), "deploy/README.md says how it is done"
    assert sum(map(len, found.values())) > 5, "the rules do find what was done before"


def test_the_small_tables_exist() -> None:
    from django.apps import apps

    assert {apps.get_model(name)._meta.label_lower for name in SMALL} == SMALL


def text(**more: object) -> models.CharField:
    return models.CharField(**{"max_length": 20, **more})


def before() -> ProjectState:
    state = ProjectState()
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("note", text(null=True)),
        ("kind", text(db_default="x")),
        ("name", text()),
    ]
    options = {"constraints": [models.UniqueConstraint(fields=["name"], name="once"), CHECK]}
    for table in ("Run", "Worker"):
        state.add_model(ModelState("jobs", table, list(fields), options))
    return state


CHECK = models.CheckConstraint(condition=models.Q(id__gt=0), name="positive")
INDEX = models.Index(fields=["note"], name="by_note")
NEXT = models.GeneratedField(expression=F("id") + 1, output_field=models.IntegerField(), db_persist=True)
TEAM = {"to": "accounts.team", "on_delete": models.CASCADE}


def sql(text: str) -> Operation:
    return migrations.RunSQL(text, migrations.RunSQL.noop)


def only_of_the_state(*operations: Operation) -> Operation:
    return migrations.SeparateDatabaseAndState(state_operations=operations)


def said(*operations: Operation, atomic: bool = True) -> str:
    migration = Migration("0009_attack", "jobs")
    migration.operations, migration.atomic = list(operations), atomic
    return " ".join(faults(migration, before()))


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (migrations.AddField("run", "more", text(default="x")), "db_default"),
        (migrations.AddField("run", "more", text(unique=True, null=True)), "AddIndexConcurrently"),
        (migrations.AddField("run", "more", models.ForeignKey(null=True, **TEAM)), "db_index=False"),
        (migrations.AddField("run", "more", models.UUIDField(db_default=RandomUUID())), "rewrites the table"),
        (
            migrations.AddField(
                "run",
                "more",
                models.GeneratedField(expression=F("id") + 1, output_field=models.IntegerField(), db_persist=True),
            ),
            "rewrites the table",
        ),
        (migrations.RemoveField("run", "note"), "remove it in the next"),
        (migrations.RenameField("run", "note", "remark"), "old name"),
        (migrations.RenameModel("Run", "Walk"), "db_table"),
        (migrations.AlterModelTable("run", "walk"), "old name"),
        (migrations.DeleteModel("Run"), "delete it in the next"),
        (migrations.AlterField("run", "note", text()), "still writes null"),
        (migrations.AlterField("run", "note", text(null=True, db_column="remark")), "old name"),
        (migrations.AlterField("run", "note", text(null=True, db_index=True)), "AddIndexConcurrently"),
        (migrations.AlterField("run", "note", models.IntegerField(null=True)), "rewrites the table"),
        (migrations.AlterField("run", "kind", text()), "keep its db_default"),
        (migrations.AddIndex("run", INDEX), "AddIndexConcurrently"),
        (migrations.RemoveIndex("run", "by_note"), "RemoveIndexConcurrently"),
        (migrations.AddConstraint("run", CHECK), "AddConstraintNotValid"),
        (migrations.RemoveConstraint("worker", "once"), "ON CONFLICT"),
        (migrations.AlterUniqueTogether("run", {("note", "kind")}), "AddIndexConcurrently"),
        (migrations.SeparateDatabaseAndState([migrations.DeleteModel("Run")]), "delete it in the next"),
        (migrations.SeparateDatabaseAndState([sql("ALTER TABLE jobs_run DROP COLUMN note")]), "still uses it"),
        (only_of_the_state(migrations.RemoveField("run", "name")), "this version inserts rows without it"),
        (sql("DROP TABLE jobs_run"), "still uses it"),
        (sql("ALTER TABLE jobs_worker DROP note"), "still uses it"),
        (sql("ALTER TABLE jobs_worker RENAME COLUMN note TO remark"), "old name"),
        (sql("alter table jobs_worker alter column note set not null"), "still writes null"),
        (sql("ALTER TABLE jobs_worker ALTER kind DROP DEFAULT"), "leaves it to the database"),
        (sql("ALTER TABLE jobs_worker ADD COLUMN more text NOT NULL"), "inserts rows without it"),
        (sql("ALTER TABLE jobs_worker ALTER note TYPE integer USING 1"), "rewrites the table"),
        (sql("SELECT 1; CREATE INDEX by_note ON jobs_run (note)"), "CREATE INDEX CONCURRENTLY"),
        (sql("DROP INDEX by_note"), "DROP INDEX CONCURRENTLY"),
        (sql("ALTER TABLE jobs_run ADD CONSTRAINT positive CHECK (id > 0)"), "NOT VALID"),
        (sql("UPDATE jobs_run SET note = 'x'"), "in batches"),
        (migrations.RunSQL([("DELETE FROM jobs_run WHERE note = %s", ["x"])]), "in batches"),
    ],
)
def test_what_would_stop_the_version_before_is_found(operation: Operation, words: str) -> None:
    assert words in said(operation)


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("run", "more", text(db_default="x")),
        migrations.AddField("run", "more", text(null=True)),
        migrations.AddField("run", "more", models.DateTimeField(db_default=Now())),
        migrations.AddField("run", "more", models.ForeignKey(null=True, db_index=False, **TEAM)),
        migrations.AddField("worker", "more", models.ForeignKey(null=True, **TEAM)),
        migrations.AlterField("run", "note", models.TextField(null=True)),
        migrations.AlterField("run", "note", text(null=True, help_text="x")),
        migrations.AlterField("run", "kind", text(null=True)),
        AddConstraintNotValid("run", CHECK),
        ValidateConstraint("run", "positive"),
        migrations.AddConstraint("worker", CHECK),
        migrations.AddIndex("worker", INDEX),
        migrations.RemoveConstraint("worker", "positive"),
        only_of_the_state(migrations.RemoveField("run", "note"), migrations.RemoveField("run", "kind")),
        sql("-- DROP TABLE jobs_run\nSELECT 1"),
        sql("CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN DROP TABLE jobs_run; END $$;"),
        sql("CREATE TRIGGER t AFTER UPDATE OF state ON jobs_run FOR EACH ROW EXECUTE FUNCTION f();"),
        sql("ALTER TABLE jobs_run ADD COLUMN more text NOT NULL DEFAULT 'x'"),
        sql("ALTER TABLE jobs_run ADD CONSTRAINT positive CHECK (note IS NOT NULL) NOT VALID"),
        sql("ALTER TABLE jobs_run DROP CONSTRAINT positive"),
        sql("ALTER TABLE jobs_run ALTER note DROP NOT NULL"),
        sql("CREATE INDEX by_note ON jobs_worker (note); UPDATE jobs_worker SET note = 'x'"),
        migrations.RunPython(migrations.RunPython.noop),
    ],
)
def test_what_the_version_before_can_bear_is_let_through(operation: Operation) -> None:
    assert said(operation) == ""


def test_what_depends_on_the_rest_of_its_migration_is_found() -> None:
    column, copy = migrations.AddField("run", "more", text(null=True)), migrations.RunPython(migrations.RunPython.noop)
    check, index = AddConstraintNotValid("run", CHECK), AddIndexConcurrently("run", INDEX)
    assert "a migration of its own" in said(column, copy)
    assert "a migration of its own" in said(check, ValidateConstraint("run", "positive"))
    assert "which is atomic" in said(column, index, atomic=False)
    assert "which is atomic" in said(sql("ALTER TABLE jobs_run ADD COLUMN more text"), atomic=False)
    assert said(index, RemoveIndexConcurrently("run", "by_note"), copy, atomic=False).count("which is atomic") == 0
    assert said(index, sql("DROP INDEX CONCURRENTLY by_kind"), atomic=False) == ""


def test_a_table_that_is_made_in_the_same_migration_is_nobodys_yet() -> None:
    table = migrations.CreateModel("Walk", [("id", models.BigAutoField(primary_key=True))])
    operations = migrations.AddField("walk", "kind", models.IntegerField(default=0)), migrations.AddIndex("walk", INDEX)
    assert said(table, *operations, sql("CREATE INDEX more ON jobs_walk (kind)")) == ""
