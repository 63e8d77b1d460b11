"""Reports: asked for by those who may, computed once, never lost, and never silent about a failure."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import from_json, to_json
from evaluation.analyses.swiss import SwissParams, SwissResult
from evaluation.analyses.swiss import compute as play
from evaluation.tables import BenchmarkTable
from webapp.accounts.models import AuditEvent, Team, User
from webapp.bells import Bell
from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs.models import Job, Run
from webapp.results import reports, selectors
from webapp.results.models import Report, Score
from webapp.tests import factories

ALL, HALF = [True] * 4, [True, False] * 2


@pytest.fixture
def runs(job: Job) -> list[int]:
    """small is right on all, large on half, of both benchmarks."""
    return [factories.finish(rights).pk for rights in (ALL, ALL, HALF, HALF)]


def ask(actor: User, team: Team, runs: list[int], analysis: str = "swiss", **parameters: Any) -> Report:
    return reports.request_report(actor=actor, team=team, analysis=analysis, parameters=parameters, runs=runs)


def test_a_report_waits_with_all_its_parameters(
    bob: User, team: Team, runs: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as bells:
        report = ask(bob, team, runs, seed="7")
    assert (report.state, report.result, report.title) == ("queued", None, "Swiss-system tournament")
    assert report.parameters == to_json(SwissParams(seed=7))
    assert report.inputs["runs"] == runs
    assert factories.rung(bells) == [Bell("compute_report", (report.pk,))]
    event = AuditEvent.objects.latest("id")
    assert (event.verb, event.target) == ("requested", "Report Swiss-system tournament")


def test_a_computed_report_holds_what_the_analysis_says_of_these_runs(bob: User, team: Team, runs: list[int]) -> None:
    report = ask(bob, team, runs)
    assert reports.compute_report(report_id=report.pk) is True
    report.refresh_from_db()
    assert (report.state, report.attempt) == ("done", 1)
    assert report.seconds is not None
    assert report.finished_at is not None
    found = Run.objects.in_bulk(runs)
    mean = [[found[pk].mean for pk in row] for row in (runs[:2], runs[2:])]
    table = BenchmarkTable(("small@fp32", "large@fp32"), ("sums", "written"), mean)  # type: ignore[arg-type]
    assert report.result == to_json(play(table, SwissParams()))
    assert from_json(SwissResult, report.result).eliminations["0"].expected_points.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("key", [key for key, one in ANALYSES.items() if one.needs in reports.TABLES])
def test_every_analysis_makes_a_report(key: str, bob: User, team: Team, runs: list[int]) -> None:
    Score.objects.filter(run__in=runs).update(cost_usd=0.25)
    report = ask(bob, team, runs, analysis=key)
    assert reports.compute_report(report_id=report.pk) is True
    report.refresh_from_db()
    assert report.state == "done", report.reason


def test_what_was_rung_twice_is_computed_once(bob: User, team: Team, runs: list[int]) -> None:
    report = ask(bob, team, runs)
    assert reports.compute_report(report_id=report.pk) is True
    before = Report.objects.get()
    assert reports.compute_report(report_id=report.pk) is False
    assert reports.compute_report(report_id=report.pk + 1) is False, "gone"
    after = Report.objects.get()
    assert (after.changes, after.finished_at) == (before.changes, before.finished_at)


@pytest.mark.django_db(transaction=True)
def test_a_report_in_the_hands_of_another_worker_is_left_alone(bob: User, team: Team, runs: list[int]) -> None:
    report = ask(bob, team, runs)
    held, let_go = threading.Event(), threading.Event()

    def another_worker() -> None:
        with transaction.atomic():
            Report.objects.select_for_update().get(pk=report.pk)
            held.set()
            let_go.wait(20)
        connections.close_all()

    thread = threading.Thread(target=another_worker)
    thread.start()
    try:
        assert held.wait(20)
        assert reports.compute_report(report_id=report.pk) is False
    finally:
        let_go.set()
        thread.join()
    assert Report.objects.get(pk=report.pk).attempt == 0
    assert reports.compute_report(report_id=report.pk) is True, "its worker has let go"


def test_a_worker_that_dies_is_replaced_and_not_for_ever(
    bob: User, team: Team, runs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    report = ask(bob, team, runs)
    monkeypatch.setattr(reports, "computed", die)
    for attempt in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            reports.compute_report(report_id=report.pk)
        report.refresh_from_db()
        assert (report.state, report.attempt) == ("running", attempt)
    assert reports.compute_report(report_id=report.pk) is False
    report.refresh_from_db()
    assert report.state == "failed"
    assert report.reason.startswith("Its worker was lost 3 times.")


def test_the_sweep_rings_for_what_waits(
    bob: User, team: Team, runs: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    lost, done = ask(bob, team, runs), ask(bob, team, runs)
    reports.compute_report(report_id=done.pk)
    with django_capture_on_commit_callbacks() as bells:
        reports.ring_again()
    assert factories.rung(bells) == [Bell("compute_report", (lost.pk,))]


def test_an_error_of_the_data_is_the_reason(bob: User, team: Team, runs: list[int]) -> None:
    report = ask(bob, team, runs, rounds="sums;nonsense")
    reports.compute_report(report_id=report.pk)
    report.refresh_from_db()
    assert (report.state, report.result) == ("failed", None)
    assert report.reason == "Round 2 names the unknown benchmark “nonsense”. Known: sums, written."


def test_an_error_of_ours_gets_a_reference(
    bob: User, team: Team, runs: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: Any) -> None:
        raise ZeroDivisionError

    report = ask(bob, team, runs)
    monkeypatch.setattr(reports, "computed", break_down)
    reports.compute_report(report_id=report.pk)
    report.refresh_from_db()
    assert report.state == "failed"
    reference = report.reason.rpartition(" ")[2]
    assert reference in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"iterations": 1}, "iterations"),
        ({"missing": "zero"}, "missing"),
        ({"luck": 3}, "luck"),
        ({"iterations": 20_000_000, "orders": 1_000}, "iterations"),
    ],
)
def test_wrong_parameters_are_named(
    bob: User, team: Team, runs: list[int], parameters: dict[str, Any], field: str, settings: Any
) -> None:
    settings.REPORT_MAX_SECONDS = 1
    with pytest.raises(Unprocessable) as refused:
        ask(bob, team, runs, **parameters)
    assert refused.value.field == field
    assert not Report.objects.exists()


def test_only_finished_runs_of_the_team_are_analysed(
    bob: User, vera: User, charlie: User, team: Team, job: Job, runs: list[int]
) -> None:
    other = Run.objects.create(
        team=team, created_by=bob, contender=job.runs.first().contender, version=job.runs.first().version,
        identity="x", max_seconds=1,
    )  # fmt: skip
    for chosen in ([], [*runs, other.pk], [*runs, 10**6]):
        with pytest.raises(Unprocessable) as refused:
            ask(bob, team, chosen)
        assert refused.value.field == "runs"
    with pytest.raises(Unprocessable) as refused:
        ask(bob, team, runs, analysis="astrology")
    assert refused.value.field == "analysis"
    for stranger in (vera, charlie):
        with pytest.raises(NotAllowed):
            ask(stranger, team, runs)


def test_equal_names_are_told_apart() -> None:
    assert selectors.distinct([("a", "lab/a"), ("b", "lab/b"), ("a", "den/a")]) == ("lab/a", "b", "den/a")
    assert selectors.distinct([("a", "a v1", "x/a v1"), ("a", "a v2", "x/a v2")]) == ("a v1", "a v2")
