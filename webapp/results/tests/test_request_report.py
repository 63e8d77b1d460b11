"""Asking for an analysis of a suite, a benchmark or chosen runs: who takes part, who is left out, and what comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Suite
from webapp.errors import DomainError, NotAllowed
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.results import candidates, reports
from webapp.results.candidates import Candidates
from webapp.results.models import Report
from webapp.tests import factories

HALF = [True, False, True, False]


@pytest.fixture
def runs(job: Job) -> list[Run]:
    """small on sums and written, large on sums alone."""
    return [factories.finish(rights) for rights in ([True] * 4, [True] * 4, HALF)]


def found(user: User, **asked: Any) -> Candidates:
    data = candidates.find(user, {key: str(value) for key, value in asked.items()})
    assert data is not None
    return candidates.candidates(user, data)


def ask(user: User, **asked: Any) -> Report:
    analysis, parameters = asked.pop("analysis", "multiplicity"), asked.pop("parameters", {})
    extra = {key: asked.pop(key) for key in ("contenders", "noise") if key in asked}
    return reports.request_analysis(
        actor=user, found=found(user, **asked), analysis=analysis, parameters=parameters, **extra
    )


def test_only_contenders_with_all_results_take_part(bob: User, suite: Suite, runs: list[Run]) -> None:
    rows = found(bob, suite=suite.pk)
    assert [row.name for row in rows.complete] == ["small@fp32"]
    assert rows.samples == 8
    assert [(row.name, row.missing) for row in rows.incomplete] == [("large@fp32", "written waits for a worker")]
    report = ask(bob, suite=suite.pk)
    assert report.inputs == {
        "runs": [runs[0].pk, runs[1].pk],
        "about": "Suite lab/basics",
        "left_out": ["large@fp32 (written waits for a worker)"],
    }
    assert report.title == "Predictive multiplicity: Suite lab/basics"


def test_one_benchmark_is_enough(bob: User, benchmark: BenchmarkVersion, runs: list[Run]) -> None:
    report = ask(bob, benchmark=benchmark.pk, parameters={"epsilon": 0.5})
    assert report.inputs["runs"] == [runs[2].pk, runs[0].pk]
    assert report.inputs["about"] == "Benchmark lab/sums v1"
    reports.compute_report(report_id=report.pk)
    report.refresh_from_db()
    assert report.state == "done", report.reason
    assert report.result["ambiguity"] == 0.5
    assert report.result["level_set"] == ["large@fp32", "small@fp32"]


def test_the_newest_run_counts_and_the_one_before_is_the_noise(
    alice: User, team: Team, entry: EntryVersion, suite: Suite, benchmark: BenchmarkVersion, runs: list[Run]
) -> None:
    factories.finish(HALF)  # large on written
    factories.job(alice, team, suite, [entry], settings={"repeat": 1})
    again = [factories.finish(rights) for rights in ([False, True, True, True], [True] * 4)]
    rows = found(alice, benchmark=benchmark.pk)
    small = next(row for row in rows.complete if row.name == "small@fp32")
    assert (small.runs, small.again) == ((again[0].pk,), (runs[0].pk,))
    assert rows.repeated == [small]
    report = ask(alice, benchmark=benchmark.pk, noise=small.pk)
    assert report.parameters["repeat"] == "small@fp32=small@fp32 again"
    reports.compute_report(report_id=report.pk)
    report.refresh_from_db()
    assert report.state == "done", report.reason
    assert report.result["noise_floor"] == 0.25
    assert report.result["contenders"] == ["large@fp32", "small@fp32"]
    with pytest.raises(DomainError) as refused:
        ask(alice, benchmark=benchmark.pk, noise=next(row.pk for row in rows.complete if row != small))
    assert refused.value.field == "noise"


def test_trials_and_private_runs_are_taken_only_by_name(
    bob: User, benchmark: BenchmarkVersion, runs: list[Run]
) -> None:
    Run.objects.filter(pk=runs[0].pk).update(settings={**runs[0].settings, "limit": 4})
    Run.objects.filter(pk=runs[2].pk).update(visibility="private", created_by=bob)
    assert found(bob, benchmark=benchmark.pk).rows == ()
    with pytest.raises(DomainError) as refused:
        ask(bob, benchmark=benchmark.pk)
    assert refused.value.field == "runs"
    report = ask(bob, runs=f"{runs[0].pk},{runs[2].pk}")
    assert (report.visibility, report.inputs["about"]) == ("private", "2 chosen runs")


def test_who_may_not_submit_asks_for_nothing(vera: User, charlie: User, suite: Suite, runs: list[Run]) -> None:
    with pytest.raises(NotAllowed):
        ask(vera, suite=suite.pk)
    for asked in ({"suite": suite.pk}, {"benchmark": runs[0].version_id}, {"runs": runs[0].pk}, {"suite": "x"}):
        with pytest.raises(DomainError) as refused:
            found(charlie, **asked)
        assert refused.value.status == 404


def test_a_public_suite_is_analysed_with_the_runs_of_ones_own_team(
    charlie: User, suite: Suite, runs: list[Run]
) -> None:
    Suite.objects.update(visibility="public")
    Run.objects.update(visibility="public")
    rows = found(charlie, suite=suite.pk)
    assert (rows.data.team.name, rows.rows) == ("charlie", ()), "the team that came with the account"
    with pytest.raises(DomainError):
        found(charlie, suite=suite.pk, team="lab")


def test_the_page_says_what_will_be_analysed(client: Client, bob: User, suite: Suite, runs: list[Run]) -> None:
    client.force_login(bob)
    assert "Choose an analysis and its data" in client.get("/reports/new/").content.decode()
    page = client.get(f"/reports/new/?analysis=multiplicity&suite={suite.pk}").content.decode()
    assert "1 complete" in page
    assert "8 of 2 benchmarks" in page
    assert "large@fp32: written waits for a worker" in page
    assert "Competitors are at most this much worse" in page
    assert client.get(f"/reports/new/?analysis=multiplicity&suite={suite.pk + 1000}").status_code == 404


def test_a_sent_form_leads_to_the_report(
    client: Client, bob: User, benchmark: BenchmarkVersion, runs: list[Run]
) -> None:
    client.force_login(bob)
    page = client.get(f"/reports/new/?analysis=multiplicity&benchmark={benchmark.pk}")
    body = {
        "analysis": "multiplicity",
        "benchmark": benchmark.pk,
        "epsilon": "0.05",
        "delta": "0.2",
        "metric": "accuracy",
    }
    chosen = [row.pk for row in page.context["found"].complete]
    assert client.post("/reports/new/", body).status_code == 422, "nobody is chosen"
    wrong = client.post("/reports/new/", {**body, "contenders": chosen, "epsilon": "-1"})
    assert wrong.status_code == 422
    answer = client.post("/reports/new/", {**body, "contenders": chosen[:1], "baseline": ""})
    report = Report.objects.get()
    assert answer["Location"] == f"/reports/{report.pk}/#main"
    assert report.inputs["about"] == "Benchmark lab/sums v1, 1 of 2 contenders"
    client.post("/reports/new/", {**body, "contenders": chosen})
    again = client.get(f"/reports/new/?analysis=multiplicity&benchmark={benchmark.pk}").content.decode()
    assert "Already there, on the same runs" in again
    assert "· epsilon 0.05</span>" in again


def test_nothing_complete_is_an_empty_state(client: Client, bob: User, suite: Suite, job: Job) -> None:
    client.force_login(bob)
    page = client.get(f"/reports/new/?analysis=swiss&data=suite-{suite.pk}").content.decode()
    assert "No contender has all its results here" in page


def test_rest_asks_for_the_same(
    api: Callable[..., APIClient], bob: User, vera: User, suite: Suite, runs: list[Run]
) -> None:
    client, body = api(bob), {"analysis": "multiplicity", "parameters": {"epsilon": 0.5}}
    answer = client.post("/api/v1/reports/", {**body, "suite": "lab/basics"}, format="json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["inputs"]["runs"] == [runs[0].pk, runs[1].pk]
    answer = client.post(
        "/api/v1/reports/", {**body, "benchmark": "lab/sums", "contenders": ["large@fp32"]}, format="json"
    )
    assert answer.json()["inputs"]["runs"] == [runs[2].pk]
    answer = client.post("/api/v1/reports/", {**body, "runs": [runs[2].pk, runs[0].pk]}, format="json")
    assert answer.json()["inputs"] == {"runs": [runs[2].pk, runs[0].pk], "about": "2 chosen runs", "left_out": []}
    for wrong, status in (
        ({}, 400),
        ({"suite": "lab/basics", "runs": [runs[0].pk]}, 400),
        ({"runs": [10**8]}, 404),
        ({"benchmark": "lab/sums", "contenders": ["nobody@fp32"]}, 422),
        ({"benchmark": "lab/sums", "noise": "large@fp32"}, 422),
    ):
        assert client.post("/api/v1/reports/", {**body, **wrong}, format="json").status_code == status, wrong
    assert api(vera).post("/api/v1/reports/", {**body, "suite": "lab/basics"}, format="json").status_code == 403


def test_boards_suites_and_benchmarks_lead_here(client: Client, vera: User, suite: Suite, board: Leaderboard) -> None:
    client.force_login(vera)
    page = client.get("/boards/lab/main/").content.decode()
    asked = f"/reports/new/?analysis=multiplicity&amp;suite={suite.pk}"
    assert f'href="{asked}&amp;team=lab"' in page
    assert f'href="/compare/?suite={suite.pk}"' in page
    assert "a benchmark with more samples weighs more" in page
    assert f'href="{asked}"' in client.get("/suites/lab/basics/").content.decode()
    version = BenchmarkVersion.objects.get(benchmark__name="sums")
    assert f"benchmark={version.pk}" in client.get("/benchmarks/lab/sums/").content.decode()
    client.logout()
    Leaderboard.objects.update(visibility="public")
    public = client.get("/boards/lab/main/").content.decode()
    assert "/compare/?suite=" in public
    assert "/reports/new/" not in public, "asking needs an account"
