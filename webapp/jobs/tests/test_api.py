"""REST of jobs, runs and workers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from webapp.accounts.models import Team, User
from webapp.catalog.models import Contender, EntryVersion, Suite
from webapp.jobs.models import Job, Run
from webapp.tests import factories

Api = Callable[..., APIClient]
JOBS = "/api/v1/jobs/"


@pytest.fixture
def body(suite: Suite, entry: EntryVersion) -> dict[str, Any]:
    return {"team": "lab", "entries": ["lab/small"], "schemes": ["fp32"], "suite": "lab/basics"}


def submit(client: APIClient, body: dict[str, Any], key: str = "") -> Any:
    return client.post(JOBS, body, headers={"Idempotency-Key": key} if key else {})


def test_submit_answers_at_once_with_the_jobs_address(api: Api, bob: User, body: dict[str, Any]) -> None:
    answer = submit(api(bob), body)
    assert answer.status_code == 202, answer.content
    job = Job.objects.get()
    assert answer["Location"] == f"http://testserver/api/v1/jobs/{job.pk}/"
    shown = api(bob).get(answer["Location"]).json()
    assert (shown["state"], shown["runs_total"], shown["suite"]) == ("queued", 2, "basics")
    assert shown["progress"] == {"done": 0, "total": 8, "seconds_left": None}
    assert shown["waiting"].startswith("No worker is running")
    assert shown["created_at"].endswith("Z")


def test_the_same_key_and_body_is_the_same_job(api: Api, bob: User, body: dict[str, Any]) -> None:
    key = str(uuid.uuid4())
    first, second = submit(api(bob), body, key), submit(api(bob), body, key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first["Location"] == second["Location"]
    assert "Idempotent-Replay" not in first
    assert second["Idempotent-Replay"] == "true"
    assert Job.objects.count() == 1
    reordered = dict(reversed(body.items()))
    assert submit(api(bob), reordered, key)["Location"] == first["Location"]


def test_the_same_key_with_another_body_is_refused(api: Api, bob: User, body: dict[str, Any]) -> None:
    submit(api(bob), body, "once")
    answer = submit(api(bob), {**body, "title": "Something else"}, "once")
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
    assert Job.objects.count() == 1


def test_a_key_belongs_to_its_person(api: Api, alice: User, bob: User, body: dict[str, Any]) -> None:
    assert submit(api(bob), body, "once")["Location"] != submit(api(alice), body, "once")["Location"]


def test_without_a_key_each_call_is_a_job_and_equal_runs_are_shared(api: Api, bob: User, body: dict[str, Any]) -> None:
    submit(api(bob), body)
    submit(api(bob), body)
    assert Job.objects.count() == 2
    assert Run.objects.count() == 2


def test_a_dry_run_plans_and_leaves_nothing_behind(api: Api, bob: User, body: dict[str, Any]) -> None:
    answer = submit(api(bob), {**body, "dry_run": True}, "once")
    assert answer.status_code == 200
    plan = answer.json()
    assert (plan["new"], plan["reused"], plan["samples"], plan["seconds"]) == (2, 0, 8, None)
    assert [(run["contender"], run["benchmark"]) for run in plan["runs"]] == [
        ("small@fp32", "sums"),
        ("small@fp32", "written"),
    ]
    assert not Job.objects.exists()
    assert not Run.objects.exists()
    assert not Contender.objects.exists()
    assert submit(api(bob), body, "once").status_code == 202, "a dry run does not use up the key"


def test_a_dry_run_knows_what_is_there_and_how_long_the_rest_takes(
    api: Api, bob: User, body: dict[str, Any], other_entry: EntryVersion
) -> None:
    submit(api(bob), body)
    run = factories.finish([True] * 4)
    plan = submit(api(bob), {**body, "entries": ["lab/small", "lab/large"], "dry_run": True}).json()
    assert (plan["new"], plan["reused"]) == (2, 2)
    assert plan["runs"][0]["existing"] == run.pk
    assert plan["runs"][0]["seconds"] == 0.0
    assert plan["runs"][2]["seconds"] == pytest.approx(run.seconds)
    assert plan["seconds"] is None, "nothing is known of the benchmark that never ran"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"entries": ["lab/none"]}, "entries"),
        ({"entries": []}, "entries"),
        ({"schemes": ["int99"]}, "schemes"),
        ({"suite": "lab/none"}, "suite"),
        ({"benchmarks": ["lab/sums"]}, "suite"),
        ({"team": "charlie"}, "team"),
        ({"settings": {"limit": 0}}, "settings"),
        ({"settings": {"warmth": 1}}, "settings"),
        ({"settings": {"temperature": 2.1}}, "settings"),
        ({"settings": {"attempts": 65, "temperature": 1}}, "settings"),
        ({"priority": 11}, "priority"),
        ({"max_seconds": 999_999}, "max_seconds"),
        ({"max_seconds": 604_800}, "max_seconds"),
        ({"visibility": "secret"}, "visibility"),
        ({"speed": "fast"}, "speed"),
    ],
)
def test_a_bad_request_names_the_field(
    api: Api, bob: User, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    for dry_run in (False, True):
        answer = submit(api(bob), {**body, **change, "dry_run": dry_run})
        assert answer.status_code in {400, 422}, answer.content
        assert list(answer.json()["errors"]) == [field]
        assert answer["Content-Type"] == "application/problem+json"
    assert not Job.objects.exists()
    assert not Contender.objects.exists()


def test_a_key_that_is_too_long_is_refused(api: Api, bob: User, body: dict[str, Any]) -> None:
    assert submit(api(bob), body, "k" * 101).status_code == 400


def test_benchmarks_can_be_named_without_a_suite(api: Api, bob: User, body: dict[str, Any]) -> None:
    del body["suite"]
    answer = submit(api(bob), {**body, "benchmarks": ["lab/written:1"], "settings": {"limit": 2}})
    assert answer.status_code == 202
    run = Run.objects.get()
    assert (str(run.version), run.total, run.settings["limit"]) == ("written v1", 2, 2)


def test_an_entry_named_twice_is_one_contender(api: Api, bob: User, body: dict[str, Any]) -> None:
    submit(api(bob), {**body, "entries": ["lab/small", "lab/small:1"], "schemes": ["fp32", "fp32"]})
    assert Run.objects.count() == 2


def test_viewers_and_reviewers_submit_nothing(api: Api, vera: User, rita: User, body: dict[str, Any]) -> None:
    for user in (vera, rita):
        for dry_run in (False, True):
            assert submit(api(user), {**body, "dry_run": dry_run}).status_code == 403
    assert not Job.objects.exists()


def test_jobs_are_listed_newest_first_and_paged_by_cursor(api: Api, bob: User, body: dict[str, Any]) -> None:
    for i in range(3):
        submit(api(bob), {**body, "title": f"Job {i}"})
    page = api(bob).get(f"{JOBS}?page_size=2").json()
    submit(api(bob), {**body, "title": "Job 3"})  # arrives between two pages and moves none of them
    rest = api(bob).get(page["next"]).json()
    assert [job["title"] for job in page["results"] + rest["results"]] == ["Job 2", "Job 1", "Job 0"]
    assert [job["title"] for job in api(bob).get(f"{JOBS}?q=Job 3").json()["results"]] == ["Job 3"]
    assert api(bob).get(f"{JOBS}?state=done").json()["results"] == []
    assert api(bob).get(f"{JOBS}?state=lost").status_code == 400
    assert api(bob).get(f"{JOBS}?cursor=nonsense").status_code == 404


def test_cancel_and_retry_are_safe_to_call_twice(api: Api, bob: User, job: Job) -> None:
    client, url = api(bob), f"{JOBS}{job.pk}/"
    assert [client.post(f"{url}cancel/").json()["state"] for _ in range(2)] == ["cancelled", "cancelled"]
    assert set(Run.objects.values_list("state", flat=True)) == {"cancelled"}
    assert [client.post(f"{url}retry/").json()["state"] for _ in range(2)] == ["queued", "queued"]
    assert set(Run.objects.values_list("state", flat=True)) == {"queued"}
    assert Run.objects.count() == 4


def test_only_those_who_may_submit_cancel(api: Api, vera: User, charlie: User, job: Job) -> None:
    for action in ("cancel", "retry"):
        assert api(vera).post(f"{JOBS}{job.pk}/{action}/").status_code == 403
        assert api(charlie).post(f"{JOBS}{job.pk}/{action}/").status_code == 404
        assert api().post(f"{JOBS}{job.pk}/{action}/").status_code == 401
    job.refresh_from_db()
    assert job.state == "queued"


def test_a_run_tells_its_place_its_diary_and_its_result(api: Api, bob: User, job: Job) -> None:
    client = api(bob)
    waiting = client.get(f"{JOBS}{job.pk}/runs/").json()["results"]
    assert [client.get(f"/api/v1/runs/{run['id']}/").json()["queue_position"] for run in waiting] == [4, 3, 2, 1]
    run = factories.finish([True, True, False, True])
    shown = client.get(f"/api/v1/runs/{run.pk}/").json()
    assert (shown["state"], shown["mean"], shown["done"], shown["queue_position"]) == ("done", 0.75, 4, None)
    assert shown["low"] < 0.75 < shown["high"]
    assert shown["provenance"]["harness"] == "lm-eval 0.4.13"
    assert (shown["contender"], shown["benchmark"], shown["benchmark_version"]) == ("small@fp32", "sums", 1)
    diary = client.get(f"/api/v1/runs/{run.pk}/events/").json()["results"]
    assert [event["state"] for event in diary] == ["running", "done"]
    assert [row["id"] for row in client.get("/api/v1/runs/?state=done").json()["results"]] == [run.pk]


def test_workers_are_told_to_people_who_signed_in(api: Api, bob: User, charlie: User, job: Job) -> None:
    factories.worker("worker-1")
    lease = factories.claim("worker-1")
    (mine,) = api(bob).get("/api/v1/workers/").json()
    assert (mine["name"], mine["busy"], mine["run"]) == ("worker-1", True, lease.run_id)
    (others,) = api(charlie).get("/api/v1/workers/").json()
    assert (others["busy"], others["run"]) == (True, None), "a stranger learns nothing of the run"
    assert api().get("/api/v1/workers/").status_code == 401


def test_what_a_person_may_not_see_is_not_there(api: Api, team: Team, charlie: User, job: Job) -> None:
    run = Run.objects.first()
    assert run is not None
    for url in (
        f"{JOBS}{job.pk}/",
        f"{JOBS}{job.pk}/runs/",
        f"/api/v1/runs/{run.pk}/",
        f"/api/v1/runs/{run.pk}/events/",
    ):
        assert api(charlie).get(url).status_code == 404
        assert api().get(url).status_code == 404
    assert api(charlie).get(JOBS).json()["results"] == []


def test_a_list_of_jobs_costs_a_fixed_number_of_queries(
    api: Api, bob: User, body: dict[str, Any], django_assert_max_num_queries: Any
) -> None:
    for i in range(6):
        submit(api(bob), {**body, "title": f"Job {i}"})
    client = api(bob)
    with django_assert_max_num_queries(4):
        assert len(client.get(JOBS).json()["results"]) == 6
