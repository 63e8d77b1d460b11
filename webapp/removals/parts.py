"""What an entry or a team consists of, table by table, in the order in which it can be taken away.

The preview counts these rows and the work deletes them: what people are told is what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from webapp.accounts.models import Invitation, Membership, Team
from webapp.catalog.models import (
    Benchmark,
    BenchmarkVersion,
    CalibrationSet,
    Contender,
    EntryVersion,
    ModelEntry,
    Price,
    Sample,
    Suite,
    SuiteItem,
)
from webapp.imports.models import Import, ImportChunk, ImportProgress, ImportRun
from webapp.jobs.models import Job, JobRun, Run, RunEvent, SpendingTotal
from webapp.leaderboards.models import Leaderboard, SavedView, Standing
from webapp.notices.models import Delivery, Email, Notice, Webhook
from webapp.releases.models import Release
from webapp.results.models import FeatureUpload, Measurement, PackedScores, Report, Score
from webapp.reviews.models import Comment, Review, Reviewer, SampleComment, Verdict
from webapp.searches.models import Batch, Search

Rows = QuerySet[Any, Any]
BOARD_ROWS = "board rows"


@dataclass(frozen=True)
class Part:
    """Rows of one table that go. kind: what people call them; "": too small to speak of.

    along: given ids of these rows, what goes in the same transaction before them, the largest first; for rows that
    would not be found any more without it. clears: the column that is emptied instead, of rows that stay or go later.
    """

    rows: Rows
    kind: str = ""
    along: Callable[[Sequence[int]], list[Rows]] | None = None
    clears: str = ""


def of_entry(pk: int) -> list[Part]:
    runs = Run.objects.filter(contender__version__entry=pk)
    searches = Search.contenders.through._default_manager.filter(contender__version__entry=pk).values("search")
    return [
        Part(Search.objects.filter(pk__in=searches), "searches", _of_searches),
        Part(_jobs_of_nothing_else(runs), "jobs", _of_jobs),
        Part(runs, "runs", of_runs),
        *_of_entries(ModelEntry.objects.filter(pk=pk), BOARD_ROWS),
    ]


def of_team(pk: int) -> list[Part]:
    """What people of other teams added in the moment in which it was confirmed goes along: see `obstacles.of_team`."""
    ours = Q(team=pk) | Q(contender__version__entry__team=pk) | Q(version__benchmark__team=pk)
    entries = ModelEntry.objects.filter(team=pk)
    return [
        Part(Membership.objects.filter(team=pk)),  # gone already, unless somebody joined in that moment
        Part(Invitation.objects.filter(team=pk)),
        Part(Search.objects.filter(team=pk), "searches", _of_searches),
        *_of_notices(pk),
        *_of_reviews(pk),
        Part(Release.objects.filter(leaderboard__team=pk), "releases"),
        Part(Run.objects.filter(ours), "runs", of_runs),
        Part(SpendingTotal.objects.filter(team=pk)),
        Part(Job.objects.filter(team=pk), "jobs", _of_jobs),
        *_of_imports(pk),
        Part(SavedView.objects.filter(leaderboard__team=pk), "saved views"),
        Part(Standing.objects.filter(leaderboard__team=pk), BOARD_ROWS),
        Part(Leaderboard.objects.filter(team=pk), "boards"),
        Part(Report.objects.filter(team=pk), "reports"),
        Part(FeatureUpload.objects.filter(team=pk), "uploaded tables"),
        *_of_entries(entries),
        *_of_benchmarks(pk),
        Part(Team.objects.filter(pk=pk)),
    ]


def of_runs(pks: Sequence[int]) -> list[Rows]:
    """Scores first: they are the most, and their run is still there while some of them are."""
    return [
        Score.objects.filter(run__in=pks),
        *(model._default_manager.filter(run__in=pks) for model in (PackedScores, RunEvent, JobRun, ImportRun)),
        Batch.runs.through._default_manager.filter(run__in=pks),
    ]


def _jobs_of_nothing_else(runs: QuerySet[Run]) -> QuerySet[Job]:
    parts = JobRun.objects.filter(job=OuterRef("pk"))
    of_these = parts.filter(run__in=runs.values("pk"))
    return Job.objects.filter(Exists(of_these)).exclude(Exists(parts.exclude(run__in=runs.values("pk"))))


def _of_jobs(pks: Sequence[int]) -> list[Rows]:
    return [JobRun.objects.filter(job__in=pks)]


def _of_searches(pks: Sequence[int]) -> list[Rows]:
    return [
        Batch.runs.through._default_manager.filter(batch__search__in=pks),
        Batch.objects.filter(search__in=pks),
        Search.contenders.through._default_manager.filter(search__in=pks),
        Search.versions.through._default_manager.filter(search__in=pks),
    ]


def _of_entries(entries: QuerySet[ModelEntry], rows: str = "") -> Iterator[Part]:
    """rows: what the rows of boards are called, where they are not those of the boards that go themselves."""
    contenders = Contender.objects.filter(version__entry__in=entries.values("pk"))
    yield Part(Measurement.objects.filter(contender__in=contenders.values("pk")), "speed measurements")
    yield Part(Standing.objects.filter(contender__in=contenders.values("pk")), rows)
    yield Part(contenders, "contenders")
    yield Part(Price.objects.filter(entry__in=entries.values("pk")), "prices")
    yield Part(EntryVersion.objects.filter(entry__in=entries.values("pk")), "versions of entries")
    yield Part(entries, "entries")


def _of_benchmarks(pk: int) -> Iterator[Part]:
    yield Part(CalibrationSet.objects.filter(team=pk), "calibration sets")
    yield Part(CalibrationSet.objects.filter(suite__team=pk), clears="suite")
    yield Part(Job.objects.filter(suite__team=pk), clears="suite")
    yield Part(SuiteItem.objects.filter(Q(suite__team=pk) | Q(version__benchmark__team=pk)))
    yield Part(Suite.objects.filter(team=pk), "suites")
    yield Part(SampleComment.objects.filter(Q(team=pk) | Q(version__benchmark__team=pk)), "comments on samples")
    yield Part(Sample.objects.filter(version__benchmark__team=pk), "questions")
    yield Part(BenchmarkVersion.objects.filter(benchmark__team=pk), "versions of benchmarks")
    yield Part(Benchmark.objects.filter(team=pk), "benchmarks")


def _of_notices(pk: int) -> Iterator[Part]:
    yield Part(Email.objects.filter(notice__team=pk))
    yield Part(Notice.objects.filter(team=pk), "notices")
    yield Part(Delivery.objects.filter(webhook__team=pk, replay_of__isnull=False), clears="replay_of")
    yield Part(Delivery.objects.filter(webhook__team=pk))
    yield Part(Webhook.objects.filter(team=pk), "webhooks")


def _of_reviews(pk: int) -> Iterator[Part]:
    yield Part(Comment.objects.filter(review__team=pk, parent__isnull=False), "answers in reviews")
    yield Part(Comment.objects.filter(review__team=pk, parent=None), "comments in reviews")
    yield Part(Verdict.objects.filter(review__team=pk), "verdicts")
    yield Part(Reviewer.objects.filter(review__team=pk))
    yield Part(Review.objects.filter(team=pk, superseded_by__isnull=False), clears="superseded_by")
    yield Part(Review.objects.filter(team=pk), "reviews")


def _of_imports(pk: int) -> Iterator[Part]:
    yield Part(ImportRun.objects.filter(owner__team=pk))
    yield Part(ImportChunk.objects.filter(owner__team=pk))
    yield Part(ImportProgress.objects.filter(owner__team=pk))
    yield Part(Import.objects.filter(team=pk), "imports")
