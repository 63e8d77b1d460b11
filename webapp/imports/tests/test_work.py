"""What an import makes: everything that its file says, once, or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from webapp.accounts.models import AuditEvent, Team, User
from webapp.bells import Bell
from webapp.catalog.models import Benchmark, BenchmarkVersion, EntryVersion, ModelEntry, Sample, Source
from webapp.catalog.services import contender
from webapp.errors import Unprocessable
from webapp.imports import loading, services, work
from webapp.imports.models import Import, ImportChunk
from webapp.imports.tests.files import LARGE, as_csv, load, rows, upload
from webapp.jobs.models import Run, RunEvent
from webapp.jobs.services import JobRequest, submit_job
from webapp.leaderboards.models import Leaderboard, Standing
from webapp.leaderboards.services import refresh
from webapp.results.models import PackedScores, Score
from webapp.results.selectors import packed_scores
from webapp.tests import factories


def test_a_file_becomes_an_entry_a_benchmark_a_run_and_its_scores(bob: User, team: Team) -> None:
    job = load(bob, team, as_csv(rows()))
    assert (job.state, job.reason, job.rows) == ("done", "1 runs with 4 rows.", 4)
    run = Run.objects.get()
    assert (run.origin, run.state, run.mean, run.total, run.done) == ("imported", "done", 0.75, 4, 4)
    assert run.contender.name == "acme-large@bf16"
    assert run.contender.version.source == Source.IMPORTED
    assert run.contender.version.entry.title == "acme/large"
    assert (str(run.version), run.version.kind, run.version.metric) == ("riddles v1", "imported", "acc")
    assert list(Score.objects.order_by("index").values_list("index", "score", "output")) == [
        (0, 1.0, "A or B"), (1, 0.0, "A or B"), (2, 1.0, "A or B"), (3, 1.0, "A or B"),
    ]  # fmt: skip
    assert Sample.objects.get(index=2).prompt == "Riddle 2?"
    assert packed_scores([run])[run.pk].tolist() == [[1.0], [0.0], [1.0], [1.0]]
    assert run.reason.startswith("Imported from scores.csv by bob on ")
    assert (run.provenance["file"], run.provenance["sha256"]) == ("scores.csv", job.sha256)
    assert AuditEvent.objects.latest("id").verb == "imported"
    assert not ImportChunk.objects.exists()


def counts() -> dict[str, int]:
    """Rows of everything that an import makes."""
    models = (ModelEntry, EntryVersion, Benchmark, BenchmarkVersion, Sample, Run, RunEvent, Score, PackedScores)
    return {model.__name__: model.objects.count() for model in models}


NOTHING = dict.fromkeys(
    (
        "ModelEntry",
        "EntryVersion",
        "Benchmark",
        "BenchmarkVersion",
        "Sample",
        "Run",
        "RunEvent",
        "Score",
        "PackedScores",
    ),
    0,
)


def test_a_bad_line_is_named_and_leaves_nothing(bob: User, team: Team) -> None:
    data = as_csv([*rows(), *rows(like=LARGE._replace(entry="acme/small"))])
    broken = data[: data.rindex(b"acme/small")] + b"acme/small,riddles,3,nan" + b"," * 28 + b"\r\n"
    job = load(bob, team, broken)
    assert job.state == "failed"
    assert {"file": "scores.csv", "line": 9, "field": "score"}.items() <= job.problem.items()
    assert job.reason.startswith("scores.csv, line 9, “score”: ")
    assert counts() == NOTHING
    assert not ImportChunk.objects.exists()


def test_bytes_that_are_not_the_announced_ones_are_refused(bob: User, team: Team) -> None:
    job = load(bob, team, as_csv(rows()), sha256="0" * 64)
    assert (job.state, "SHA-256 differs" in job.reason) == ("failed", True)
    assert counts() == NOTHING


def test_an_error_of_ours_leaves_nothing_and_a_reference(
    bob: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(loading, "_pack", broken)
    job = load(bob, team, as_csv(rows()))
    assert (job.state, job.reason[:15]) == ("failed", "Internal error.")
    assert counts() == NOTHING


def test_the_same_scores_in_another_file_make_no_second_run(bob: User, team: Team) -> None:
    found = rows()
    load(bob, team, as_csv(found))
    before = counts()
    job = load(bob, team, as_csv(found[::-1]), name="again.csv")
    assert (job.state, job.reason) == ("done", "0 runs with 4 rows. 1 were there already.")
    assert counts() == before
    assert job.parts.get().made is False


def test_a_file_that_adds_runs_makes_only_those(bob: User, team: Team) -> None:
    load(bob, team, as_csv(rows()))
    more = [*rows(), *rows([0, 0, 0, 1], scheme="int8")]
    job = load(bob, team, as_csv(more), name="more.csv")
    assert {"runs": 2, "new_runs": 1, "new_entries": 0, "new_benchmarks": 0}.items() <= job.summary.items()
    assert sorted(Run.objects.values_list("contender__name", "mean")) == [
        ("acme-large@bf16", 0.75), ("acme-large@int8", 0.25),
    ]  # fmt: skip


def test_a_file_about_the_teams_questions_is_about_their_benchmark(
    bob: User, team: Team, benchmark: BenchmarkVersion
) -> None:
    asked = list(Sample.objects.filter(version=benchmark).order_by("index"))
    found = [
        LARGE._replace(
            benchmark="sums", sample=one.index, score=1.0, prompt=one.prompt, document_hash=one.document_hash,
            prompt_hash=one.prompt_hash, target_hash=one.target_hash,
        )
        for one in asked
    ]  # fmt: skip
    load(bob, team, as_csv(found))
    assert Run.objects.get().version == benchmark
    assert Sample.objects.count() == len(asked)
    other = [row._replace(prompt_hash="x") for row in found]
    load(bob, team, as_csv(other), name="other.csv")
    made = Run.objects.latest("pk").version
    assert (str(made), made.kind) == ("sums-imported v1", "imported")


def test_a_stated_hash_that_the_questions_contradict_is_refused(
    bob: User, team: Team, benchmark: BenchmarkVersion
) -> None:
    job = load(bob, team, as_csv(rows(benchmark="sums", benchmark_hash=benchmark.content_hash)))
    assert (job.state, job.problem["field"]) == ("failed", "benchmark_hash")
    assert not Run.objects.exists()


def test_an_entry_that_was_run_here_keeps_its_name(bob: User, team: Team, entry: EntryVersion) -> None:
    load(bob, team, as_csv(rows(entry="small")))
    load(bob, team, as_csv(rows([0, 0], entry="small")), name="again.csv")
    assert set(Run.objects.values_list("contender__name", flat=True)) == {"small-imported@bf16"}
    assert entry.entry.versions.count() == 1


def test_settings_are_taken_as_far_as_they_are_plain(bob: User, team: Team) -> None:
    stated = '{"judge":"gpt","limit":"all","notes":{"a":1},"seed":7,"subset":[3,0,1],"temperature":0.5}'
    load(bob, team, as_csv(rows(settings=stated)))
    run = Run.objects.get()
    assert {"seed": 7, "temperature": 0.5, "judge": "gpt", "limit": None, "repeat": 0}.items() <= run.settings.items()
    assert "notes" not in run.settings
    assert (run.subset, run.is_partial) == ([3, 0, 1], True)


def test_missing_attempts_are_holes_and_no_whole_sample_is_no_run(bob: User, team: Team) -> None:
    found = [row._replace(attempt=attempt, score=float(attempt)) for row in rows() for attempt in (0, 1)]
    job = load(bob, team, as_csv(found[:-1]))
    run = Run.objects.get()
    assert (job.rows, run.total, run.mean, run.settings["attempts"]) == (7, 3, 0.5, 2)
    job = load(bob, team, as_csv([rows()[0], rows()[1]._replace(attempt=1)]), name="none.csv")
    assert (job.state, job.problem["field"]) == ("failed", "attempt")


def test_what_is_not_stated_is_not_known(bob: User, team: Team) -> None:
    load(bob, team, b"entry,benchmark,sample,score\na,b,0,0.5\n")
    run, score = Run.objects.get(), Score.objects.get()
    assert (run.contender.name, run.tokens_in, run.cost_usd, run.seconds) == ("a@unstated", None, None, None)
    assert (score.tokens_in, score.latency, score.cost_usd, score.log_likelihoods) == (None, None, None, [])
    assert (run.settings["seed"], run.standard_error) == (None, None)
    assert not Sample.objects.exists()


def test_imported_results_cannot_be_run(bob: User, team: Team) -> None:
    load(bob, team, as_csv(rows()))
    run = Run.objects.get()
    request = JobRequest(contenders=[run.contender], versions=[run.version])
    with pytest.raises(Unprocessable, match="known from imported results only") as refused:
        submit_job(actor=bob, team=team, request=request)
    assert (refused.value.field, bool(refused.value.remedy)) == ("contenders", True)


def test_imported_questions_cannot_be_asked(bob: User, team: Team, entry: EntryVersion) -> None:
    load(bob, team, as_csv(rows()))
    request = JobRequest(contenders=[contender(version=entry, scheme="fp32")], versions=[Run.objects.get().version])
    with pytest.raises(Unprocessable, match="not how to ask and score them"):
        submit_job(actor=bob, team=team, request=request)


def test_landed_runs_are_on_the_board(bob: User, team: Team, board: Leaderboard, benchmark: BenchmarkVersion) -> None:
    asked = Sample.objects.filter(version=benchmark).order_by("index")
    hashes = [(one.document_hash, one.prompt_hash, one.target_hash) for one in asked]
    found = [
        row._replace(document_hash=a, prompt_hash=b, target_hash=c)
        for row, (a, b, c) in zip(rows(benchmark="sums"), hashes, strict=True)
    ]
    load(bob, team, as_csv(found))
    refresh(board_id=board.pk)
    assert Standing.objects.filter(leaderboard=board, contender__name="acme-large@bf16").exists()


def test_a_second_ring_does_nothing_and_lost_workers_are_counted(bob: User, team: Team, settings: Any) -> None:
    job = upload(bob, team, as_csv(rows()))
    assert work.work_on(import_id=job.pk) is True
    assert work.work_on(import_id=job.pk) is False
    lost = upload(bob, team, as_csv(rows([1])), name="lost.csv")
    Import.objects.filter(pk=lost.pk).update(state="running", attempt=settings.IMPORT_ATTEMPTS)
    assert work.work_on(import_id=lost.pk) is False
    lost.refresh_from_db()
    assert (lost.state, lost.reason) == ("failed", "Its worker was lost 3 times. Nothing of it was kept.")


def test_a_lost_doorbell_is_rung_again(bob: User, team: Team, django_capture_on_commit_callbacks: Any) -> None:
    job = upload(bob, team, as_csv(rows()))
    with django_capture_on_commit_callbacks() as bells:
        work.ring_again()
    assert factories.rung(bells) == [Bell("load_import", (job.pk,))]


def test_an_upload_that_nobody_goes_on_with_is_dropped(bob: User, team: Team) -> None:
    job = upload(bob, team, as_csv(rows()), look=True)
    work.work_on(import_id=job.pk)
    two_days_ago = timezone.now() - timedelta(days=2)
    assert services.drop_abandoned(two_days_ago) == 0
    assert Import.objects.get().state == "ready"
    Import.objects.update(touched_at=two_days_ago - timedelta(hours=1))
    assert services.drop_abandoned(two_days_ago) == 1
    dropped = Import.objects.get()
    assert (dropped.state, dropped.reason) == ("cancelled", "Nobody went on with it for 2 days.")
    assert not ImportChunk.objects.exists()
