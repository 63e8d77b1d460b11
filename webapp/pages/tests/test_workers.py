"""The workers' page, and what operators do there; the same by REST."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from webapp.accounts.models import AuditEvent, User
from webapp.jobs import leases
from webapp.jobs.leases import Usage
from webapp.jobs.models import Job, Run, Worker
from webapp.tests import factories

Api = Callable[[User | None], APIClient]


@pytest.fixture
def operator(charlie: User) -> User:
    charlie.is_staff = True
    charlie.save()
    return charlie


def test_the_demo_s_person_is_its_operator(client: Client, settings: Settings, db: None) -> None:
    person = User(username="demo", email="demo@example.org")
    person.set_unusable_password()
    person.save()
    worker = Worker.objects.get(name=factories.worker())
    client.force_login(person)
    assert client.post(f"/workers/{worker.pk}/pause/").status_code == 403
    settings.DEMO = True
    assert client.post(f"/workers/{worker.pk}/pause/").status_code == 302
    worker.refresh_from_db()
    assert worker.mode == "paused"
    assert client.get("/admin/").status_code == 302, "no staff: the tables stay closed"
    person.set_password("chosen by somebody who took the name")
    person.save()
    client.force_login(person)
    assert client.post(f"/workers/{worker.pk}/resume/").status_code == 403


def test_without_a_worker_the_page_says_how_to_start_one(client: Client, bob: User) -> None:
    client.force_login(bob)
    page = client.get("/workers/").content.decode()
    assert "python -m workers" in page
    assert "No run is waiting" in page


def test_it_shows_what_each_worker_does_and_has(client: Client, bob: User, job: Job) -> None:
    factories.worker("busy-one")
    leases.worker_alive("busy-one", Usage(total=8 * 2**30, free=2**30, rss=2**29, samples=300, seconds=600.0))
    factories.score(factories.claim("busy-one"), [True, False])
    client.force_login(bob)
    answer = client.get("/workers/")
    (row,) = answer.context["rows"]
    assert (row.condition, row.samples_per_minute, row.progress.done, row.progress.total) == ("busy", 30.0, 2, 4)
    page = answer.content.decode()
    assert "small@fp32 on sums" in page
    assert "8 GB" in page or "8.6 GB" in page
    assert "Pause" not in page, "bob looks after nothing"
    assert "<dt>PyTorch</dt><dd>2.13.0</dd>" in page


def test_a_run_of_others_is_not_named(client: Client, charlie: User, job: Job) -> None:
    factories.worker("busy-one")
    factories.claim("busy-one")
    client.force_login(charlie)
    page = client.get("/workers/").content.decode()
    assert "a run of another team" in page
    assert "small@fp32" not in page


def test_it_shows_the_queue_of_each_resource(client: Client, bob: User, job: Job) -> None:
    Run.objects.filter(contender__name="large@fp32").update(resource="gpu-24")
    factories.worker()
    client.force_login(bob)
    lanes = client.get("/workers/").context["lanes"]
    assert [(lane.resource, lane.waiting, lane.hands) for lane in lanes] == [("cpu", 2, 1), ("gpu-24", 2, 0)]
    assert all(lane.oldest >= 0 for lane in lanes)


def test_runs_that_only_a_paused_worker_could_take_ask_for_no_new_one(client: Client, operator: User, job: Job) -> None:
    factories.worker("w1")
    client.force_login(operator)
    page = client.post(f"/workers/{Worker.objects.get().pk}/pause/", follow=True).content.decode()
    assert "None: 1 paused or draining" in page
    assert "start one on" not in page


def test_a_paused_worker_takes_nothing_until_it_is_resumed(client: Client, operator: User, job: Job) -> None:
    factories.worker("w1")
    pk = Worker.objects.get().pk
    client.force_login(operator)
    page = client.post(f"/workers/{pk}/pause/", follow=True).content.decode()
    assert "w1 takes nothing new" in page
    assert "Paused by charlie." in page
    assert leases.claim(worker="w1", schemes=["fp32"]) is None
    assert leases.claim(worker="w2", schemes=["fp32"]) is not None
    factories.worker("w1")  # it starts again
    assert Worker.objects.get(name="w1").mode == "paused"
    assert leases.claim(worker="w1", schemes=["fp32"]) is None
    client.post(f"/workers/{pk}/resume/")
    assert leases.claim(worker="w1", schemes=["fp32"]) is not None
    told = AuditEvent.objects.filter(target="Worker w1").order_by("pk").values_list("verb", "actor_name")
    assert list(told) == [("paused worker", "charlie"), ("resumed worker", "charlie")]


def test_a_paused_worker_finishes_what_it_has(job: Job, operator: User, api: Api) -> None:
    factories.worker("w1")
    lease = factories.claim("w1")
    worker = Worker.objects.get()
    answer = api(operator).post(f"/api/v1/workers/{worker.pk}/drain/")
    assert (answer.status_code, answer.json()["mode"]) == (200, "draining")
    factories.score(lease, [True] * 4)
    assert leases.beat(lease) is False
    assert leases.worker_alive("w1") == "draining"


def test_pressing_twice_is_one_event(operator: User, api: Api, db: None) -> None:
    factories.worker("w1")
    pk = Worker.objects.get().pk
    for _ in range(2):
        assert api(operator).post(f"/api/v1/workers/{pk}/pause/").status_code == 200
    assert AuditEvent.objects.filter(verb="paused worker").count() == 1
    assert api(operator).post("/api/v1/workers/999999/pause/").status_code == 404


def test_only_operators_may(alice: User, api: Api) -> None:
    factories.worker("w1")
    pk = Worker.objects.get().pk
    assert api(alice).post(f"/api/v1/workers/{pk}/pause/").status_code == 403
    assert Worker.objects.get().mode == "working"


def test_a_worker_that_would_fail_everything_pauses_itself(job: Job) -> None:
    factories.worker("w1")
    leases.pause_myself(name="w1", reason="Its disk is full.")
    assert Worker.objects.values_list("mode", "mode_reason").get() == ("paused", "Its disk is full.")
    assert leases.claim(worker="w1", schemes=["fp32"]) is None
