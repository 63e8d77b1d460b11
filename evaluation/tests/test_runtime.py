"""Idealized runtimes: the formula's own cases, and fits that find what made the data."""

import numpy as np
import pytest

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.runtime import Runtime, fit_runtime

MEASURED = Runtime({128: 0.1, 512: 0.3}, per_token=0.02)


def test_prompts_take_their_part_of_the_next_measured_length():
    assert MEASURED.encoding([64, 128, 256, 512, 1024]) == pytest.approx([0.05, 0.1, 0.15, 0.3, 0.6])


def test_the_first_output_token_comes_with_the_prompt():
    assert MEASURED.seconds([128, 128, 128], [0, 1, 11]) == pytest.approx([0.1, 0.1, 0.3])
    assert MEASURED.cost_usd([128], [11], hour_usd=36.0) == pytest.approx([0.003])


def test_a_fit_finds_the_times_behind_the_data():
    rng = np.random.default_rng(2)
    p, o = rng.integers(10, 900, 500), rng.integers(1, 200, 500)
    exact = fit_runtime(p, o, 0.5 + 0.001 * p + 0.02 * (o - 1))
    assert (exact.overhead, exact.read, exact.write) == pytest.approx((0.5, 0.001, 0.02), rel=1e-6)
    assert exact.spread < 1e-9
    assert exact.tokens_per_second == pytest.approx(50)
    noisy = fit_runtime(p, o, 0.5 + 0.001 * p + 0.02 * (o - 1) + rng.normal(0, 0.1, 500))
    assert noisy.write == pytest.approx(0.02, rel=0.02)
    assert noisy.spread == pytest.approx(0.1, rel=0.15)


def test_no_time_is_negative_and_holes_are_left_out():
    p, o = np.array([10.0, 20, 30, 40, 50, np.nan]), np.array([5.0, 1, 4, 2, 3, 9])
    found = fit_runtime(p, o, 0.1 + 0.01 * (o - 1) - 0.0001 * np.nan_to_num(p))
    assert found.read == 0.0
    assert found.n == 5


@pytest.mark.parametrize(("p", "o"), [([1, 2, 3], [1, 2, 3]), ([5, 5, 5, 5], [1, 2, 3, 4]), ([1, 2, 3, 4], [7] * 4)])
def test_too_little_is_refused(p, o):
    with pytest.raises(NotEnoughData):
        fit_runtime(p, o, np.ones(len(p)))


def test_impossible_measurements_are_refused():
    with pytest.raises(BadParameter):
        Runtime({}, 0.1)
    with pytest.raises(BadParameter):
        Runtime({1: 0.1}, -0.1)
