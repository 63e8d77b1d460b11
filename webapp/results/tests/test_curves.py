"""Running means: the numbers of the page, of its table and of REST are the same, and end in the run's own."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from django.urls import reverse

from webapp.jobs.models import Run
from webapp.results.curve_drawing import HIGH, LINE, TOP, plot
from webapp.results.curves import MOST, POINTS, Curve, Curves, Point, curves, job_curves
from webapp.tests import factories

RIGHTS = [True, False, True, True]


def test_a_running_run_counts_the_samples_that_it_has(job):
    lease = factories.claim()
    factories.score(lease, RIGHTS[:3])
    run = Run.objects.get(pk=lease.run_id)

    (curve,) = curves([run])

    assert [(point.n, point.mean) for point in curve.points] == [(1, 1.0), (2, 0.5), (3, pytest.approx(2 / 3))]
    assert (curve.state, curve.total) == ("running", 4)
    assert all(0 <= point.low <= point.mean <= point.high <= 1 for point in curve.points)


def test_samples_count_in_the_order_of_the_benchmark(job):
    lease = factories.claim()
    factories.score(lease, [True, True], start=2)
    factories.score(lease, [False, True])

    (curve,) = curves([Run.objects.get(pk=lease.run_id)])

    assert [point.mean for point in curve.points] == [0.0, 0.5, pytest.approx(2 / 3), 0.75]


def test_a_curve_ends_in_the_result_of_its_run(job):
    run = factories.finish(RIGHTS)

    last = curves([run])[0].points[-1]

    assert (last.n, last.mean, last.low, last.high) == (run.total, run.mean, run.low, run.high)


def test_a_sample_counts_when_all_of_its_attempts_are_there(alice, team, written, entry):
    drawn = factories.suite(alice, team, "drawn", [written])
    factories.job(alice, team, drawn, [entry], settings={"attempts": 2, "temperature": 1.0})
    lease = factories.claim()
    factories.score(lease, RIGHTS)

    assert curves([Run.objects.get(pk=lease.run_id)]) == []


def test_a_long_run_has_no_more_points_than_fit(alice, team, entry):
    version = factories.benchmark(alice, team, "long", 300)
    factories.job(alice, team, factories.suite(alice, team, "long", [version]), [entry])

    (curve,) = curves([factories.finish([True, False] * 150)])

    steps = [point.n for point in curve.points]
    assert (len(steps), steps[0], steps[-1]) == (POINTS, 1, 300)


def test_a_job_draws_what_runs_first_and_says_what_it_leaves_out(alice, team, suite, tmp_path):
    entries = [
        factories.entry(alice, team, f"e{i}", factories.checkpoint(tmp_path / f"{i}", width=i + 1)) for i in range(5)
    ]
    job = factories.job(alice, team, suite, entries)
    finished = [factories.finish(RIGHTS) for _ in range(MOST)]
    lease = factories.claim()
    factories.score(lease, RIGHTS[:2])

    found = job_curves(job)

    assert [curve.run for curve in found.curves] == sorted([*(run.pk for run in finished[1:]), lease.run_id])
    assert found.left_out == 1


def test_the_page_its_table_and_rest_have_the_same_numbers(client, api, alice, job):
    for _ in range(2):
        factories.finish(RIGHTS)
    client.force_login(alice)

    told = api(alice).get(reverse("api:job_curves", args=[job.pk])).json()
    page = client.get(reverse("results:job_curves", args=[job.pk])).content.decode()

    rows = re.findall(r'<th scope="row">(.*?)</th>' + 4 * r'<td class="num">(.*?)</td>', page)
    assert rows == [
        (
            f"{one['contender']} on {one['benchmark']}",
            str(at["n"]),
            *(f"{100 * at[key]:.1f}" for key in ("mean", "low", "high")),
        )
        for one in told["curves"]
        for at in one["points"]
    ]
    assert len(rows) == 2 * len(RIGHTS)
    assert page.count('data-mark data-tip="') == len(rows)
    run = told["curves"][0]["run"]
    assert api(alice).get(reverse("api:run_curve", args=[run])).json()["curves"] == told["curves"][:1]


def test_before_the_first_sample_nothing_is_drawn(client, alice, job):
    client.force_login(alice)

    page = client.get(reverse("results:job_curves", args=[job.pk])).content.decode()

    assert page.strip() == '<div id="job_curves"></div>'


def line_of(mean, *, total=100, last=50):
    points = [Point(n, mean, mean - 0.02, mean + 0.02) for n in range(1, last + 1)]
    return Curve(1, "a@fp32", "sums", "running", total, points)


def test_names_at_one_height_stand_a_line_apart_inside_of_the_plot():
    drawn = plot(Curves([line_of(0.5)] * MOST))

    labels = sorted(line.label for line in drawn.lines)
    assert all(later - earlier >= LINE - 0.1 for earlier, later in pairwise(labels))
    assert TOP - LINE <= labels[0] <= labels[-1] <= TOP + HIGH + LINE


def test_a_curve_grows_without_moving():
    before, after = (plot(Curves([line_of(0.5, last=last)])) for last in (30, 60))

    assert after.lines[0].line.startswith(before.lines[0].line)
    assert (before.across, before.up) == (after.across, after.up)
