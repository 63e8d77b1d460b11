"""The multiplicity report: every number again by plain loops, and what must hold between them."""

from __future__ import annotations

from dataclasses import replace
from math import floor, isnan
from typing import Any

import numpy as np
import pytest

from evaluation.analyses.competing.probabilities import flips, noise_floor
from evaluation.analyses.multiplicity import MultiplicityParams, compute
from evaluation.answers import AnswerTable
from evaluation.errors import BadParameter, BadTable
from evaluation.tables import ScoreTable
from evaluation.tests.answers import random_answers

CASES = [(1, 1, 5, 2), (2, 2, 64, 2), (3, 6, 70, 3), (4, 9, 131, 4), (5, 4, 1, 5), (6, 12, 200, 5)]


def looped(table: AnswerTable, epsilon: float, delta: float) -> dict[str, Any]:
    """The report's numbers by double loops over contenders and samples."""
    rows, n = range(len(table.contenders)), len(table.samples)
    right = [sum(map(int, table.correct[row])) for row in rows]
    base = max(rows, key=lambda row: (right[row], -row))
    inside = [row for row in rows if right[base] - right[row] <= floor(epsilon * n + 1e-9)]
    label, chance = table.labels, table.probabilities
    flipped = {row: [label[row, i] != label[base, i] for i in range(n)] for row in inside if row != base}
    apart = {
        row: [0.5 * sum(abs(chance[row, i] - chance[base, i])) >= delta - 1e-9 for i in range(n)] for row in flipped
    }
    pairs = [(a, b) for a in inside for b in inside if a < b]
    return {
        "baseline": table.contenders[base],
        "level_set": tuple(table.contenders[row] for row in inside),
        "ambiguity": sum(any(flipped[row][i] for row in flipped) for i in range(n)) / n,
        "discrepancy": max((sum(one) / n for one in flipped.values()), default=0.0),
        "obscurity": np.mean([sum(one) / n for one in flipped.values()]) if flipped else None,
        "probability_ambiguity": sum(any(apart[row][i] for row in apart) for i in range(n)) / n,
        "probability_discrepancy": max((sum(one) / n for one in apart.values()), default=0.0),
        "pairwise_disagreement": np.mean([(label[a] != label[b]).mean() for a, b in pairs]) if pairs else None,
        "nobody": sum(not any(table.correct[row, i] for row in rows) for i in range(n)),
        "everybody": sum(all(table.correct[row, i] for row in rows) for i in range(n)),
    }


@pytest.mark.parametrize(("seed", "contenders", "samples", "choices"), CASES)
@pytest.mark.parametrize("epsilon", [0.0, 0.05, 1.0])
def test_the_report_equals_plain_loops(seed: int, contenders: int, samples: int, choices: int, epsilon: float) -> None:
    table = random_answers(seed, contenders, samples, choices)
    result = compute(table, MultiplicityParams(epsilon=epsilon))
    for name, expected in looped(table, epsilon, 0.2).items():
        found = getattr(result, name)
        assert isnan(found) if expected is None else found == (pytest.approx(expected) if expected != 0 else 0), name


def test_a_worked_example() -> None:
    """Four samples; b is as good as a and yet answers half of them otherwise, c is out of reach."""
    labels = np.array([[0, 0, 0, 1], [0, 0, 1, 0], [1, 1, 1, 1]])
    gold = np.array([0, 0, 0, 0])
    table = AnswerTable(tuple("abc"), tuple("wxyz"), ("A", "B"), labels, labels == gold, gold)
    result = compute(table, MultiplicityParams(epsilon=0.01))
    assert (result.baseline, result.level_set) == ("a", ("a", "b"))
    assert (result.ambiguity, result.discrepancy, result.discrepancy_contender) == (0.5, 0.5, "b")
    assert (result.obscurity, result.pairwise_disagreement, result.fleiss_kappa) == (0.5, 0.5, pytest.approx(-1 / 3))
    assert result.samples.dissenters.tolist() == [0, 0, 1, 1]
    assert result.epsilon_curve.at.tolist() == [0, 0.75]
    assert result.epsilon_curve.ambiguity.tolist() == [0.5, 1]
    assert result.epsilon_curve.discrepancy.tolist() == [0.5, 0.75]
    assert result.rarefaction.tolist() == [0.5]
    assert isnan(result.capacity)


