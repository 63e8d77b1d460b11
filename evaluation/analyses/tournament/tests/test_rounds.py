"""Round scores: directions, missing scores, scales, ties of decimal sums."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.analyses.tournament.rounds import Places, Redrawn, parse_rounds, round_score, round_strengths
from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tables import BenchmarkTable

NAN = float("nan")


def table(rows: list[list[float]], **fields: object) -> BenchmarkTable:
    mean = np.array(rows)
    names = tuple("abcdefgh"[: mean.shape[0]]), tuple("uvwxyz"[: mean.shape[1]])
    return BenchmarkTable(*names, mean, **fields)  # type: ignore[arg-type]


def places(
    source: BenchmarkTable, rounds: str = "", *, round_score: str = "raw", missing: str = "strict"
) -> list[list[int]]:
    parsed = parse_rounds(rounds, source.benchmarks)
    made = round_strengths(source, parsed, round_score=round_score, missing=missing, resample=False)
    return [one.places.tolist() for one in made if isinstance(one, Places)]


def test_rounds_follow_the_suite_by_default() -> None:
    assert parse_rounds("", ("a", "b c")) == (("a",), ("b c",))
    assert parse_rounds(" a , b ;c; a", ("a", "b", "c")) == (("a", "b"), ("c",), ("a",))


@pytest.mark.parametrize(
    ("text", "message"), [("a;x", "Round 2 names the unknown benchmark “x”"), ("a;", "empty"), ("a,a", "twice")]
)
def test_rounds_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(BadParameter, match=message) as caught:
        parse_rounds(text, ("a", "b"))
    assert caught.value.field == "rounds"


def test_lower_is_better_is_turned() -> None:
    assert places(table([[1, 1], [2, 2], [3, 3]], higher_is_better=(True, False))) == [[0, 1, 2], [2, 1, 0]]


def test_equal_scores_are_tied_and_said_to_be() -> None:
    (tied, free) = round_strengths(
        table([[1, 1], [1, 2]]), (("u",), ("v",)), round_score="raw", missing="strict", resample=False
    )
    assert (tied.tied, free.tied) == (True, False)


def test_a_round_of_several_is_their_mean() -> None:
    assert places(table([[1, 9], [6, 5], [5, 5]]), "u,v") == [[0, 1, 0]]


def test_equal_decimal_sums_tie_although_binary_sums_differ() -> None:
    assert 0.1 + 0.7 != 0.2 + 0.6
    assert places(table([[0.1, 0.7], [0.2, 0.6]]), "u,v") == [[0, 0]]


def test_neighbouring_scores_of_one_benchmark_do_not_tie() -> None:
    assert places(table([[1.0], [np.nextafter(1.0, 2)]])) == [[0, 1]]


def test_z_scores_weigh_benchmarks_by_their_spread() -> None:
    source = table([[0.0, 1000.0], [0.6, 0.0], [1.0, 400.0]])
    assert places(source, "u,v") == [[2, 0, 1]]
    assert places(source, "u,v", round_score="z-score") == [[1, 0, 2]]
    values = round_score(source.mean, "z-score", "strict")
    expected = ((source.mean - source.mean.mean(axis=0)) / source.mean.std(axis=0)).mean(axis=1)
    assert np.allclose(values / np.abs(values).max(), expected / np.abs(expected).max(), atol=1e-11)


def test_ranks_forget_distances() -> None:
    source = table([[0.0, 1000.0], [0.6, 0.0], [1.0, 1.0]])
    assert places(source, "u,v", round_score="rank") == [[1, 0, 2]]


def test_a_benchmark_without_spread_says_nothing() -> None:
    source = table([[1.0, 2.0], [1.0, 1.0]])
    for method in ("z-score", "rank"):
        assert places(source, "u,v", round_score=method) == [[1, 0]]


def test_strict_names_every_hole_it_refuses() -> None:
    with pytest.raises(NotEnoughData, match="b on u; a on v") as caught:
        places(table([[1.0, NAN], [NAN, 2.0]]))
    assert caught.value.field == "missing"


def test_strict_ignores_benchmarks_that_are_not_played() -> None:
    assert places(table([[1.0, NAN], [2.0, NAN]]), "u") == [[0, 1]]


def test_available_takes_the_mean_of_what_is_there() -> None:
    assert places(table([[1.0, NAN], [2.0, 4.0], [3.0, 4.0]]), "u,v", missing="available") == [[0, 1, 2]]
    with pytest.raises(NotEnoughData, match="a on v"):
        places(table([[1.0, NAN], [2.0, 4.0]]), missing="available")


@pytest.mark.parametrize("method", ["raw", "z-score", "rank"])
def test_lose_puts_holes_below_everyone_and_ties_them(method: str) -> None:
    source = table([[NAN, 9.0], [0.0, 0.0], [NAN, NAN], [1.0, 1.0]])
    assert places(source, "u", missing="lose", round_score=method) == [[0, 1, 0, 2]]
    assert places(source, "u,v", missing="lose", round_score=method) == [[0, 1, 0, 2]]


def test_redrawn_scores_have_the_asked_mean_and_error() -> None:
    source = table([[1.0, 5.0], [2.0, 7.0]], standard_error=np.array([[0.5, 0.1], [0.2, 0.3]]))
    made = round_strengths(source, (("u",), ("v",)), round_score="raw", missing="strict", resample=True)
    for column, redrawn in enumerate(made):
        assert isinstance(redrawn, Redrawn)
        drawn = redrawn.draw(np.random.default_rng(1), 100_000)
        assert drawn.shape == (2, 100_000)
        assert np.allclose(drawn.mean(axis=1), source.mean[:, column], atol=0.01)
        assert source.standard_error is not None
        assert np.allclose(drawn.std(axis=1), source.standard_error[:, column], rtol=0.02)


def test_redrawing_needs_standard_errors() -> None:
    for errors in (None, np.array([[0.1], [NAN]])):
        with pytest.raises(NotEnoughData, match="standard error") as caught:
            round_strengths(
                table([[1.0], [2.0]], standard_error=errors),
                (("u",),),
                round_score="raw",
                missing="strict",
                resample=True,
            )
        assert caught.value.field == "resample"
