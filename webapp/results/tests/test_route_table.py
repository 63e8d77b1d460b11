"""What a router is told of finished runs."""

from __future__ import annotations

import pytest

from evaluation.analyses import ANALYSES
from webapp.accounts.models import User
from webapp.catalog.models import EntryVersion
from webapp.errors import Unprocessable
from webapp.jobs.models import Job, Run
from webapp.results.reports import compute_report, request_report
from webapp.results.route_table import route_table
from webapp.tests import factories


@pytest.fixture
def runs(job: Job, entry: EntryVersion, alice: User) -> list[Run]:
    factories.price(alice, entry)
    return [
        factories.finish(rights) for rights in ([True, False] * 2, [True] * 4, [False] * 4, [True, True, False, False])
    ]


def test_scores_prompts_and_confidence_meet_sample_by_sample(runs: list[Run]) -> None:
    one = [run.pk for run in runs if run.version.benchmark.name == "sums"]
    table = route_table(one)
    assert table.samples == tuple(f"sums:{at}" for at in range(4))
    assert table.prompts[1] == "Q: 1+1\nA:"
    assert table.categories == ("sums",) * 4
    right = dict(zip(table.contenders, table.score.tolist(), strict=True))
    for run in runs:
        if run.pk in one:
            assert right[run.contender.name] == list(run.scores.order_by("index").values_list("score", flat=True))
    assert table.confidence is not None
    assert ((table.confidence > 0) & (table.confidence < 1)).all()


def test_a_contender_without_a_price_has_no_cost(runs: list[Run]) -> None:
    table = route_table([run.pk for run in runs])
    assert table.lacking == ("large@fp32",)


def test_a_report_says_what_is_lacking(runs: list[Run], bob: User) -> None:
    asked = request_report(
        actor=bob, team=runs[0].team, analysis="routing", parameters={}, runs=[run.pk for run in runs]
    )
    compute_report(report_id=asked.pk)
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert "large@fp32" in asked.reason


def test_a_report_routes(runs: list[Run], bob: User, alice: User, other_entry: EntryVersion) -> None:
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(cost_usd=None)
    for run in runs:
        run.scores.update(cost_usd=0.25 if run.contender.name.startswith("large") else 0.5)
    asked = request_report(
        actor=bob, team=runs[0].team, analysis="routing", parameters={"resamples": 100}, runs=[run.pk for run in runs]
    )
    compute_report(report_id=asked.pk)
    asked.refresh_from_db()
    assert asked.state == "done", asked.reason
    assert {place["contender"] for place in asked.result["pareto"]} <= {"small@fp32", "large@fp32"}
    assert asked.result["n"] == 8


def test_what_is_not_computed_from_runs_is_refused(runs: list[Run], bob: User) -> None:
    assert ANALYSES["linear-multiplicity"].needs == "features"
    with pytest.raises(Unprocessable):
        request_report(actor=bob, team=runs[0].team, analysis="linear-multiplicity", parameters={}, runs=[runs[0].pk])
