"""Reports through the tasks: a doorbell computes one, and the sweep rings for one whose doorbell was lost."""

from __future__ import annotations

from typing import Any

from webapp.bells import Bell
from webapp.results.models import Report
from webapp.tests import factories
from workers import tasks
from workers.tests.conftest import Lab


def test_a_report_whose_doorbell_was_lost_is_computed(lab: Lab, django_capture_on_commit_callbacks: Any) -> None:
    lab.job(lab.entry(), size=4)
    assert lab.suite is not None
    factories.finish([True, True, False, True])
    board = factories.refresh(factories.board(lab.owner, lab.team, "main", lab.suite))
    report = Report.objects.get(pk=factories.report(lab.owner, board).pk)
    Report.objects.filter(pk=report.pk).update(state="queued", result=None)

    with django_capture_on_commit_callbacks() as bells:
        tasks.sweep()
    assert Bell("compute_report", (report.pk,)) in factories.rung(bells)

    tasks.compute_report(report.pk)
    assert Report.objects.get(pk=report.pk).result == report.result
