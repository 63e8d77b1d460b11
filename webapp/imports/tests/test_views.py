"""The pages of imports: what they show in each state, and the form that works without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from webapp.accounts.models import Team, User
from webapp.imports import work
from webapp.imports.models import Import
from webapp.imports.tests.files import as_csv, load, rows, upload
from webapp.jobs.models import Run


@pytest.fixture
def page(client: Client, bob: User) -> Any:
    """The text of a page as bob sees it."""
    client.force_login(bob)
    return lambda address: client.get(address).content.decode()


def test_the_list_invites_and_then_names_files(page: Any, bob: User, team: Team) -> None:
    assert "No imports yet" in page("/imports/")
    load(bob, team, as_csv(rows()))
    assert "scores.csv" in page("/imports/")
    assert "No import is in this state" in page("/imports/?state=failed")
    assert "scores.csv" in page("/imports/?state=nonsense")


def test_a_form_without_javascript_brings_the_whole_file(client: Client, bob: User, team: Team) -> None:
    client.force_login(bob)
    file = SimpleUploadedFile("scores.csv", as_csv(rows()))
    answer = client.post("/imports/new/", {"team": "lab", "visibility": "team", "file": file})
    job = Import.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/imports/{job.pk}/")
    assert (job.state, job.received, job.look) == ("queued", job.size, True)


@pytest.mark.parametrize(("name", "data"), [("scores.xlsx", b"x"), ("scores.csv", b"")])
def test_a_refused_file_is_said_at_its_field(name: str, data: bytes, client: Client, bob: User, team: Team) -> None:
    client.force_login(bob)
    answer = client.post("/imports/new/", {"team": "lab", "visibility": "team", "file": SimpleUploadedFile(name, data)})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["file"]


def test_a_file_that_was_read_shows_what_it_would_make(page: Any, bob: User, team: Team) -> None:
    job = upload(bob, team, as_csv(rows()), look=True)
    assert 'hx-trigger="every 1s"' in page(f"/imports/{job.pk}/state/")
    work.work_on(import_id=job.pk)
    text = page(f"/imports/{job.pk}/")
    for shown in ("Load 1 run", "acme/large", "acme-large@bf16", "riddles", "There already", "Cancel import"):
        assert shown in text
    assert "hx-trigger" not in text.partition('id="import_state"')[2].partition("</section>")[0]


def test_a_failed_file_shows_line_field_and_remedy(page: Any, bob: User, team: Team) -> None:
    job = load(bob, team, b"entry,benchmark,sample,score\na,b,0,nan\n")
    text = page(f"/imports/{job.pk}/")
    for shown in ("<dt>Line</dt><dd>2</dd>", "score", "This is not a finite number: “nan”.", "Import another file"):
        assert shown in text


def test_load_and_cancel_are_pressed_by_those_who_may(client: Client, bob: User, vera: User, team: Team) -> None:
    job = upload(bob, team, as_csv(rows()), look=True)
    work.work_on(import_id=job.pk)
    client.force_login(vera)
    assert "Load 1 run" not in client.get(f"/imports/{job.pk}/").content.decode()
    assert client.post(f"/imports/{job.pk}/load/").status_code == 403
    client.force_login(bob)
    assert client.post(f"/imports/{job.pk}/load/").status_code == 302
    assert client.post(f"/imports/{job.pk}/cancel/").status_code == 302
    assert Import.objects.get().state == "cancelled"


def test_the_page_of_an_imported_run_says_where_it_is_from(page: Any, bob: User, team: Team) -> None:
    job = load(bob, team, as_csv(rows()))
    run = Run.objects.get()
    text = page(f"/runs/{run.pk}/")
    for shown in ("imported, not run here", "Imported from scores.csv by bob on ", f"/imports/{job.pk}/", "not stated"):
        assert shown in text
    for gone in ("Run again", "Reproduce", "attempt 0 of"):
        assert gone not in text
    assert "Riddle 2?" in page(f"/runs/{run.pk}/samples/2/")
    for address in (
        f"/api/v1/runs/{run.pk}/",
        f"/entries/lab/{run.contender.version.entry.name}/",
        "/benchmarks/lab/riddles/",
    ):
        assert "acme-large" in page(address) or "riddles" in page(address)
