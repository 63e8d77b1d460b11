"""Tables of costs for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from evaluation.costs import CostTable

CORRECT = [[1, 0, 0], [1, 1, 0]]
PRICES = (2.0, 3.0)


def table_of(correct: Any, cost: Any, expert: float = 10.0, **more: Any) -> CostTable:
    """A table of one benchmark from (contender, sample) or (contender, sample, attempt) numbers; contenders A, B"""
    right, price = np.array(correct, dtype=np.float64), np.array(cost, dtype=np.float64)
    if right.ndim == 2:
        right, price = right[:, :, None], price[:, :, None]
    contenders = tuple(chr(ord("A") + row) for row in range(right.shape[0]))
    samples = tuple(("b", str(column)) for column in range(right.shape[1]))
    return CostTable(contenders, ("b",), samples, right, price, np.array([expert]), **more)


def worked(**more: Any) -> CostTable:
    """Two contenders, three samples, one attempt: A passes the first for 2, B the first two for 3 each."""
    return table_of(CORRECT, [[price] * 3 for price in PRICES], **more)


@st.composite
def cost_tables(draw: Any) -> CostTable:
    """Small tables with holes: attempts that were not made, and such that lack one number."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(1, 3)))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    correct = rng.integers(0, 2, shape).astype(np.float64)
    cost = np.round(rng.lognormal(0, 1, shape), 3)
    correct[rng.random(shape) < 0.1] = np.nan
    cost[rng.random(shape) < 0.1] = np.nan
    absent = rng.random(shape) < 0.1
    correct[absent], cost[absent] = np.nan, np.nan
    return table_of(correct, cost, draw(st.floats(0.01, 50)))
