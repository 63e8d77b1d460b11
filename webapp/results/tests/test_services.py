"""Scores: stored once, packed exactly, never invented."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import NotEnoughData
from evaluation.records import Attempt, Question
from evaluation.uncertainty import mean_with_error, wilson_interval
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Sample
from webapp.jobs import leases
from webapp.jobs.leases import Lease, LeaseLost
from webapp.jobs.models import Job, Run
from webapp.jobs.services import JobRequest, submit_job
from webapp.results import selectors, services
from webapp.results.models import PackedScores, Score
from webapp.results.packing import pack, unpack
from webapp.tests import factories

ONE = Attempt(
    sample=0, score=1.0, answer="4", output=" 4\n", target="4", choice=0, log_likelihoods=(-0.5, -2.0),
    tokens_in=7, tokens_out=1, seconds=0.25,
)  # fmt: skip


@pytest.fixture
def lease(job: Job) -> Lease:
    return factories.claim("w1")


def store(lease: Lease, *attempts: Attempt, seconds: float = 0.5) -> None:
    """In a savepoint, so that a refusal leaves the test's own transaction usable."""
    with transaction.atomic():
        services.record_scores(lease=lease, attempts=attempts, seconds=seconds)


def run_of(lease: Lease) -> Run:
    return Run.objects.get(pk=lease.run_id)


def test_every_field_of_an_attempt_is_kept(lease: Lease) -> None:
    store(lease, ONE)
    score = Score.objects.get()
    for name in ("score", "answer", "output", "choice", "tokens_in", "tokens_out", "seconds", "attempt"):
        assert getattr(score, name) == getattr(ONE, name), name
    assert score.log_likelihoods == [-0.5, -2.0]
    assert (score.run_id, score.index) == (lease.run_id, 0)


def test_progress_grows_with_the_scores(lease: Lease) -> None:
    store(lease, ONE, replace(ONE, sample=1, score=0.0), seconds=1.0)
    store(lease, replace(ONE, sample=2), seconds=0.5)
    run = run_of(lease)
    assert (run.done, run.score_sum, run.seconds, run.tokens_in, run.tokens_out) == (3, 2.0, 1.5, 21, 3)


def test_a_count_that_was_not_measured_stays_unknown(lease: Lease) -> None:
    store(lease, ONE, replace(ONE, sample=1, tokens_out=None))
    store(lease, replace(ONE, sample=2))
    run = run_of(lease)
    assert (run.tokens_in, run.tokens_out) == (21, None)


@pytest.mark.parametrize("twice", [[1, 2, 1], [1, 0], [0]])
def test_a_sample_that_has_a_score_is_refused_and_its_batch_leaves_nothing(lease: Lease, twice: list[int]) -> None:
    store(lease, ONE)
    before = Run.objects.filter(pk=lease.run_id).values("done", "score_sum", "seconds", "leased_until").get()
    with pytest.raises(IntegrityError):
        store(lease, *[replace(ONE, sample=at) for at in twice])
    assert list(Score.objects.values_list("index", flat=True)) == [0]
    assert Run.objects.filter(pk=lease.run_id).values("done", "score_sum", "seconds", "leased_until").get() == before


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(lease: Lease, score: float) -> None:
    with pytest.raises(IntegrityError):
        store(lease, ONE, replace(ONE, sample=1, score=score))
    assert not Score.objects.exists()


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "a\tb\\N\n\\.", "𝕏 – é", ""])
def test_whatever_a_model_prints_is_stored(lease: Lease, text: str) -> None:
    store(lease, replace(ONE, output=text, answer=text))
    kept = Score.objects.get().output
    assert kept == text.replace("\0", "␀").replace("\ud800", "?")


def test_whatever_a_question_holds_is_stored(lease: Lease) -> None:
    run = run_of(lease)
    Sample.objects.filter(version=run.version_id).delete()
    document = {"code": r"'\u0000'", "nul": "\0", "half": "\ud800", "number": math.nan, "when": b"x"}
    services.store_questions(run=run, questions=[Question(0, document, "\0", ("a\0", "\ud800"), "a", "d", "p", "t")])
    kept = Sample.objects.get(version=run.version_id)
    assert kept.document == {"code": r"'\u0000'", "nul": "␀", "half": "?", "number": "NaN", "when": "bytes"}
    assert (kept.prompt, kept.choices) == ("␀", ["a␀", "?"])


def test_an_attempt_that_lost_its_lease_stores_nothing(lease: Lease) -> None:
    with pytest.raises(LeaseLost):
        store(replace(lease, attempt=0), ONE)
    assert not Score.objects.exists()


def test_a_finished_run_has_mean_error_interval_and_packed_scores(lease: Lease) -> None:
    factories.score(lease, [True, False, True, True])
    run = services.finish_run(lease=lease, provenance={"seed": 1})
    estimate = mean_with_error(np.array([1.0, 0.0, 1.0, 1.0]))
    share = wilson_interval(3, 4)
    assert (run.mean, run.standard_error) == (estimate.value, estimate.standard_error)
    assert (run.low, run.high) == (share.low, share.high)
    assert (run.state, run.done, run.total, run.leased_until, run.provenance) == ("done", 4, 4, None, {"seed": 1})
    packed = PackedScores.objects.get(run=run)
    assert (packed.dtype, bytes(packed.values)) == ("u1", b"\1\0\1\1")
    rows = Score.objects.filter(run=run).order_by("index").values_list("score", flat=True)
    assert selectors.packed_scores([run])[run.pk][:, 0].tolist() == list(rows)


