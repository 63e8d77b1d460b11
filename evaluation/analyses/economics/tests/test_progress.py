"""Progress never rises, and an exponential fall is found again."""

from __future__ import annotations

from datetime import date, timedelta
from math import exp, log

import numpy as np
import pytest

from evaluation.analyses.economics.progress import Step, progress, trend


def steps(values: list[float], every: int = 30) -> list[Step]:
    days = [(date(2024, 1, 1) + timedelta(days=every * number)).isoformat() for number in range(len(values))]
    return [Step(day, day, value, 0.0, 0.0) for day, value in zip(days, values, strict=True)]


def test_progress_goes_by_date_and_starts_from_the_expert() -> None:
    value = np.array([[4.0, 9.0], [np.inf, 2.0], [1.0, np.nan]])
    found = progress(value, np.array([5.0, 5.0]), ("2025-02-01", "2025-01-01", ""), ("a", "b", "c"))
    assert [(step.contender, step.value, step.gain) for step in found] == [("b", 3.5, 1.5), ("a", 3.0, 0.5)]
    assert found[0].relative_gain == pytest.approx(0.3)


def test_equal_dates_go_by_name() -> None:
    found = progress(np.array([[1.0], [2.0]]), np.array([5.0]), ("2025-01-01",) * 2, ("z", "y"))
    assert [(step.contender, step.value) for step in found] == [("y", 2.0), ("z", 1.0)]


def test_an_exponential_is_found_again() -> None:
    rate = log(2) / 120
    found = trend(steps([8 * exp(-rate * 30 * number) + 1.5 for number in range(12)]))
    assert found is not None
    assert (found.a, found.b, found.c) == pytest.approx((8, rate, 1.5), rel=1e-4)
    assert found.half_time == pytest.approx(120, rel=1e-4)
    assert (found.start, found.error) == ("2024-01-01", pytest.approx(0, abs=1e-6))


def test_a_floor_below_zero_is_put_at_zero() -> None:
    found = trend(steps([9.0, 6.2, 3.9, 2.1, 0.4, 0.2]))
    assert found is not None
    assert found.c >= 0


@pytest.mark.parametrize("values", [[9.0, 5.0, 3.0], [4.0] * 8, [9.0, 1.0, 1.0, 1.0, 1.0]])
def test_what_is_no_exponential_has_no_trend(values: list[float]) -> None:
    assert trend(steps(values)) is None
