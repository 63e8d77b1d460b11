"""`manage.py migrate` at the end of its patience; `workers/tests/test_upgrade.py` has it beside the work of others."""

from __future__ import annotations

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from psycopg.sql import SQL, Identifier

from webapp.operations.management.commands import migrate


@pytest.mark.django_db(transaction=True)
def test_a_table_that_stays_in_use_is_waited_for_with_an_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The migration says what it waits for, changes nothing, and ends with the database's own words."""
    monkeypatch.setattr(migrate, "WAIT_SECONDS", 1)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(migrate, "PATIENCE", 0.5)
    known = connection.settings_dict
    with psycopg.connect(dbname=known["NAME"], host=known["HOST"], port=known["PORT"], user=known["USER"]) as other:
        # Whatever the newest migration of jobs changes, it has to wait.
        tables = [Identifier(name) for name in connection.introspection.table_names() if name.startswith("jobs_")]
        other.execute(SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(SQL(", ").join(tables)))
        with pytest.raises(OperationalError, match="lock timeout"):
            call_command("migrate", "jobs", "0011", verbosity=0)
    assert capsys.readouterr().err.count("tries again soon") == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM jobs_spendingtotal")
    assert connection.SchemaEditorClass is DatabaseSchemaEditor
    call_command("migrate", "--check", verbosity=0)