@pytest.mark.parametrize("seed", range(5))
def test_what_holds_between_the_numbers(seed: int) -> None:
    table = random_answers(seed, 8, 150, 4)
    n, seen = 150, []
    for epsilon in (0.0, 0.02, 0.05, 0.1, 0.3):
        result = compute(table, MultiplicityParams(epsilon=epsilon))
        base = result.contenders.index(result.baseline)
        error = 1 - result.accuracy
        assert result.discrepancy <= result.ambiguity
        assert result.discrepancy <= 2 * error[base] + epsilon + 1e-9
        assert result.rarefaction.size == 0 or result.rarefaction[-1] == pytest.approx(result.ambiguity)
        assert (np.diff(result.rarefaction) >= -1e-12).all()
        assert (np.abs(result.level.deficit) <= result.flips + 1e-9).all()
        assert (result.flips <= error + error[base] + 1e-9).all()
        step = int(np.searchsorted(result.epsilon_curve.at, floor(epsilon * n + 1e-9) / n + 1e-9)) - 1
        assert result.epsilon_curve.ambiguity[step] == pytest.approx(result.ambiguity)
        assert result.epsilon_curve.discrepancy[step] == pytest.approx(result.discrepancy)
        assert result.ambiguity_interval[0] <= result.ambiguity <= result.ambiguity_interval[1]
        assert result.discrepancy_interval[0] <= result.discrepancy <= result.discrepancy_interval[1]
        assert result.probable is not None
        assert (np.diff(result.probable.delta_curve.ambiguity) <= 0).all()
        assert (result.probable.delta_curve.discrepancy <= result.probable.delta_curve.ambiguity).all()
        assert 1 <= result.probable.capacity_choices <= 4
        seen.append((result.ambiguity, result.discrepancy, len(result.level_set), result.capacity))
    assert seen == sorted(seen)


@pytest.mark.parametrize("seed", range(3))
def test_every_baseline_of_the_set_sees_the_same_ambiguity(seed: int) -> None:
    table = random_answers(seed, 6, 90, 3)
    shares = {compute(table, MultiplicityParams(epsilon=1, baseline=name)).ambiguity for name in table.contenders}
    assert len(shares) == 1


def test_the_order_of_rows_does_not_matter() -> None:
    table = random_answers(2, 7, 80, 3)
    forth = compute(table, MultiplicityParams(epsilon=0.1))
    back = compute(table.select(list(table.contenders[::-1])), MultiplicityParams(epsilon=0.1))
    assert set(forth.level_set) == set(back.level_set)
    for name in ("baseline", "ambiguity", "discrepancy", "discrepancy_contender", "probability_ambiguity", "n"):
        assert getattr(forth, name) == getattr(back, name)
    assert forth.disagreement.tolist() == back.disagreement[::-1, ::-1].tolist()
    assert forth.capacity == pytest.approx(back.capacity, abs=1e-6)


@pytest.mark.parametrize("metric", ["log-loss", "brier"])
def test_other_metrics_choose_their_own_level_set(metric: str) -> None:
    table = random_answers(3, 6, 120, 3)
    result = compute(table, MultiplicityParams(epsilon=0.02, metric=metric))
    assert table.probabilities is not None
    charged = []
    for row in table.probabilities:
        right = [row[i, table.gold[i]] for i in range(120)]
        truth = np.eye(3)[table.gold]
        charged.append(-np.mean(np.log(right)) if metric == "log-loss" else ((row - truth) ** 2).sum(axis=1).mean())
    assert result.baseline == f"c{int(np.argmin(charged))}"
    assert result.level_set == tuple(f"c{row}" for row in range(6) if charged[row] - min(charged) <= 0.02)
    with pytest.raises(BadTable, match="needs probabilities"):
        compute(random_answers(3, probable=False), MultiplicityParams(metric=metric))


