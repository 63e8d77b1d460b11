"""Routing: the plane's worked cases, pairs, and routers that are only told what they may know."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.analyses.routes.chains import chain, learned_chain
from evaluation.analyses.routes.pairs import area, compare_pair, needed, recovered
from evaluation.analyses.routes.plane import average_quality, height, hull, oracle, undominated
from evaluation.analyses.routes.routers import cascade, folds, learned, route
from evaluation.analyses.routing import RoutingParams, compute
from evaluation.errors import BadParameter, NotEnoughData
from evaluation.routes import RouteTable

COST, QUALITY = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.7, 0.8])
places = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12)


def test_the_hull_and_its_area_in_the_worked_case():
    assert hull(COST, QUALITY).tolist() == [0, 1, 2]
    assert average_quality(COST, QUALITY, 1, 4) == pytest.approx(0.7)
    more = np.r_[COST, 3.0], np.r_[QUALITY, 0.72]
    assert hull(*more).tolist() == [0, 1, 2]
    assert undominated(*more).tolist() == [0, 1, 3, 2]
    assert average_quality(*more, 1, 4) == pytest.approx(0.7)
    # Beyond its last corner a router keeps its quality.
    assert average_quality(COST, QUALITY, 1, 8) == pytest.approx((0.7 * 3 + 0.8 * 4) / 7)


@given(places)
def test_the_hull_is_concave_never_falls_and_lies_on_no_side_but_above(points):
    cost, quality = (np.array(values, dtype=float) for values in zip(*points, strict=True))
    corners = hull(cost, quality)
    slopes = np.diff(quality[corners]) / np.diff(cost[corners])
    assert (slopes > 0).all()
    assert (np.diff(slopes) <= 1e-9).all()
    assert (height(cost, quality, cost) >= quality - 1e-9).all()
    assert set(corners.tolist()) <= set(undominated(cost, quality).tolist())


def test_a_coin_closes_half_of_the_gap():
    score = np.vstack([np.r_[np.ones(6), np.zeros(4)], np.r_[np.ones(8), np.zeros(2)]])
    table = RouteTable(("weak", "strong"), tuple("abcdefghij"), score, np.array([[1.0] * 10, [5.0] * 10]))
    pair = compare_pair(table, "strong", "weak", [])
    assert (pair.weak_quality, pair.strong_quality, pair.router) == (0.6, 0.8, "random")
    assert recovered(np.array([0.7]), 0.6, 0.8)[0] == pytest.approx(0.5)
    assert pair.apgr == pytest.approx(0.5)
    assert pair.cpt == {"20": pytest.approx(0.2), "50": pytest.approx(0.5), "80": pytest.approx(0.8)}
    with pytest.raises(BadParameter, match="not better"):
        compare_pair(table, "weak", "strong", [])


def test_confidence_that_knows_closes_the_gap_at_once():
    score = np.array([[1.0, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    sure = np.array([[9.0, 8, 7, 1, 2], [0] * 5])
    table = RouteTable(("weak", "strong"), tuple("abcde"), score, np.ones((2, 5)), confidence=sure)
    pair = compare_pair(table, "strong", "weak", [])
    assert pair.pgr == pytest.approx([0, 0.5, 1, 1, 1, 1])
    assert pair.apgr == pytest.approx(area(pair.share, pair.pgr)) == pytest.approx(0.8)
    assert needed(pair.share, pair.pgr, 0.8) == pytest.approx(0.32)
    # The same doubt everywhere is no knowledge: a straight line.
    same = replace(table, confidence=np.zeros((2, 5)))
    assert compare_pair(same, "strong", "weak", []).apgr == pytest.approx(0.5)


def subjects(seed=0, size=400):
    """Two cheap specialists and a dear generalist; prompts say what they are about."""
    rng = np.random.default_rng(seed)
    category = np.array(["sums", "towns"])[rng.integers(0, 2, size)]
    sums = category == "sums"
    skill = np.vstack([np.where(sums, 0.9, 0.2), np.where(sums, 0.2, 0.9), np.full(size, 0.9)])
    score = (rng.random((3, size)) < skill).astype(float)
    cost = np.array([1.0, 1.1, 10.0])[:, None] * rng.uniform(0.9, 1.1, (3, size))
    numbers = rng.integers(10, 99, (size, 2))
    prompts = tuple(
        f"what is {a} + {b} ?" if one else f"capital of town {a} {b}"
        for one, (a, b) in zip(sums.tolist(), numbers.tolist(), strict=True)
    )
    sure = np.clip(skill * 0.8 + rng.normal(0, 0.05, (3, size)), 0, 1)
    names = tuple(f"q{at}" for at in range(size))
    return RouteTable(("adder", "guide", "both"), names, score, cost, tuple(category.tolist()), prompts, sure)


def test_routers_that_know_the_subject_save_most_of_the_money():
    result = compute(subjects(), RoutingParams(resamples=200))
    by_name = {router.name: router for router in result.routers}
    assert set(by_name) == {"single", "category", "neighbours", "cluster", "regression", "cascade", "chain", "bandit"}
    assert by_name["single"].nearly.relative_cost == pytest.approx(1.0)
    for name in ("category", "neighbours", "cluster", "regression", "cascade", "chain"):
        saved = by_name[name].nearly
        assert saved.relative_cost < (0.9 if name == "neighbours" else 0.5), name
        assert saved.low <= saved.relative_cost <= saved.high
        assert by_name[name].aiq > result.aiq
    assert "of its cost, 95 % interval" in result.verdict
    assert result.oracle.quality >= result.quality.max()
    assert (result.apgr, result.cpt) == (result.pair.apgr, result.pair.cpt)


def test_a_router_is_never_shown_what_it_is_judged_on():
    """Random labels: whatever is learned in training, on other samples it is worth nothing."""
    rng = np.random.default_rng(3)
    score = rng.integers(0, 2, (8, 300)).astype(float)
    names = tuple(f"q{at}" for at in range(300))
    told = RouteTable(tuple("abcdefgh"), names, score, np.ones((8, 300)), names, confidence=rng.random((8, 300)))
    parts = folds(told, 5, 1, False)
    assert sorted(np.concatenate(parts).tolist()) == list(range(300))
    for outcome in [
        route(told, "category", learned(told)["category"], parts),
        cascade(told, parts),
        chain(told, parts),
    ]:
        assert outcome.score[0].mean() < score.mean(axis=1).max() + 0.03
    # The test part of a fold can be changed at will: what is chosen there stays the same.
    other = score.copy()
    other[:, parts[0]] = 1 - other[:, parts[0]]
    before, after = (
        route(one, "category", learned(told)["category"], parts) for one in (told, replace(told, score=other))
    )
    assert (before.score[:, parts[0]] == 1 - after.score[:, parts[0]]).all()


def ladder(size=3000):
    """Three contenders of rising cost, each right where it is sure: a third of the questions is for each."""
    level = np.random.default_rng(4).integers(0, 3, size)
    able = np.arange(3)[:, None] >= level
    names = tuple(f"q{at}" for at in range(size))
    cost = np.array([1.0, 10.0, 100.0])[:, None] * np.ones((3, size))
    return RouteTable(("low", "middle", "high"), names, able.astype(float), cost, confidence=able * 1.0)


def test_a_chain_asks_each_only_where_all_before_were_unsure():
    table = ladder()
    parts = folds(table, 2, 1, False)
    by_chain, by_pair = chain(table, parts), cascade(table, parts)

    right = by_chain.score.mean(axis=1) == 1
    shares = np.array([1.0, 2 / 3, 1 / 3])
    assert by_chain.cost_usd.mean(axis=1)[right].min() == pytest.approx(shares @ [1, 10, 100], rel=0.05)
    assert by_pair.cost_usd.mean(axis=1)[by_pair.score.mean(axis=1) == 1].min() > 1.05 * shares @ [1, 10, 100]
    assert by_chain.asked[right][0] == pytest.approx(shares, abs=0.05)
    verdict = compute(table, RoutingParams(resamples=0)).verdict
    assert verdict.startswith("A cascade keeps 99 % of the quality of high at")


def test_two_contenders_make_the_same_chain_and_pair():
    table = ladder()
    two = replace(
        table, contenders=("low", "high"), score=table.score[::2], cost_usd=table.cost_usd[::2],
        confidence=table.confidence[::2],
    )  # fmt: skip
    parts = folds(two, 2, 1, False)

    assert (chain(two, parts).cost_usd == cascade(two, parts).cost_usd).all()


def test_money_is_nothing_asks_the_best_alone_or_nothing_better_exists():
    table = ladder(300)
    steps = learned_chain(table, table.confidence, [0, 1, 2], np.arange(300), 1e6)

    assert [step.row for step in steps] == [0], "money is all"


def test_a_category_left_out_is_judged_by_the_others():
    table = subjects()
    left = compute(table, RoutingParams(leave_out=True, resamples=0))
    by_name = {router.name: router for router in left.routers}
    assert by_name["category"].nearly.relative_cost is None or by_name["category"].nearly.relative_cost > 0.5
    assert by_name["category"].nearly.low is None


def test_missing_costs_are_missing():
    table = subjects(size=40)
    cost = table.cost_usd.copy()
    cost[1, :3] = np.nan
    result = compute(replace(table, cost_usd=cost), RoutingParams(resamples=0))
    assert (result.n, result.dropped) == (37, 3)
    assert "guide" in result.warnings[0]
    with pytest.raises(NotEnoughData, match="guide"):
        compute(replace(table, cost_usd=np.where([[False], [True], [False]], np.nan, cost)), RoutingParams())


def test_few_samples_still_have_a_plane():
    names = ("a", "b")
    result = compute(RouteTable(names, ("x",), np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]])), RoutingParams())
    assert result.routers == ()
    assert oracle(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]])) == (1.0, 3.0)
    assert result.pareto[-1].contender == "b"
    with pytest.raises(BadParameter, match="no contender"):
        compute(subjects(size=20), RoutingParams(strong="nobody"))
