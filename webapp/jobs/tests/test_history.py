"""What is read of runs that are over: little, however many there are, and the same as all of them would say."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import usual_team
from webapp.accounts.services import create_team, record
from webapp.catalog.models import EntryVersion, Suite
from webapp.jobs import estimates, selectors
from webapp.jobs.models import Job, Run
from webapp.prepared import Prepared
from webapp.tests import factories

ALL_RIGHT = [True] * 4


def test_what_is_usual_of_a_benchmark_is_told_by_its_newest_runs(
    alice: User,
    team: Team,
    suite: Suite,
    entry: EntryVersion,
    other_entry: EntryVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(estimates, "NEWEST", 2)
    monkeypatch.setattr(estimates, "_benchmarks", Prepared(estimates._of_benchmarks, [-1]))  # its SQL is made once
    versions = [item.version for item in suite.items.select_related("version")][:1]
    for repeat, seconds in enumerate((400.0, 4.0, 8.0)):
        factories.job(alice, team, suite, [entry], settings={"repeat": repeat})
        run = Run.objects.filter(state=Run.State.QUEUED, version=versions[0]).get()
        Run.objects.filter(pk=run.pk).update(priority=9)
        assert factories.finish(ALL_RIGHT).pk == run.pk
        Run.objects.filter(pk=run.pk).update(seconds=seconds)
    job = factories.job(alice, team, suite, [other_entry])
    new = next(run.contender for run in selectors.job_runs(job))
    found = estimates.rates([run.contender, new], versions)
    assert found[new.pk, versions[0].pk].seconds == pytest.approx((4 + 8) / 2 / 4), "of the two newest"
    assert found[run.contender_id, versions[0].pk].seconds == pytest.approx((400 + 4 + 8) / 3 / 4), "of its own, all"


def test_a_run_that_lacks_a_measure_is_helped_out_by_others(
    alice: User, team: Team, suite: Suite, entry: EntryVersion, other_entry: EntryVersion
) -> None:
    """An imported run has a duration, perhaps, and no tokens."""
    factories.job(alice, team, suite, [entry, other_entry])
    runs = [factories.finish(ALL_RIGHT) for _ in range(4)]
    first, other = [run for run in runs if run.version == runs[0].version]
    Run.objects.filter(pk=first.pk).update(tokens_in=None)
    found = estimates.rates([first.contender], [first.version])[first.contender_id, first.version_id]
    assert (found.tokens_in, found.tokens_out) == (other.tokens_in / 4, 1.0)


def test_a_finished_job_asks_no_history(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    job = factories.job(alice, team, suite, [entry])
    with CaptureQueriesContext(connection) as waiting:
        selectors.job_progress(job, selectors.job_runs(job))
    for _ in range(2):
        factories.finish(ALL_RIGHT)
    rows = selectors.job_runs(job)
    with CaptureQueriesContext(connection) as over:
        progress = selectors.job_progress(job, rows)
    assert any("AVG" in query["sql"] for query in waiting)
    assert not any("AVG" in query["sql"] for query in over)
    assert (progress.done, progress.total, progress.seconds_left) == (8, 8, 0.0)


def test_jobs_are_counted_with_their_runs(
    alice: User, team: Team, suite: Suite, entry: EntryVersion, other_entry: EntryVersion
) -> None:
    factories.job(alice, team, suite, [entry, other_entry])
    factories.finish(ALL_RIGHT)
    factories.claim()
    Job.objects.create(title="Empty", team=team, created_by=alice)
    empty, job = selectors.jobs(alice)
    assert (job.runs_total, job.runs_done, job.runs_running, job.runs_failed) == (4, 1, 1, 0)
    assert (empty.runs_total, empty.runs_done) == (0, 0)
    with CaptureQueriesContext(connection) as queries:
        assert selectors.jobs(alice).count() == 2
    assert "jobs_run" not in queries[0]["sql"], "who counts jobs counts no runs"


def test_the_newest_finished_run_is_one_that_the_person_may_see(
    alice: User, bob: User, charlie: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    assert selectors.newest_finished(alice) is None
    factories.job(alice, team, suite, [entry])
    first, second = (factories.finish(ALL_RIGHT) for _ in range(2))
    assert [selectors.newest_finished(user) for user in (alice, bob, charlie)] == [second.pk, second.pk, None]
    Run.objects.filter(pk=second.pk).update(visibility=Visibility.PRIVATE)
    assert selectors.newest_finished(bob) == first.pk, "what its author keeps private is passed over"
    Run.objects.filter(pk=first.pk).update(visibility=Visibility.PUBLIC)
    assert [selectors.newest_finished(user) for user in (charlie, AnonymousUser())] == [first.pk] * 2


def test_a_form_starts_with_the_team_in_which_something_happened_last(alice: User, bob: User, team: Team) -> None:
    own = create_team(actor=bob, name="own", title="Own")
    record(actor=bob, team=team, verb="did", target="it")
    assert usual_team(bob) == team.pk
    record(actor=bob, team=own, verb="did", target="it")
    create_team(actor=alice, name="hers", title="Hers")
    assert usual_team(bob) == own.pk, "where others did something later counts nothing"
