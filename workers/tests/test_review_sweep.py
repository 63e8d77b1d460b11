"""The sweep takes back approvals of numbers that are no longer the latest."""

from __future__ import annotations

from webapp.jobs.models import Run
from webapp.reviews.models import Review
from webapp.tests import factories
from workers import tasks
from workers.tests.conftest import Lab


def test_an_approval_of_older_numbers_goes_back(lab: Lab) -> None:
    lab.job(lab.entry(), size=4)
    assert lab.suite is not None
    run = factories.finish([True, True, False, True])
    board = factories.refresh(factories.board(lab.owner, lab.team, "main", lab.suite))
    review = factories.review(lab.owner, factories.person("rita"), board, [run.pk])

    tasks.sweep()
    assert Review.objects.get(pk=review.pk).state == Review.State.APPROVED

    newer = Run.objects.get(pk=run.pk)
    newer.pk, newer.identity = None, "f" * 64
    newer.save()
    tasks.sweep()

    found = Review.objects.get(pk=review.pk)
    assert found.state == Review.State.IN_REVIEW
    assert "There are newer results of tiny-xs@fp32." in found.reason
