"""What holds for every registered analysis. A new one needs a table in EXAMPLES only if it asks for other data."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import described, from_json, parse_params, to_json
from evaluation.answers import HOLE, AnswerTable
from evaluation.costs import CostTable
from evaluation.errors import NotEnoughData
from evaluation.features import FeatureTable
from evaluation.routes import RouteTable
from evaluation.tables import BenchmarkTable, ScoreTable

NAMES = tuple(f"model-{number}" for number in (3, 1, 2, 10, 7, 5, 9, 4, 8))


def means() -> BenchmarkTable:
    rng = np.random.default_rng(4)
    mean = np.round(rng.random((9, 5)), 1)
    return BenchmarkTable(NAMES, tuple("vwxyz"), mean, standard_error=np.full((9, 5), 0.05))


def samples() -> ScoreTable:
    values = np.random.default_rng(5).integers(0, 2, size=(9, 40, 2)).astype(np.float64)
    names = tuple((benchmark, index) for benchmark in "vw" for index in range(20))
    return ScoreTable(NAMES, ("v", "w"), names, values)


def answers() -> AnswerTable:
    rng = np.random.default_rng(6)
    labels, gold = rng.integers(0, 3, size=(9, 40)), rng.integers(0, 3, size=40)
    labels[:, :25] = gold[:25]
    names = tuple(f"question {index}" for index in range(40))
    probabilities = rng.dirichlet(np.ones(3), size=(9, 40))
    return AnswerTable(NAMES, names, tuple("abc"), labels, labels == gold, gold, probabilities, ("u", "v") * 20)


def routes() -> RouteTable:
    rng = np.random.default_rng(7)
    score, cost = rng.integers(0, 2, size=(9, 40)).astype(np.float64), rng.random((9, 40))
    names = tuple(f"question {index}" for index in range(40))
    return RouteTable(NAMES, names, score, cost, ("u", "v") * 20, confidence=rng.random((9, 40)))


def costs() -> CostTable:
    rng = np.random.default_rng(8)
    correct, cost = rng.integers(0, 2, size=(9, 40, 2)).astype(np.float64), rng.random((9, 40, 2))
    names = tuple((benchmark, str(index)) for benchmark in "vw" for index in range(20))
    return CostTable(NAMES, ("v", "w"), names, correct, cost, np.array([3.5, 20.0]), {"large": NAMES[:3]})


def features() -> FeatureTable:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(60, 3))
    labels = (rows @ [1.0, -0.5, 0.2] + rng.normal(size=60) > 0).astype(np.int64)
    return FeatureTable(("height", "width", "age"), rows, labels)


EXAMPLES: dict[str, Any] = {
    "means": means(),
    "samples": samples(),
    "answers": answers(),
    "routes": routes(),
    "costs": costs(),
    "features": features(),
}
every_analysis = pytest.mark.parametrize("name", ANALYSES)
every_order = pytest.mark.parametrize("name", [name for name, analysis in ANALYSES.items() if analysis.ranking])


def computed(name: str, table: Any = None) -> Any:
    analysis = ANALYSES[name]
    return analysis.compute(EXAMPLES[analysis.needs] if table is None else table, quick(name))


def quick(name: str) -> Any:
    """Default parameters, with few simulations."""
    params = ANALYSES[name].Params()
    if hasattr(params, "seeds"):
        params = replace(params, seeds=10)
    if hasattr(params, "samples"):
        params = replace(params, samples=20)
    return replace(params, iterations=2_000) if hasattr(params, "iterations") else params


def by_name(value: Any, contenders: tuple[str, ...]) -> Any:
    """Every part of a result that has one number per contender, keyed by name; the rest as it is."""
    if is_dataclass(value):
        return {item.name: by_name(getattr(value, item.name), contenders) for item in fields(value)}
    if isinstance(value, np.ndarray) and value.shape[:1] == (len(contenders),):
        return dict(zip(contenders, value.tolist(), strict=True))
    return to_json(value)


def reversed_rows(table: Any) -> Any:
    if isinstance(table, BenchmarkTable):
        return table.select(contenders=table.contenders[::-1])
    if isinstance(table, AnswerTable):
        return table.select(list(table.contenders[::-1]))
    if isinstance(table, RouteTable):
        return table.take(table.contenders[::-1], np.arange(len(table.samples)))
    return replace(table, contenders=table.contenders[::-1], values=table.values[::-1])


def with_a_hole(table: Any) -> Any:
    if isinstance(table, BenchmarkTable):
        mean = table.mean.copy()
        mean[0, 0] = np.nan
        return replace(table, mean=mean)
    if isinstance(table, AnswerTable):
        labels = table.labels.copy()
        labels[0, 0] = HOLE
        return replace(table, labels=labels)
    if isinstance(table, FeatureTable):
        rows = table.features.copy()
        rows[0, 0] = np.nan
        return replace(table, features=rows)
    if isinstance(table, RouteTable):
        score = table.score.copy()
        score[0, 0] = np.nan
        return replace(table, score=score)
    if isinstance(table, CostTable):
        cost = table.cost_usd.copy()
        cost[0, 0, 0] = np.nan
        return replace(table, cost_usd=cost)
    values = table.values.copy()
    values[0, 0] = np.nan
    return replace(table, values=values)


@every_analysis
def test_it_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    analysis = ANALYSES[name]
    assert analysis.title
    assert analysis.source
    assert analysis.version >= 1
    assert all(item.help for item in described(analysis.Params))


@every_analysis
def test_defaults_are_allowed_values(name: str) -> None:
    analysis = ANALYSES[name]
    defaults = {item.name: item.default for item in described(analysis.Params)}
    assert parse_params(analysis.Params, defaults) == analysis.Params()


@every_analysis
def test_result_is_frozen(name: str) -> None:
    result = computed(name)
    with pytest.raises(FrozenInstanceError):
        result.contenders = ()
    arrays = [getattr(result, item.name) for item in fields(result)]
    assert not any(array.flags.writeable for array in arrays if isinstance(array, np.ndarray))


@every_analysis
def test_same_input_same_result(name: str) -> None:
    assert to_json(computed(name)) == to_json(computed(name))


@every_analysis
def test_result_is_json_and_comes_back(name: str) -> None:
    result = computed(name)
    text = json.dumps(to_json(result), allow_nan=False)
    assert to_json(from_json(type(result), json.loads(text))) == json.loads(text)


@every_order
def test_order_of_rows_does_not_matter(name: str) -> None:
    table = EXAMPLES[ANALYSES[name].needs]
    ranking = ANALYSES[name].ranking
    assert ranking is not None
    forth, back = (ranking(computed(name, one)) for one in (table, reversed_rows(table)))
    assert forth.contenders == back.contenders[::-1]
    forth_named, back_named = by_name(forth, forth.contenders), by_name(back, back.contenders)
    assert forth_named | {"contenders": None} == back_named | {"contenders": None}


@every_analysis
def test_a_hole_is_refused_or_reported(name: str) -> None:
    analysis = ANALYSES[name]
    table, said, used = EXAMPLES[analysis.needs], "", None
    try:
        table = with_a_hole(table)
        result = analysis.compute(table, quick(name))
        used = analysis.ranking(result).benchmarks_used.tolist() if analysis.ranking else None
        said = " ".join(getattr(result, "warnings", ()))
    except NotEnoughData as error:
        said = error.message
    lacking = table.names[0] if isinstance(table, FeatureTable) else table.contenders[0]
    assert f"{lacking} " in f"{said} ".replace(".", " ") or used == [4, 5, 5, 5, 5, 5, 5, 5, 5]


@every_order
def test_equal_contenders_get_equal_ranks(name: str) -> None:
    analysis = ANALYSES[name]
    table = EXAMPLES[analysis.needs]
    twins = [0, 0, 2, 3, 4, 5, 6, 7, 8]
    if isinstance(table, BenchmarkTable):
        twin: Any = replace(table, mean=table.mean[twins])
    else:
        assert isinstance(table, ScoreTable)
        twin = replace(table, values=table.values[twins])
    assert analysis.ranking is not None
    ranking = analysis.ranking(analysis.compute(twin, quick(name)))
    assert ranking.rank_low[1] <= ranking.rank_high[0]
    assert ranking.rank_low[0] <= ranking.rank_high[1]


@every_order
def test_rank_intervals_hold_the_order_of_the_values(name: str) -> None:
    analysis = ANALYSES[name]
    assert analysis.ranking is not None
    ranking = analysis.ranking(computed(name))
    value = ranking.value if ranking.higher_is_better else -ranking.value
    for row, own in enumerate(value):
        assert ranking.rank_low[row] <= 1 + (value > own).sum()
        assert ranking.rank_high[row] >= len(value) - (value < own).sum()


def test_listing_analyses_loads_nothing_heavy() -> None:
    heavy = ("torch", "lm_eval", "transformers", "django", "scipy", "pandas", "pyarrow")
    code = f"import sys, evaluation.analyses; print([name for name in {heavy!r} if name in sys.modules])"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == "[]"
