"""What answers cost, over checkpoints that really answered: from priced entries to the page of a report."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from webapp.catalog.prices import set_expert_cost
from webapp.jobs.models import Run
from webapp.results import candidates
from webapp.results.models import Score
from webapp.results.reports import request_analysis
from webapp.results.selectors import report_context
from webapp.tests import factories
from workers import pipeline, tasks
from workers.presence import Presence
from workers.tests.conftest import Lab

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def this_process_is_a_worker() -> Iterator[None]:
    pipeline._me = pipeline.Me("here", "cpu", pipeline.offered_schemes("cpu"), Presence("here"))
    yield
    pipeline._me = None
    pipeline.stopping.clear()


def test_costs_of_tokens_that_were_really_counted_reach_the_page(lab: Lab) -> None:
    entries = {name: lab.entry(name) for name in ("tiny-xs", "tiny-s")}
    for version, usd in zip(entries.values(), (1, 4), strict=True):
        factories.price(lab.owner, version, input_usd=Decimal(usd), output_usd=Decimal(usd))
    version = factories.benchmark(lab.owner, lab.team, "sums", 40)
    set_expert_cost(actor=lab.owner, benchmark=version.benchmark, usd=Decimal("0.01"), source="An invoice")
    factories.job(lab.owner, lab.team, factories.suite(lab.owner, lab.team, "sums", [version]), list(entries.values()))
    while pipeline.evaluate_next():
        pass
    data = candidates.find(lab.owner, {"benchmark": str(version.pk)})
    assert data is not None
    found = candidates.candidates(lab.owner, data)
    report = request_analysis(actor=lab.owner, found=found, analysis="cost-of-pass", parameters={"bootstrap": 50})

    tasks.compute_report(report.pk)

    report.refresh_from_db()
    assert report.state == "done", report.reason
    drawn = report_context(report.pk)["costs"].result
    by_name = {one.name: one for one in drawn.contenders}
    least = []
    for run in Run.objects.select_related("contender"):
        one, scores = by_name[run.contender.name], list(Score.objects.filter(run=run).order_by("index"))
        assert all(score.cost_usd and score.tokens_in for score in scores)
        passes = sum(score.score >= 1 for score in scores)
        assert one.mean_cost == pytest.approx(sum(score.cost_usd or 0 for score in scores) / 40)
        assert one.accuracy == passes / 40
        least.append([(score.cost_usd or 0) if score.score >= 1 else 0.01 for score in scores])
    assert drawn.frontier_value == pytest.approx(sum(map(min, zip(*least, strict=True))) / 40)
    assert by_name["tiny-s@fp32"].mean_cost == pytest.approx(4 * by_name["tiny-xs@fp32"].mean_cost)
    assert drawn.expert_value == pytest.approx(0.01)
