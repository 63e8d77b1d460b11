"""What others do while a file is being read: equal runs of two files join, and a name that was taken is left alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from evaluation.importing.survey import Survey
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import EntryVersion, ModelEntry
from webapp.catalog.sources import SourceRequest
from webapp.errors import Conflict
from webapp.imports import planning, services, work
from webapp.imports.models import Import, ImportProgress
from webapp.imports.tests.files import as_csv, load, rows, upload
from webapp.jobs.models import Run
from webapp.tests import factories
from workers.tests.conftest import wait_until

Elsewhere = Callable[..., "Future[Any]"]


@pytest.fixture
def elsewhere() -> Any:
    """Runs a function in a thread with a connection of its own."""

    def run(call: Callable[..., Any], **given: Any) -> Any:
        try:
            return call(**given)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        yield lambda call, **given: pool.submit(run, call, **given)


@pytest.fixture
def after_planning(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Lets something happen once, between the first plan and what it makes."""

    def happen(then: Callable[[], Any]) -> None:
        plan, pending = planning.plan, [then]

        def planned(team: Team, found: Survey) -> planning.Plan:
            made = plan(team, found)
            if pending:
                pending.pop()()
            return made

        monkeypatch.setattr(planning, "plan", planned)

    return happen


@pytest.mark.django_db(transaction=True)
def test_equal_runs_of_two_files_at_once_are_one(
    bob: User, team: Team, elsewhere: Elsewhere, after_planning: Any
) -> None:
    first, second = (upload(bob, team, as_csv(found), name="a.csv") for found in (rows(), rows()[::-1]))
    other: list[Future[Any]] = []

    def begin_the_other() -> None:
        other.append(elsewhere(work.work_on, import_id=second.pk))
        with pytest.raises(TimeoutError):
            other[0].result(timeout=1.0)

    after_planning(begin_the_other)
    work.work_on(import_id=first.pk)
    other[0].result(timeout=20)
    told = dict(Import.objects.values_list("pk", "reason"))
    assert told == {first.pk: "1 runs with 4 rows.", second.pk: "0 runs with 4 rows. 1 were there already."}
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_another_import_can_be_cancelled(
    bob: User, team: Team, elsewhere: Elsewhere, after_planning: Any
) -> None:
    first, second = (upload(bob, team, as_csv(rows([n, 1]))) for n in (0, 1))

    def cancel_the_other() -> None:
        waits = elsewhere(work.work_on, import_id=second.pk)
        told: QuerySet[ImportProgress] = ImportProgress.objects.filter(owner=second, step="loading")
        wait_until(told.exists)
        elsewhere(services.cancel_import, actor=bob, job=second).result(timeout=20)
        waits.result(timeout=20)

    after_planning(cancel_the_other)
    work.work_on(import_id=first.pk)
    assert dict(Import.objects.values_list("pk", "state")) == {first.pk: "done", second.pk: "cancelled"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["entry", "benchmark"])
def test_a_name_that_is_taken_meanwhile_is_left_to_its_owner(
    bob: User, team: Team, tmp_path: Path, elsewhere: Elsewhere, after_planning: Any, what: str
) -> None:
    def register() -> None:
        if what == "entry":
            factories.entry(bob, team, "acme-large", factories.checkpoint(tmp_path / "small"))
        else:
            factories.benchmark(bob, team, "riddles")

    after_planning(lambda: elsewhere(register).result(timeout=20))
    job = load(bob, team, as_csv(rows()))
    assert job.state == "done", job.reason
    run = Run.objects.get()
    made = {"entry": run.contender.version.entry.name, "benchmark": run.version.benchmark.name}
    usual = {"entry": "acme-large", "benchmark": "riddles"}
    assert made == usual | {what: f"{usual[what]}-imported"}
    assert [cell["contender"] for cell in job.summary["cells"]] == [run.contender.name]


def test_whose_names_are_taken_again_and_again_is_told_so(
    bob: User, team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.entry(bob, team, "acme-large", factories.checkpoint(tmp_path / "small"))
    real = planning.names_of_entries
    monkeypatch.setattr(planning, "names_of_entries", lambda *_: set())  # as if it came after each plan
    assert real(team, ["acme-large"])
    job = load(bob, team, as_csv(rows()))
    assert (job.state, job.problem["field"]) == ("failed", "entry")
    assert job.reason == (
        "The team got the entry acme-large while the file was being read. "
        "Import the file again: what it holds then gets another name. Nothing of it was kept."
    )
    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_register_one_name_at_once_are_told_apart(
    bob: User, team: Team, entry: EntryVersion, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = ModelEntry.full_clean
    pending = [elsewhere]

    def register() -> EntryVersion:
        source = SourceRequest(source="directory", location=entry.location)
        return catalog.register_entry(actor=bob, team=team, name="twin", source=source)

    def slow_clean(row: ModelEntry, *args: Any, **more: Any) -> None:
        clean(row, *args, **more)
        if pending:
            pending.pop()(register).result(timeout=20)

    monkeypatch.setattr(ModelEntry, "full_clean", slow_clean)
    with pytest.raises(Conflict, match="an entry of this name"):
        register()
    assert ModelEntry.objects.filter(name="twin").count() == 1


def test_a_version_after_an_imported_one_gets_the_next_number(bob: User, team: Team, entry: EntryVersion) -> None:
    load(bob, team, as_csv(rows(version=2)))
    imported = ModelEntry.objects.get(name="acme-large")
    assert imported.versions.get().number == 2
    source = SourceRequest(source="directory", location=entry.location)
    assert catalog.add_entry_version(actor=bob, entry=imported, source=source).number == 3
