"""The way in over REST: in pieces, resumable, once, and closed to those who may not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from webapp.accounts.models import Team, User
from webapp.imports import services, work
from webapp.imports.models import Import, ImportChunk
from webapp.imports.tests.files import as_csv, load, rows, upload
from webapp.jobs.models import Run

DATA = as_csv(rows())
BEGIN: dict[str, Any] = {"team": "lab", "name": "scores.csv", "size": len(DATA)}
Client = Callable[[User | None], APIClient]


def begin(caller: APIClient, **more: Any) -> Any:
    return caller.post("/api/v1/imports/", {**BEGIN, **more})


def send(caller: APIClient, url: str, offset: int, data: bytes, kind: str = "application/offset+octet-stream") -> Any:
    return caller.patch(url, data, content_type=kind, headers={"Upload-Offset": str(offset)})


def test_a_file_goes_up_in_pieces_and_lands(api: Client, bob: User, team: Team) -> None:
    caller = api(bob)
    made = begin(caller)
    assert (made.status_code, made["Location"]) == (201, made.json()["url"])
    assert {"state": "uploading", "offset": 0, "kind": "csv"}.items() <= made.json().items()
    url = made.json()["url"]
    first = send(caller, url, 0, DATA[:100])
    assert (first.status_code, first["Upload-Offset"]) == (204, "100")
    assert send(caller, url, 100, DATA[100:], "application/octet-stream")["Upload-Offset"] == str(len(DATA))
    finished = caller.post(f"{url}finish/")
    assert (finished.status_code, finished.json()["state"]) == (202, "queued")
    work.work_on(import_id=made.json()["id"])
    told = caller.get(url).json()
    assert (told["state"], told["rows"], told["problem"]) == ("done", 4, {})
    assert told["runs"] == [Run.objects.get().pk]
    assert told["sha256"] == hashlib.sha256(DATA).hexdigest()


def test_a_wrong_offset_says_where_to_go_on(api: Client, bob: User, team: Team) -> None:
    caller = api(bob)
    url = begin(caller).json()["url"]
    send(caller, url, 0, DATA[:100])
    again = send(caller, url, 0, DATA[:100])
    assert (again.status_code, again["Upload-Offset"]) == (409, "100")
    assert again["Content-Type"] == "application/problem+json"
    early = caller.post(f"{url}finish/")
    assert (early.status_code, early.json()["detail"]) == (409, "The upload goes on at byte 100.")
    assert ImportChunk.objects.count() == 1


@pytest.mark.parametrize("offset", ["", "-1", "x", "1e3", "٣", "9" * 40])
def test_an_offset_is_a_number(offset: str, api: Client, bob: User, team: Team) -> None:
    caller = api(bob)
    url = begin(caller).json()["url"]
    answer = caller.patch(
        url,
        DATA,
        content_type="application/offset+octet-stream",
        headers={"Upload-Offset": offset.encode().decode("latin-1")},
    )
    assert answer.status_code == 400
    assert not ImportChunk.objects.exists()


def test_the_same_file_goes_on_where_it_stopped_without_its_address(api: Client, bob: User, team: Team) -> None:
    caller, digest = api(bob), hashlib.sha256(DATA).hexdigest()
    made = begin(caller, sha256=digest)
    send(caller, made.json()["url"], 0, DATA[:100])
    again = begin(caller, sha256=digest)
    assert (again.status_code, again.json()["id"], again.json()["offset"]) == (200, made.json()["id"], 100)


def test_known_bytes_are_answered_with_their_import(api: Client, bob: User, alice: User, team: Team) -> None:
    job = load(bob, team, DATA)
    known = begin(api(alice), sha256=hashlib.sha256(DATA).hexdigest())
    assert (known.status_code, known.json()["id"], known.json()["state"]) == (200, job.pk, "done")
    assert Import.objects.count() == 1


def test_known_bytes_are_imported_again_once_their_runs_are_gone(bob: User, team: Team) -> None:
    load(bob, team, DATA)
    Run.objects.all().delete()
    assert load(bob, team, DATA).state == "done"
    assert Run.objects.count() == 1


def test_more_bytes_than_announced_are_refused(api: Client, bob: User, team: Team) -> None:
    caller = api(bob)
    url = begin(caller, size=10).json()["url"]
    assert send(caller, url, 0, DATA).status_code == 422
    assert not ImportChunk.objects.exists()


def test_a_piece_is_bounded(api: Client, bob: User, team: Team, settings: Any) -> None:
    settings.IMPORT_CHUNK_BYTES = 50
    caller = api(bob)
    url = begin(caller).json()["url"]
    assert send(caller, url, 0, DATA[:51]).status_code == 413
    assert send(caller, url, 0, DATA[:50]).status_code == 204


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": 10**13}, "size"),
        ({"name": "scores.xlsx"}, "name"),
        ({"name": "  "}, "name"),
        ({"sha256": "abc"}, "sha256"),
        ({"kind": "pickle"}, "kind"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_imported_is_refused_at_once(
    more: dict[str, Any], field: str, api: Client, bob: User, team: Team
) -> None:
    answer = begin(api(bob), **more)
    assert answer.status_code in (400, 422)
    assert list(answer.json()["errors"]) == [field]


def test_a_look_stops_before_loading(api: Client, bob: User, team: Team) -> None:
    job = upload(bob, team, DATA, look=True)
    work.work_on(import_id=job.pk)
    caller, url = api(bob), f"/api/v1/imports/{job.pk}/"
    told = caller.get(url).json()
    assert (told["state"], told["summary"]["new_runs"], told["runs"]) == ("ready", 1, [])
    assert not Run.objects.exists()
    assert caller.post(f"{url}load/").json()["state"] == "queued"
    assert caller.post(f"{url}load/").status_code == 202
    work.work_on(import_id=job.pk)
    assert (caller.get(url).json()["state"], Run.objects.count()) == ("done", 1)


def test_a_cancelled_upload_forgets_its_bytes(api: Client, bob: User, team: Team) -> None:
    caller = api(bob)
    url = begin(caller).json()["url"]
    send(caller, url, 0, DATA[:100])
    for _ in range(2):
        assert caller.post(f"{url}cancel/").json()["state"] == "cancelled"
    assert not ImportChunk.objects.exists()
    assert send(caller, url, 100, DATA[100:]).status_code == 409
    assert caller.post(f"{url}load/").status_code == 409


def test_a_private_import_is_seen_by_its_author_and_owners(
    api: Client, bob: User, alice: User, rita: User, team: Team
) -> None:
    job = load(bob, team, DATA, visibility="private")
    url = f"/api/v1/imports/{job.pk}/"
    assert [api(user).get(url).status_code for user in (bob, alice, rita)] == [200, 200, 404]
    cache.clear()
    assert Run.objects.get().visibility == "private"


def test_strangers_do_not_see_the_file_of_public_runs(api: Client, bob: User, charlie: User, team: Team) -> None:
    job = load(bob, team, DATA, visibility="public")
    assert api(charlie).get(f"/api/v1/imports/{job.pk}/").status_code == 404
    assert api(None).get(f"/api/v1/runs/{Run.objects.get().pk}/").status_code == 200


def test_uploads_under_way_are_bounded(bob: User, team: Team, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "UPLOADS", 2)
    caller = api(bob)
    assert [begin(caller, name=f"{n}.csv").status_code for n in range(3)] == [201, 201, 409]