def test_scores_stored_out_of_order_are_packed_by_sample(lease: Lease) -> None:
    store(lease, *[replace(ONE, sample=at, score=at / 4) for at in (3, 1)])
    store(lease, *[replace(ONE, sample=at, score=at / 4) for at in (2, 0)])
    run = services.finish_run(lease=lease, provenance={})
    assert selectors.packed_scores([run])[run.pk][:, 0].tolist() == [0.0, 0.25, 0.5, 0.75]
    assert run.mean == 0.375
    assert run.high - run.mean == pytest.approx(1.96 * run.standard_error)


def test_a_run_with_missing_samples_is_not_finished(lease: Lease) -> None:
    factories.score(lease, [True, True, True])
    with pytest.raises(NotEnoughData, match="3 of 4"), transaction.atomic():
        services.finish_run(lease=lease, provenance={})
    assert run_of(lease).state == "running"
    assert not PackedScores.objects.exists()


def test_one_sample_has_no_standard_error(bob: User, team: Team, lease: Lease) -> None:
    leases.start(lease=lease, total=1)
    store(lease, replace(ONE, score=0.5))
    run = services.finish_run(lease=lease, provenance={})
    assert (run.mean, run.standard_error, run.low, run.high) == (0.5, None, None, None)


def test_a_resumed_run_keeps_its_samples_and_equals_an_uninterrupted_one(job: Job, lease: Lease) -> None:
    factories.score(lease, [True, False])
    leases.give_back(lease=lease, reason="Worker w1 was shut down.")
    again = factories.claim("w2")
    assert again.run_id == lease.run_id
    assert services.finished_attempts(run_of(again)) == {(0, 0), (1, 0)}
    factories.score(again, [True, True], start=2)
    run = services.finish_run(lease=again, provenance={})
    assert (run.mean, run.done, run.attempt) == (0.75, 4, 2)
    assert Score.objects.filter(run=run).count() == 4


scores = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.lists(st.one_of(st.sampled_from([0.0, 1.0, math.nan]), scores), max_size=40))
def test_packing_loses_nothing(values: list[float]) -> None:
    array = np.array(values, dtype=float)
    dtype, data = pack(array)
    np.testing.assert_array_equal(unpack(dtype, data), array)


@given(st.lists(st.sampled_from([0.0, 1.0, math.nan]), max_size=40))
def test_right_and_wrong_take_one_byte_each(values: list[float]) -> None:
    dtype, data = pack(np.array(values, dtype=float))
    assert (dtype, len(data)) == ("u1", len(values))


def test_a_table_has_contenders_by_samples_and_holes_stay_holes(job: Job) -> None:
    runs = [factories.finish(rights) for rights in ([True] * 4, [True, False] * 2, [False] * 4)]
    table = selectors.score_table(runs)
    assert table.contenders == ("small@fp32", "large@fp32")
    assert table.benchmarks == ("sums v1", "written v1")
    assert table.samples == tuple((name, at) for name in ("sums v1", "written v1") for at in range(4))
    expected = [[1, 1, 1, 1, 1, 0, 1, 0], [0, 0, 0, 0] + [math.nan] * 4]
    np.testing.assert_array_equal(table.values[:, :, 0], expected)


def test_a_table_of_unfinished_runs_is_refused(job: Job) -> None:
    done = factories.finish([True] * 4)
    waiting = Run.objects.filter(state="queued").first()
    assert waiting is not None
    with pytest.raises(NotEnoughData):
        selectors.score_table([done, waiting])


def test_a_table_of_many_runs_costs_one_query(job: Job, django_assert_num_queries: object) -> None:
    for _ in range(4):
        factories.finish([True] * 4)
    runs = list(Run.objects.select_related("contender", "version__benchmark"))
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert selectors.score_table(runs).values.shape == (2, 8, 1)


def test_sample_pages_follow_each_other(bob: User, lease: Lease) -> None:
    factories.score(lease, [True, False, True, False])
    run = run_of(lease)
    first, following = selectors.sample_page(run, bob, size=3)
    rest, end = selectors.sample_page(run, bob, size=3, after=following or 0)
    assert [row.score.index for row in (*first, *rest)] == [0, 1, 2, 3]
    assert (following, end) == (2, None)
    wrong, _ = selectors.sample_page(run, bob, outcome="wrong")
    assert [row.score.index for row in wrong] == [1, 3]
    assert selectors.outcomes(run) == {"all": 4, "right": 2, "wrong": 2}
    assert selectors.neighbours(run, 0) == (None, 1)
    assert selectors.neighbours(run, 3) == (2, None)


def harness_run(bob: User, team: Team, entry: EntryVersion, **settings: int) -> Run:
    version = BenchmarkVersion.objects.filter(harness_task="arc_easy").first()
    version = version or catalog.create_benchmark(actor=bob, team=team, name="arc", harness_task="arc_easy")
    request = JobRequest(
        contenders=[catalog.contender(version=entry, scheme="fp32")], versions=[version], settings=settings
    )
    job, _ = submit_job(actor=bob, team=team, request=request)
    return job.runs.get()


def test_the_first_whole_run_brings_the_questions_of_a_harness_task(bob: User, team: Team, entry: EntryVersion) -> None:
    def read(run: Run, *prompts: str) -> int | None:
        questions = [
            Question(at, {"q": prompt}, prompt, ("a", "b"), "a", "d", "p", "t") for at, prompt in enumerate(prompts)
        ]
        services.store_questions(run=run, questions=questions)
        return BenchmarkVersion.objects.get(pk=run.version_id).samples

    assert read(harness_run(bob, team, entry, limit=1), "first") is None, "a trial does not know how many there are"
    assert read(harness_run(bob, team, entry), "other", "second") == 2
    assert read(harness_run(bob, team, entry, repeat=1), "x", "y") == 2
    assert list(Sample.objects.order_by("index").values_list("prompt", flat=True)) == ["first", "second"]