def test_certain_verdicts_need_many_samples() -> None:
    few, many = random_answers(1, 2, 40, 2), random_answers(1, 2, 40, 2)
    labels = np.tile(many.labels[:1], (3, 500))
    gold = labels[0].copy()
    labels[2, : len(gold) // 2] = 1 - gold[: len(gold) // 2]
    names = tuple(map(str, range(len(gold))))
    large = AnswerTable(tuple("abc"), names, ("A", "B"), labels, labels == gold, gold)
    assert compute(large, MultiplicityParams(epsilon=0.01)).level.verdict == ("in", "in", "out")
    assert compute(few, MultiplicityParams(epsilon=0.01)).level.verdict.count("undecided") == 1


def test_dropped_samples_are_counted_and_their_contender_named() -> None:
    table = random_answers(4, 3, 30, 3)
    labels = table.labels.copy()
    labels[1, :5] = -1
    result = compute(replace(table, labels=labels), MultiplicityParams())
    assert (result.n, result.dropped) == (25, 5)
    assert "not answered by c1" in result.warnings[0]


def test_names_of_the_answers_do_not_matter() -> None:
    """Free answers, hundreds of them: the same report as with the few that are compared on each sample."""
    table = random_answers(7, 6, 80, 3, probable=False)
    texts = tuple(f"{choice}{sample}" for sample in range(80) for choice in table.choices)
    free = replace(table, choices=texts, labels=table.labels + 3 * np.arange(80), gold=table.gold + 3 * np.arange(80))
    few, many = (compute(one, MultiplicityParams(epsilon=1)) for one in (table, free))
    for name in ("ambiguity", "discrepancy", "obscurity", "pairwise_disagreement"):
        assert getattr(few, name) == getattr(many, name)
    assert few.samples.dissenters.tolist() == many.samples.dissenters.tolist()
    assert few.samples.self_consistency.tolist() == many.samples.self_consistency.tolist()


def test_groups_add_up() -> None:
    result = compute(random_answers(5, 6, 101, 3), MultiplicityParams(epsilon=1))
    assert [group.name for group in result.groups] == ["x", "y"]
    assert sum(group.n * group.ambiguity for group in result.groups) == pytest.approx(101 * result.ambiguity)


def test_a_repeated_run_measures_noise_and_does_not_compete() -> None:
    table = random_answers(6, 5, 100, 3)
    result = compute(table, MultiplicityParams(epsilon=1, repeat="c0=c4"))
    assert "c4" not in result.contenders
    assert result.noise_floor == (table.labels[0] != table.labels[4]).mean() == noise_floor(table, "c0", "c4")
    for wrong in ("c0", "c0=c0"):
        with pytest.raises(BadParameter):
            compute(table, MultiplicityParams(repeat=wrong))


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(BadParameter, match="no contender “z”"):
        compute(random_answers(1), MultiplicityParams(baseline="z"))


def test_scores_of_right_and_wrong_will_do() -> None:
    values = np.array([[1.0, 1, 0, 0], [1, 0, 1, 0]])[:, :, None]
    result = compute(ScoreTable(("a", "b"), ("x",), tuple(("x", i) for i in range(4)), values), MultiplicityParams())
    assert (result.ambiguity, result.level_set) == (0.5, ("a", "b"))


def test_exact_ties_between_choices_are_counted() -> None:
    table = random_answers(1, 2, 20, 3)
    assert table.probabilities is not None
    probabilities = table.probabilities.copy()
    probabilities[1, :7] = [0.4, 0.4, 0.2]
    result = compute(replace(table, probabilities=probabilities), MultiplicityParams())
    assert result.probable is not None
    assert result.probable.ties[1] >= 7


def test_flips_of_a_variant_by_hand() -> None:
    gold = np.array([0, 0, 0, 0, 0])
    labels = np.array([[0, 0, 1, 1, 1], [0, 1, 0, 2, 1]])
    probabilities = np.full((2, 5, 3), 0.2)
    np.put_along_axis(probabilities, labels[:, :, None], 0.6, axis=2)
    found = flips(
        AnswerTable(("r", "v"), tuple("stuvw"), tuple("abc"), labels, labels == gold, gold, probabilities), "r", "v"
    )
    assert (found.right_to_wrong, found.wrong_to_right, found.wrong_to_other_wrong, found.changes) == (1, 1, 1, 3)
    assert found.conflict == 0.6
    assert found.mean_divergence == pytest.approx(0.6 * 0.4 * np.log(3))
    assert [one for one in found.margins if one[1]] == [(0.4, 5, 3)]


def test_independent_errors_meet_by_the_choices_that_each_sample_has() -> None:
    rng = np.random.default_rng(3)
    n = 20_000
    sizes = np.where(np.arange(n) < n // 2, 3, 0)  # the second half is written freely: wrong answers never meet
    labels = np.stack([np.where(sizes > 0, rng.integers(1, 3, n), 10 + who) for who in range(2)])
    right = rng.random((2, n)) < 0.6
    labels[right] = 0
    names = tuple(map(str, range(n)))
    table = AnswerTable(("a", "b"), names, tuple(map(str, range(12))), labels, right, np.zeros(n, int), sizes=sizes)
    found = compute(table, MultiplicityParams(epsilon=1.0))
    assert table.luck == 0.25
    assert found.excess_agreement[0, 1] == pytest.approx(0, abs=0.01)
    assert table.take(np.arange(5)).luck == 0.5
