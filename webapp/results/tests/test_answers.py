"""Tables of answers: what was chosen, how probable it was, and which samples meet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.answers import AnswerTable
from evaluation.errors import EvaluationError
from evaluation.records import Attempt
from webapp.accounts.models import Team, User
from webapp.accounts.services import create_team
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs.models import Job, Run
from webapp.results.answers import answer_table, numbered, sample_of
from webapp.results.models import Score
from webapp.results.services import finish_run, record_scores
from webapp.tests import factories

Lines = Sequence[tuple[str, float, int | None, tuple[float, ...]]]


def answer(lines: Lines, *, skip: int = 0) -> Run:
    """The next queued run, finished with these (answer, score, choice, log-likelihoods)."""
    lease = factories.claim()
    attempts = [
        Attempt(
            sample=at + skip, score=score, answer=text, output=text, target="", choice=choice, log_likelihoods=likely
        )
        for at, (text, score, choice, likely) in enumerate(lines)
    ]
    record_scores(lease=lease, attempts=attempts, seconds=1.0)
    return finish_run(lease=lease, provenance={})


def choose(*choices: int) -> Run:
    """On sums, where the first choice is right; the chosen one is ahead by one nat."""
    return answer([(str(c), float(c == 0), c, (-1.0, -2.0) if c == 0 else (-2.0, -1.0)) for c in choices])


def write(*texts: str, right: str = "right") -> Run:
    return answer([(text, float(text.strip() == right), None, ()) for text in texts])


@pytest.fixture
def sums(alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion, benchmark: BenchmarkVersion) -> Job:
    """Two contenders on four sums."""
    suite = factories.suite(alice, team, "only-sums", [benchmark])
    return factories.job(alice, team, suite, [entry, other_entry])


def test_choices_probabilities_and_truth(sums: Job) -> None:
    table = answer_table([choose(0, 1, 0, 0).pk, choose(0, 0, 1, 0).pk])
    assert table.contenders == ("small@fp32", "large@fp32")
    assert table.samples == ("sums:0", "sums:1", "sums:2", "sums:3")
    assert table.labels.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert table.correct.tolist() == [[True, False, True, True], [True, True, False, True]]
    assert table.gold.tolist() == [0] * 4
    assert table.groups == ("sums",) * 4
    assert table.probabilities is not None
    ahead = np.exp(1) / (1 + np.exp(1))
    assert table.probabilities[0] == pytest.approx(np.array([[ahead, 1 - ahead], [1 - ahead, ahead]])[[0, 1, 0, 0]])


def test_written_answers_differ_where_their_texts_do(job: Job) -> None:
    runs = [choose(0, 0, 0, 0), write("right", "7", " 8 ", ""), choose(0, 0, 0, 0), write("right", "8", "8", "right")]
    table = answer_table([runs[1].pk, runs[3].pk])
    assert table.labels[0].tolist() != table.labels[1].tolist()
    assert (table.labels == table.labels[0]).all(axis=0).tolist() == [True, False, True, False]
    assert table.labels[0, 0] == table.labels[1, 3] == 0, "right is 0 on every sample"
    assert table.labels[0, 1] != 0
    assert table.gold.tolist() == [0] * 4
    assert table.probabilities is None
    both = answer_table([run.pk for run in runs])
    assert both.probabilities is None, "one benchmark is written"
    assert both.sizes is not None
    assert both.sizes.tolist() == [2] * 4 + [0] * 4
    assert both.luck == 0.5, "two wrong answers of two choices are equal, two written ones are not by chance"
    assert both.groups == ("sums",) * 4 + ("written",) * 4
    assert both.labels.shape == (2, 8)


def test_numbers_of_written_answers_begin_anew_on_each_sample() -> None:
    right = np.iinfo(np.int64).min
    codes = np.array([[right, 5, 9], [5, 5, right], [7, -3, 9]])
    assert numbered(codes).tolist() == [[0, 2, 1], [1, 2, 0], [2, 1, 1]]


def test_missing_log_likelihoods_leave_no_probabilities(sums: Job) -> None:
    first, second = choose(0, 1, 0, 0), choose(0, 0, 1, 0)
    Score.objects.filter(run=second, index=2).update(log_likelihoods=[])
    assert answer_table([first.pk, second.pk]).probabilities is None
    assert answer_table([first.pk]).probabilities is not None


def test_samples_may_have_different_numbers_of_choices(alice: User, team: Team, entry: EntryVersion) -> None:
    lines = [
        b'{"question": "a", "choices": ["x", "y"], "gold": 1}',
        b'{"question": "b", "choices": ["x", "y", "z"], "gold": 2}',
    ]
    version = catalog.create_benchmark(actor=alice, team=team, name="uneven", definition=factories.CHOICE, lines=lines)
    factories.job(alice, team, factories.suite(alice, team, "s", [version]), [entry])
    run = answer([("y", 1.0, 1, (-2.0, -1.0)), ("x", 0.0, 0, (-1.0, -2.0, -3.0))])
    table = answer_table([run.pk])
    assert table.gold.tolist() == [1, 2]
    assert table.probabilities is not None
    assert table.probabilities[0, 0, 2] == 0.0
    assert table.probabilities[0, 1].sum() == pytest.approx(1.0)
    assert table.probabilities[0, 1].argmax() == 0


def test_a_subject_is_the_group_where_there_is_one(alice: User, team: Team, entry: EntryVersion, sums: Job) -> None:
    first, _ = choose(0, 0, 0, 0), choose(0, 0, 0, 0)
    lines = [b'{"question": "a", "choices": ["x", "y"], "gold": 0, "on": "letters"}']
    definition = {**factories.CHOICE, "subject": "on"}
    version = catalog.create_benchmark(actor=alice, team=team, name="mixed", definition=definition, lines=lines)
    factories.job(alice, team, factories.suite(alice, team, "s", [version]), [entry])
    mixed = choose(0)
    assert answer_table([mixed.pk]).groups == ("letters",)
    assert answer_table([first.pk, mixed.pk]).groups == ("sums",) * 4 + ("mixed: letters",)


def test_a_sample_that_was_not_asked_is_a_hole(sums: Job) -> None:
    first, second = choose(0, 1, 0, 0), choose(0, 0, 1, 0)
    Score.objects.filter(run=second, index=3).delete()
    table = answer_table([first.pk, second.pk])
    assert table.labels[1].tolist() == [0, 0, 1, -1]
    assert table.common().samples == ("sums:0", "sums:1", "sums:2")


def test_a_second_run_is_a_row_of_its_own(alice: User, team: Team, entry: EntryVersion, sums: Job) -> None:
    first, _ = choose(0, 1, 0, 0), choose(0, 0, 0, 0)
    assert sums.suite is not None
    factories.job(alice, team, sums.suite, [entry], settings={"repeat": 1})
    again = choose(0, 1, 1, 0)
    table = answer_table([first.pk, again.pk])
    assert table.contenders == ("small@fp32", "small@fp32 again")
    assert table.labels.tolist() == [[0, 1, 0, 0], [0, 1, 1, 0]]


def test_equal_names_of_two_teams_stay_apart(
    alice: User, team: Team, entry: EntryVersion, benchmark: BenchmarkVersion, tmp_path: Path
) -> None:
    den = create_team(actor=alice, name="den", title="The den")
    other = factories.entry(alice, den, "small", factories.checkpoint(tmp_path / "den", width=5))
    factories.job(alice, team, factories.suite(alice, team, "s", [benchmark]), [entry, other])
    table = answer_table([choose(0, 1, 0, 0).pk, choose(1, 1, 1, 1).pk])
    assert sorted(table.contenders) == ["den/small@fp32", "lab/small@fp32"]


def two_versions(alice: User, team: Team, entry: EntryVersion, other: EntryVersion, second: Any) -> list[Run]:
    """`entry` on four sums, `other` on another version of them."""
    first = BenchmarkVersion.objects.get(benchmark__name="sums")
    factories.job(alice, team, factories.suite(alice, team, "old", [first]), [entry])
    old = choose(0, 1, 0, 0)
    version = catalog.add_benchmark_version(actor=alice, benchmark=first.benchmark, **second)
    factories.job(alice, team, factories.suite(alice, team, "new", [version]), [other])
    return [old, choose(0, 0, 1)]


def test_versions_meet_where_question_prompt_and_target_are_the_same(
    alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion, benchmark: BenchmarkVersion
) -> None:
    lines = [*factories.documents(4)[:0:-1]]  # 3, 2, 1: other places, same questions
    runs = two_versions(alice, team, entry, other_entry, {"definition": factories.CHOICE, "lines": lines})
    table = answer_table([run.pk for run in runs])
    assert table.labels.tolist() == [[0, 1, 0, 0], [-1, 1, 0, 0]]
    assert table.common().samples == ("sums:1", "sums:2", "sums:3")
    assert sample_of([run.pk for run in runs], "sums:2") == (benchmark.pk, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"prompt": "Please: {{ question }}\nA:"}, "different prompts"), ({"num_fewshot": 1}, "num_fewshot")],
)
def test_other_prompts_are_refused_unless_asked_for(
    alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion, benchmark: BenchmarkVersion,
    change: dict[str, Any], said: str,
) -> None:  # fmt: skip
    examples = (
        {"examples": [{"question": "9+9", "choices": ["18", "19"], "gold": 0}]} if "num_fewshot" in change else {}
    )
    second = {"definition": {**factories.CHOICE, **examples, **change}, "lines": factories.documents(3)}
    runs = [run.pk for run in two_versions(alice, team, entry, other_entry, second)]
    with pytest.raises(EvaluationError, match=said):
        answer_table(runs)
    assert answer_table(runs, any_prompt=True).common().samples == ("sums:0", "sums:1", "sums:2")


def test_what_cannot_be_read_is_said(sums: Job) -> None:
    run = choose(0, 1, 0, 0).pk
    for runs in ([], [run, run + 999]):
        with pytest.raises(EvaluationError):
            answer_table(runs)
    with pytest.raises(EvaluationError, match="no sample"):
        sample_of([run], "sums")
    Score.objects.filter(run=run).delete()
    with pytest.raises(EvaluationError, match="no scores"):
        answer_table([run])


def test_the_table_is_the_one_that_rows_read_one_by_one_give(job: Job) -> None:
    runs = [choose(0, 1, 0, 0), write("right", "a", "b", "c"), choose(1, 1, 0, 0), write("a", "a", "right", "b")]
    table = answer_table([run.pk for run in runs])
    slow = {
        (row.run.contender.name, f"{row.run.version.benchmark.name}:{row.index}"): row for row in Score.objects.all()
    }
    for at, contender in enumerate(table.contenders):
        for column, sample in enumerate(table.samples):
            mine = slow[contender, sample]
            assert bool(table.correct[at, column]) == (mine.score >= 1)
            same = [
                (slow[other, sample].choice, slow[other, sample].answer) == (mine.choice, mine.answer)
                for other in table.contenders
            ]
            assert (table.labels[:, column] == table.labels[at, column]).tolist() == same
    assert isinstance(table, AnswerTable)
