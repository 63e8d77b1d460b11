"""What quantisation changes: by plain loops, against statsmodels and scipy, and the sentence that it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.analyses.quantization import QuantizationParams, compute, divergence
from evaluation.answers import HOLE, AnswerTable
from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tests.answers import random_answers

NAMES = ("m@fp32", "m@int8", "m@int4", "k@bf16", "k@nf4")


def table(n: int = 400) -> AnswerTable:
    return replace(random_answers(8, 5, n, 4), contenders=NAMES)


def test_each_entry_is_compared_with_its_own_reference() -> None:
    result = compute(table(), QuantizationParams())
    assert result.reference == ("m@fp32", "m@fp32", "m@fp32", "k@bf16", "k@bf16")
    assert np.isnan(result.difference).tolist() == [True, False, False, True, False]
    assert result.verdicts[0] == result.verdicts[3] == ""


def test_counts_equal_plain_loops() -> None:
    answers = table()
    result = compute(answers, QuantizationParams())
    for row, reference in ((1, 0), (2, 0), (4, 3)):
        was, now = answers.labels[reference].tolist(), answers.labels[row].tolist()
        gold = answers.gold.tolist()
        lost = sum(a == g != b for a, b, g in zip(was, now, gold, strict=True))
        won = sum(b == g != a for a, b, g in zip(was, now, gold, strict=True))
        other = sum(g not in (a, b) and a != b for a, b, g in zip(was, now, gold, strict=True))
        found = (result.lost.count[row], result.won.count[row], result.other_wrong.count[row])
        assert found == (lost, won, other)
        assert result.changed.count[row] == lost + won + other
        assert result.difference[row] == pytest.approx((won - lost) / 400)
        assert result.difference[row] == pytest.approx(result.accuracy[row] - result.accuracy[reference])
        assert result.low[row] < result.difference[row] < result.high[row]
        assert result.changed.low[row] < result.changed.share[row] < result.changed.high[row]


@pytest.mark.oracle
def test_p_values_equal_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    result = compute(table(), QuantizationParams())
    rows = [1, 2, 4]
    pairs = [(result.won.count[row], result.lost.count[row]) for row in rows]
    expected = [mcnemar([[0, won], [lost, 0]], exact=True).pvalue for won, lost in pairs]
    assert result.p[rows] == pytest.approx(expected, abs=1e-12)
    assert result.p_adjusted[rows] == pytest.approx(multipletests(expected, method="holm")[1], abs=1e-12)


def test_divergence_is_that_of_scipy_and_infinite_where_a_choice_is_ruled_out() -> None:
    from scipy.special import rel_entr

    rng = np.random.default_rng(1)
    first, second = rng.dirichlet(np.ones(4), size=(2, 50))
    assert divergence(first, second) == pytest.approx(rel_entr(first, second).sum(axis=1))
    assert divergence(first, first).tolist() == [0.0] * 50
    some = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert divergence(some, some[::-1]).tolist() == [np.inf, pytest.approx(np.log(2))]


def test_mean_and_tail_of_the_divergence_are_over_samples() -> None:
    answers = table()
    result = compute(answers, QuantizationParams())
    assert answers.probabilities is not None
    assert result.kl_mean is not None
    assert result.kl_p95 is not None
    one = np.sort(divergence(answers.probabilities[0], answers.probabilities[2]))
    assert result.kl_mean[2] == pytest.approx(one.mean())
    assert result.kl_p95[2] == one[380]
    assert result.kl_mean[0] == 0


def test_flips_happen_where_the_reference_hesitated() -> None:
    answers = table(2_000)
    result = compute(answers, QuantizationParams(bins=4))
    margins = result.margins
    assert margins is not None
    assert (margins.samples.sum(axis=1) == 2_000).all()
    assert (margins.flips.sum(axis=1) == result.changed.count).all()
    shares = margins.flips[2] / margins.samples[2]
    assert shares[0] > 3 * shares[-1]
    assert (np.diff(margins.edges, axis=1) >= 0).all()
    assert margins.of_flips[2] < np.median(np.diff(np.sort(answers.probabilities[0], axis=1)[:, -2:]))
    assert np.isnan(margins.of_flips[0])


def test_the_verdict_tells_cost_from_noise_and_never_hides_change() -> None:
    n = 1_030
    gold = np.zeros(n, dtype=np.int64)
    reference, coarse, close = gold.copy(), gold.copy(), gold.copy()
    reference[:100] = 1
    coarse[:100], coarse[100:134], coarse[:25] = 1, 2, 2
    close[:100], close[3], close[200] = 1, 0, 3
    labels = np.stack([reference, close, coarse])
    answers = AnswerTable(
        ("m@fp32", "m@int8", "m@int4"), tuple(map(str, range(n))), tuple("abcd"), labels, labels == gold, gold
    )
    result = compute(answers, QuantizationParams())
    assert result.verdict == (
        "m@int8 is indistinguishable at 1,030 samples (0.2 % of the answers change); "
        "m@int4 costs 3.3 points and changes 5.7 % of the answers."
    )
    assert (result.kl_mean, result.margins) == (None, None)
    back = compute(answers, QuantizationParams(reference="m@int4"))
    assert "m@fp32 gains 3.3 points" in back.verdict
    assert back.reference == ("m@int4",) * 3


def test_equal_accuracy_can_hide_that_many_answers_changed() -> None:
    """40 lost and 40 won cancel: no loss at all, and 20 % of the answers are others."""
    gold = np.zeros(400, dtype=np.int64)
    labels = np.zeros((2, 400), dtype=np.int64)
    labels[0, :40], labels[1, 40:80] = 1, 1
    answers = AnswerTable(("a@bf16", "a@nf4"), tuple(map(str, range(400))), tuple("ab"), labels, labels == gold, gold)
    result = compute(answers, QuantizationParams())
    assert (result.difference[1], result.p[1], result.changed.share[1]) == (0, 1, 0.2)
    assert result.verdict == "a@nf4 is indistinguishable at 400 samples (20 % of the answers change)."


def test_holes_cost_only_their_own_entry_samples() -> None:
    answers = table()
    labels = answers.labels.copy()
    labels[4, :50] = HOLE
    result = compute(replace(answers, labels=labels), QuantizationParams())
    assert result.n.tolist() == [400, 400, 400, 350, 350]
    assert result.warnings == ("50 samples were left out: not answered by k@nf4.",)


def test_who_has_no_reference_is_named() -> None:
    answers = replace(table(), contenders=("m@fp32", "m@int8", "m@int4", "k@int8", "k@nf4"))
    result = compute(answers, QuantizationParams())
    assert result.contenders == ("m@fp32", "m@int8", "m@int4")
    assert result.warnings[0] == "k@int8 has no reference and was left out."
    with pytest.raises(NotEnoughData, match="None of k@int8, k@nf4 can be compared"):
        compute(answers.select(["k@int8", "k@nf4"]), QuantizationParams())
    with pytest.raises(BadParameter, match="no contender “x”"):
        compute(answers, QuantizationParams(reference="x"))


def test_references_alone_compare_nothing_and_say_so() -> None:
    result = compute(table().select(["m@fp32", "k@bf16"]), QuantizationParams())
    assert result.verdict.startswith("Nothing is compared")
    assert np.isnan(result.p_adjusted).all()


def test_names_without_schemes_are_compared_with_the_first() -> None:
    result = compute(random_answers(2), QuantizationParams())
    assert set(result.reference) == {"c0"}


def test_a_probability_of_zero_is_reported() -> None:
    answers = table()
    assert answers.probabilities is not None
    probabilities = answers.probabilities.copy()
    probabilities[1, :3] = [1, 0, 0, 0]
    result = compute(replace(answers, probabilities=probabilities), QuantizationParams())
    assert result.kl_mean is not None
    assert result.kl_p95 is not None
    assert result.kl_mean[1] == np.inf
    assert np.isfinite(result.kl_p95[1])
    assert "m@int8 gives probability 0" in result.warnings[0]
