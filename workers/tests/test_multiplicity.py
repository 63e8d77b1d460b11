"""Who flips, over checkpoints that really answered: from a job's runs to the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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


def test_flips_between_two_checkpoints_are_counted_sample_by_sample(lab: Lab) -> None:
    entries = [lab.entry("tiny-xs"), lab.entry("tiny-s")]
    version = factories.benchmark(lab.owner, lab.team, "sums", 40)
    suite = factories.suite(lab.owner, lab.team, "sums", [version])
    factories.job(lab.owner, lab.team, suite, entries)
    while pipeline.evaluate_next():
        pass
    assert Run.objects.filter(state="done").count() == 2
    data = candidates.find(lab.owner, {"suite": str(suite.pk)})
    assert data is not None
    found = candidates.candidates(lab.owner, data)
    report = request_analysis(actor=lab.owner, found=found, analysis="multiplicity", parameters={"epsilon": 1.0})

    tasks.compute_report(report.pk)

    report.refresh_from_db()
    assert report.state == "done", report.reason
    first, second = (
        list(Score.objects.filter(run=run).order_by("index").values_list("choice", flat=True))
        for run in report.inputs["runs"]
    )
    flipped = sum(one != other for one, other in zip(first, second, strict=True)) / 40
    assert 0 < flipped < 1
    assert report.result["ambiguity"] == report.result["discrepancy"] == pytest.approx(flipped)
    assert report.result["n"] == 40
    assert 0 < report.result["probable"]["capacity"] < 1
    said = report_context(report.pk)["multiplicity"].verdict[0]
    assert f"answers {100 * flipped:.1f} % of the samples otherwise" in said
