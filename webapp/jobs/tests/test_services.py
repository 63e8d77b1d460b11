"""Submitting, planning, reusing, cancelling and retrying jobs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import caches

from webapp.accounts.models import AuditEvent, Team, User
from webapp.accounts.selectors import visible
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, Contender, EntryVersion, Suite
from webapp.catalog.sources import SourceRequest
from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs import leases, planning, selectors, services
from webapp.jobs.models import Job, JobRun, Run
from webapp.jobs.services import JobRequest
from webapp.results.models import Score
from webapp.tests import factories


@pytest.fixture
def small(entry: EntryVersion) -> Contender:
    return catalog.contender(version=entry, scheme="fp32")


@pytest.fixture
def request_(small: Contender, benchmark: BenchmarkVersion, written: BenchmarkVersion) -> JobRequest:
    return JobRequest(contenders=[small], versions=[benchmark, written])


def change(request: JobRequest, **changes: Any) -> JobRequest:
    return JobRequest(**{**vars(request), **changes})


def submit(actor: User, team: Team, request: JobRequest) -> Job:
    return services.submit_job(actor=actor, team=team, request=request)[0]


def test_a_job_is_planned_into_queued_runs(bob: User, team: Team, request_: JobRequest) -> None:
    job = submit(bob, team, request_)
    assert [(str(run), run.state, run.total) for run in selectors.job_runs(job)] == [
        ("small@fp32 on sums v1", "queued", 4),
        ("small@fp32 on written v1", "queued", 4),
    ]
    assert (job.state, job.reason) == ("queued", "0 of 2 runs done, 0 running, 2 waiting.")
    assert job.title == "small@fp32 on sums"
    assert AuditEvent.objects.filter(verb="submitted", after={"runs": 2, "new": 2}).exists()


def test_workers_are_rung_once_it_is_committed(
    bob: User, team: Team, request_: JobRequest, django_capture_on_commit_callbacks: Any
) -> None:
    def doorbells(request: JobRequest) -> int:
        with django_capture_on_commit_callbacks() as callbacks:
            submit(bob, team, request)
        return sum("'evaluate'" in repr(callback) for callback in callbacks)

    assert doorbells(request_) == 0, "nobody is there to hear it"
    factories.worker()
    request_ = replace(request_, settings={"repeat": 1})
    assert doorbells(request_) == 0, "nobody was there a moment ago"
    caches["process"].clear()
    request_ = replace(request_, settings={"repeat": 2})
    assert doorbells(request_) == 2
    assert doorbells(request_) == 0, "everything is on its way already"


def test_identical_runs_are_reused_and_others_are_not(
    bob: User, team: Team, small: Contender, request_: JobRequest, other_entry: EntryVersion
) -> None:
    first = submit(bob, team, request_)
    large = catalog.contender(version=other_entry, scheme="fp32")
    second = submit(bob, team, change(request_, contenders=[small, large]))
    assert list(second.parts.order_by("pk").values_list("reused", flat=True)) == [True, True, False, False]
    assert set(first.runs.all()) < set(second.runs.all())
    for settings in ({"seed": 2}, {"limit": 2}, {"repeat": 1}, {"batch_size": 1}):
        fresh = submit(bob, team, change(request_, settings=settings))
        assert not fresh.parts.filter(reused=True).exists(), settings


def test_settings_at_their_defaults_leave_a_run_what_it_was(
    team: Team, entry: EntryVersion, written: BenchmarkVersion
) -> None:
    """Runs from before there were several attempts keep their identity: the sha256 of what was hashed then."""
    one = catalog.contender(version=entry, scheme="fp32")
    before = {"seed": 1234, "batch_size": 64, "limit": None, "repeat": 0}
    hashed = json.dumps([team.pk, one.pk, written.pk, before], sort_keys=True).encode()
    now = planning.clean_settings({})
    assert now == {**before, "attempts": 1, "temperature": 0.0}
    assert planning.identity(team, one, written, now) == hashlib.sha256(hashed).hexdigest()
    for other in ({"temperature": 0.5}, {"temperature": 0.5, "attempts": 2}):
        assert (
            planning.identity(team, one, written, planning.clean_settings(other)) != hashlib.sha256(hashed).hexdigest()
        )


def test_a_mixed_suite_answers_multiple_choice_once(bob: User, team: Team, request_: JobRequest) -> None:
    submit(bob, team, request_)
    several = submit(bob, team, change(request_, settings={"attempts": 5, "temperature": 0.7}))
    made = {part.run.version.kind: part for part in several.parts.select_related("run__version")}
    assert made["multiple_choice"].reused, "the same run as without attempts"
    assert not made["generation"].reused
    kept = made["generation"].run.settings
    assert (kept["attempts"], kept["temperature"]) == (5, 0.7)


@pytest.mark.parametrize(
    ("wanted", "field"), [({"attempts": 2, "temperature": 0.7}, "attempts"), ({"temperature": 0.7}, "temperature")]
)
def test_chance_is_refused_where_it_plays_no_part(
    bob: User, team: Team, request_: JobRequest, wanted: dict[str, Any], field: str
) -> None:
    choices = [version for version in request_.versions if version.kind == "multiple_choice"]
    with pytest.raises(Unprocessable, match="log-likelihoods") as refused:
        submit(bob, team, change(request_, versions=choices, settings=wanted))
    assert refused.value.field == field


def test_a_job_of_finished_runs_is_done_at_once(bob: User, team: Team, request_: JobRequest) -> None:
    submit(bob, team, request_)
    factories.finish([True] * 4)
    factories.finish([True] * 4)
    job = submit(bob, team, request_)
    assert (job.state, job.reason) == ("done", "All 2 runs are done.")
    assert job.finished_at is not None


def test_a_failed_run_is_not_reused(bob: User, team: Team, request_: JobRequest) -> None:
    submit(bob, team, request_)
    lease = factories.claim()
    leases.end(lease=lease, state="failed", reason="Out of memory.")
    job = submit(bob, team, request_)
    assert list(job.parts.order_by("pk").values_list("reused", flat=True)) == [False, True]


def test_another_team_reuses_nothing(bob: User, charlie: User, team: Team, request_: JobRequest) -> None:
    submit(bob, team, request_)
    own = Team.objects.get(name="charlie")
    job = submit(charlie, own, request_)
    assert not job.parts.filter(reused=True).exists()


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"limit": 0}, "limit"),
        ({"batch_size": 5000}, "batch_size"),
        ({"repeat": None}, "repeat"),
        ({"shots": 1}, "shots"),
        ({"attempts": 65, "temperature": 1.0}, "attempts"),
        ({"attempts": 2}, "temperature"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
    ],
)
def test_settings_out_of_bounds_are_named(wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(Unprocessable) as error:
        planning.clean_settings(wanted)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"contenders": []}, "contenders"), ({"versions": []}, "suite"), ({"max_seconds": -1}, "max_seconds")],
)
def test_an_empty_job_is_refused(
    bob: User, team: Team, request_: JobRequest, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Unprocessable) as error:
        submit(bob, team, change(request_, **changes))
    assert error.value.field == field
    assert not Job.objects.exists()


def test_only_submitters_submit(vera: User, rita: User, charlie: User, team: Team, request_: JobRequest) -> None:
    for user in (vera, rita, charlie):
        with pytest.raises(NotAllowed):
            submit(user, team, request_)
        with pytest.raises(NotAllowed):
            services.plan_job(actor=user, team=team, request=request_)


def endpoint(actor: User, team: Team, **more: str) -> Contender:
    source = SourceRequest("endpoint", "http://127.0.0.1:9/v1", endpoint_model="m", **more)
    version = catalog.register_entry(actor=actor, team=team, name="served", source=source)
    return catalog.contender(version=version, scheme="fp32")


@pytest.mark.parametrize(("style", "said"), [("chat", "chat endpoint"), ("completions", "has no tokenizer")])
def test_what_an_endpoint_cannot_answer_is_refused_at_submit(
    bob: User, team: Team, request_: JobRequest, settings: Any, style: str, said: str
) -> None:
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    served = endpoint(bob, team, endpoint_style=style)
    assert served.name == "served@served"
    with pytest.raises(Unprocessable, match=said):
        submit(bob, team, change(request_, contenders=[served]))
    generation = change(request_, contenders=[served], versions=request_.versions[1:])
    assert submit(bob, team, generation).runs.count() == 1


def test_another_teams_key_is_not_spent(
    bob: User, charlie: User, team: Team, request_: JobRequest, settings: Any
) -> None:
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    served = endpoint(bob, team, api_key="sk-1")
    job = change(request_, contenders=[served], versions=request_.versions[1:])
    with pytest.raises(Unprocessable, match="key of another team"):
        submit(charlie, Team.objects.get(name="charlie"), job)
    assert submit(bob, team, job).runs.count() == 1


def test_a_more_urgent_job_lifts_the_runs_it_shares(bob: User, team: Team, request_: JobRequest) -> None:
    submit(bob, team, request_)
    submit(bob, team, change(request_, priority=5))
    assert set(Run.objects.values_list("priority", flat=True)) == {5}


@pytest.mark.parametrize(
    ("first", "second", "seen"),
    [
        ("private", "team", "team"),
        ("private", "public", "public"),
        ("team", "public", "public"),
        ("public", "team", "public"),
        ("team", "private", "team"),
    ],
)
def test_who_sees_a_job_sees_the_runs_it_reuses(
    bob: User, team: Team, request_: JobRequest, first: str, second: str, seen: str
) -> None:
    submit(bob, team, change(request_, visibility=first))
    submit(bob, team, change(request_, visibility=second))
    assert set(Run.objects.values_list("visibility", flat=True)) == {seen}


def test_a_private_job_is_seen_by_its_author_and_owners(
    alice: User, bob: User, vera: User, team: Team, request_: JobRequest
) -> None:
    submit(bob, team, change(request_, visibility="private"))
    seen = {user.username: visible(Job.objects.all(), user).count() for user in (alice, bob, vera)}
    assert seen == {"alice": 1, "bob": 1, "vera": 0}


def test_cancel_stops_what_waits_and_asks_what_runs(bob: User, job: Job) -> None:
    lease = factories.claim()
    factories.score(lease, [True, True])
    services.cancel_job(actor=bob, job=job)
    states = dict(Run.objects.values_list("pk", "state"))
    assert states.pop(lease.run_id) == "running"
    assert set(states.values()) == {"cancelled"}
    assert leases.beat(lease) is True
    job.refresh_from_db()
    before = job.changes
    leases.end(lease=lease, state="cancelled", reason="Cancelled; the finished samples are kept.")
    job.refresh_from_db()
    assert (job.state, job.changes) == ("cancelled", before + 1), "its page learns that the last run has stopped"
    assert Score.objects.count() == 2


def test_cancel_leaves_what_another_job_needs(
    bob: User, alice: User, team: Team, request_: JobRequest, other_entry: EntryVersion
) -> None:
    mine = submit(bob, team, request_)
    large = catalog.contender(version=other_entry, scheme="fp32")
    both = submit(alice, team, change(request_, contenders=[*request_.contenders, large]))
    services.cancel_job(actor=alice, job=both)
    assert set(mine.runs.values_list("state", flat=True)) == {"queued"}
    assert set(Run.objects.filter(contender=large).values_list("state", flat=True)) == {"cancelled"}
    services.cancel_job(actor=bob, job=mine)
    assert set(Run.objects.values_list("state", flat=True)) == {"cancelled"}


def test_cancelling_a_finished_job_changes_nothing(bob: User, team: Team, request_: JobRequest) -> None:
    job = submit(bob, team, request_)
    factories.finish([True] * 4)
    factories.finish([True] * 4)
    assert services.cancel_job(actor=bob, job=job).state == "done"


def test_retry_queues_only_what_failed_and_keeps_its_samples(bob: User, job: Job) -> None:
    factories.finish([True] * 4)
    lease = factories.claim()
    factories.score(lease, [True, True])
    leases.end(lease=lease, state="failed", reason="Out of memory.")
    assert services.retry_job(actor=bob, job=job).state == "running"
    run = Run.objects.get(pk=lease.run_id)
    assert (run.state, run.done, run.finished_at) == ("queued", 2, None)
    assert run.reason == "Queued again by bob; 2 finished samples are kept."
    assert Run.objects.filter(state="done").count() == 1
    assert Run.objects.filter(state="queued").count() == 3


def test_retry_takes_the_twin_that_has_been_made_meanwhile(bob: User, team: Team, request_: JobRequest) -> None:
    job = submit(bob, team, request_)
    services.cancel_job(actor=bob, job=job)
    newer = submit(bob, team, request_)
    services.retry_job(actor=bob, job=job)
    assert set(job.runs.all()) == set(newer.runs.all())
    assert Run.objects.filter(state="cancelled").count() == 2
    assert list(job.parts.values_list("reused", flat=True)) == [True, True]


def test_retry_calls_back_a_run_that_has_not_stopped_yet(bob: User, job: Job) -> None:
    lease = factories.claim()
    services.cancel_job(actor=bob, job=job)
    services.retry_job(actor=bob, job=job)
    assert leases.beat(lease) is False


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"queued": 2}, "queued"),
        ({"queued": 1, "done": 1}, "running"),
        ({"running": 1, "failed": 1}, "running"),
        ({"done": 1, "failed": 1, "cancelled": 1}, "failed"),
        ({"done": 1, "cancelled": 1}, "cancelled"),
        ({"done": 2}, "done"),
    ],
)
def test_the_state_of_a_job_follows_from_its_runs(
    bob: User, team: Team, suite: Suite, entry: EntryVersion, counts: dict[str, int], state: str
) -> None:
    job = factories.job(bob, team, suite, [entry])
    job.runs.all().delete()
    for at, name in enumerate(name for name, n in counts.items() for _ in range(n)):
        version = suite.benchmarks.first()
        contender = Contender.objects.get()
        run = Run.objects.create(
            team=team, created_by=bob, contender=contender, version=version, identity=str(at), max_seconds=1,
            state=name, leased_until=job.created_at, mean=0.5,
        )  # fmt: skip
        JobRun.objects.create(job=job, run=run)
    services.settle(job)
    assert job.state == state
    assert (job.finished_at is not None) == (state in {"done", "failed", "cancelled"})


def test_the_plan_estimates_from_history(
    bob: User, team: Team, request_: JobRequest, other_entry: EntryVersion
) -> None:
    submit(bob, team, request_)
    first = factories.finish([True] * 4)
    large = catalog.contender(version=other_entry, scheme="fp32")
    cells = services.plan_job(actor=bob, team=team, request=change(request_, contenders=[large], settings={"limit": 2}))
    assert [cell.samples for cell in cells] == [2, 2]
    assert first.seconds == pytest.approx(0.4)
    assert cells[0].seconds == pytest.approx(0.2), "half the samples at the benchmark's speed"
    assert cells[1].seconds is None
