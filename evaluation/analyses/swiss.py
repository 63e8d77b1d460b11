"""Swiss-system tournament over benchmarks: expected points of every contender.

After "LLM Swiss Round: Aggregating Multi-Benchmark Performance via Competitive Swiss-System Dynamics",
arXiv 2512.21010. All start with no points. Each round pairs contenders with equal points at random; the better round
score wins a point, equals toss a coin, the odd one out has a bye without a point. After the round T contenders of the
lowest group leave, drawn at random as in the paper's rule; breaking those ties by list order instead would give
identical contenders different points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import ceil, factorial, floor, log2
from types import MappingProxyType

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, Ranking, parameter
from evaluation.analyses.tournament.crosstable import Crosstable, crosstable
from evaluation.analyses.tournament.game import Game, Schedule
from evaluation.analyses.tournament.plan import seat_plan
from evaluation.analyses.tournament.rounds import MISSING, ROUND_SCORES, parse_rounds, round_strengths
from evaluation.analyses.tournament.simulation import generator
from evaluation.errors import BadParameter, BadTable
from evaluation.tables import BenchmarkTable, Floats, Integers
from evaluation.uncertainty import rank_intervals, separated, tie_groups, two_sided

MAIN, ORDERS, TRACE = range(3)  # independent streams of one seed
ORDER_ITERATIONS = 20_000
MUCH_BYE = 0.25
SECONDS_PER_SEAT, SECONDS_PER_SCORE = 1e-8, 5e-8  # in one round of one simulation, rounded up
ELIMINATE_HELP = "Write “0,1,2” for three tournaments, “0/1/1” for one number after each of three rounds."


@dataclass(frozen=True)
class SwissParams:
    """How the tournament is played. Text fields have the same grammar on the command line, in forms and in REST."""

    rounds: str = parameter("", "Rounds as “a,b;c;d”: a semicolon ends a round; empty: one benchmark a round, in order")
    eliminate: str = parameter(
        "0,1,2", "Eliminated after each round; commas separate tournaments, “0/1/1” is per round"
    )
    iterations: int = parameter(100_000, "Simulated tournaments", minimum=2, maximum=20_000_000)
    seed: int = parameter(1, "Seed of all random numbers", minimum=0, maximum=2**63 - 1)
    missing: str = parameter("strict", "A missing score is refused, left out of its round, or loses", choices=MISSING)
    round_score: str = parameter("raw", "Scale of a benchmark inside a round of several", choices=ROUND_SCORES)
    resample: bool = parameter(False, "Redraw each score from Normal(score, standard error) in every simulation")
    orders: int = parameter(0, "Random orders of the rounds to compare; 0 for none", minimum=0, maximum=1_000)
    exact: bool = parameter(True, "Exact answer instead of simulation for up to 8 contenders and 4 rounds")
    crosstable: bool = parameter(True, "One tournament in full, with opponents' points")


@dataclass(frozen=True, eq=False)
class Tournament(Frozen):
    """One elimination schedule; arrays over contenders are in the result's `contenders` order.

    expected_points, standard_error: E[S] and its simulation error (0 only when exact or without any variance).
    distribution: (contender, s) P(S = s). rank_of_points: (s,) the rank of whoever ends with s points, equals sharing
    the best. rank_or_better: (contender, s) P(rank <= rank_of_points[s]).
    rank_low, rank_high, tie_group: ranks that 95 % intervals of differences cannot separate; groups from the top.
    byes: expected byes. bye_share: share of the active that sit out, per round played.
    final_points: points of all contenders, sorted upwards: the same in every simulation.
    order_spread: standard deviation of E[S] over orders of the rounds, simulation noise taken out.
    """

    eliminate: Schedule
    expected_points: Floats
    standard_error: Floats
    distribution: Floats
    rank_of_points: Integers
    rank_or_better: Floats
    rank_low: Integers
    rank_high: Integers
    tie_group: Integers
    byes: Floats
    bye_share: tuple[float, ...]
    final_points: Integers
    order_spread: Floats | None


@dataclass(frozen=True, eq=False)
class Sensitivity(Frozen):
    """What two eliminations a round cost: drop = E[S; T=2] - E[S; T=0], slope = drop / 2 per elimination.

    relative_drop: drop / E[S; T=0], NaN where that is 0.
    """

    drop: Floats
    drop_standard_error: Floats
    slope: Floats
    slope_standard_error: Floats
    relative_drop: Floats


@dataclass(frozen=True, eq=False)
class SwissResult(Frozen):
    """All tournaments, keyed by the text of their elimination; the first one orders a board.

    sensitivity: None unless both T = 0 and T = 2 are there. advised_rounds: log2 M to 2.5 log2 M.
    """

    contenders: tuple[str, ...]
    rounds: tuple[tuple[str, ...], ...]
    eliminations: Mapping[str, Tournament]
    sensitivity: Sensitivity | None
    crosstable: Crosstable | None
    exact: bool
    iterations: int
    seed: int
    benchmarks_used: Integers
    advised_rounds: tuple[int, int]
    warnings: tuple[str, ...]


def compute(table: BenchmarkTable, params: SwissParams, *, processes: int = 1) -> SwissResult:
    """Play all tournaments that `params` asks for. The number of processes changes nothing but the time.

    Raises BadParameter for rounds or eliminations that make no sense, NotEnoughData for a hole (policy `strict`).
    """
    rounds = parse_rounds(params.rounds, table.benchmarks)
    schedules = parse_eliminations(params.eliminate, len(rounds))
    game = _game(table, rounds, params, processes)
    tournaments = {key: _tournament(game, schedule, params) for key, schedule in schedules.items()}
    used = sorted({table.benchmarks.index(name) for names in rounds for name in names})
    advised = advised_rounds(len(table.contenders))
    return SwissResult(
        contenders=table.contenders,
        rounds=rounds,
        eliminations=MappingProxyType(tournaments),
        sensitivity=_sensitivity(list(tournaments.values())),
        crosstable=_crosstable(game, next(iter(schedules.values()))) if params.crosstable else None,
        exact=game.exact,
        iterations=params.iterations,
        seed=params.seed,
        benchmarks_used=(~np.isnan(table.mean[:, used])).sum(axis=1, dtype=np.int64),
        advised_rounds=advised,
        warnings=(*_bye_warnings(tournaments), *_round_warnings(len(rounds), advised)),
    )


def ranking(result: SwissResult) -> Ranking:
    """Contenders by the expected points of the first tournament."""
    first = next(iter(result.eliminations.values()))
    half = two_sided(0.95) * first.standard_error
    return Ranking(
        contenders=result.contenders,
        value=first.expected_points,
        standard_error=first.standard_error,
        low=first.expected_points - half,
        high=first.expected_points + half,
        rank_low=first.rank_low,
        rank_high=first.rank_high,
        benchmarks_used=result.benchmarks_used,
    )


def seconds(contenders: int, benchmarks: int, params: SwissParams) -> float:
    """About how long `compute` keeps one core busy: each round of each simulation draws every seat once.

    With `resample` it also draws every score of the round, which takes longer.
    """
    rounds = params.rounds.count(";") + 1 if params.rounds.strip() else benchmarks
    scores = params.rounds.count(",") + rounds if params.resample else 0
    simulations = params.iterations + params.orders * min(params.iterations, ORDER_ITERATIONS)
    drawn = contenders * (rounds * SECONDS_PER_SEAT + scores * SECONDS_PER_SCORE)
    return (params.eliminate.count(",") + 1) * simulations * drawn


def parse_eliminations(text: str, rounds: int) -> dict[str, Schedule]:
    """“0,1,2” is three tournaments, “0/1/1” one with its own number after each round; keyed by that text."""
    schedules: dict[str, Schedule] = {}
    for key in (part.strip() for part in text.split(",")):
        numbers = key.split("/")
        if not all(number.isascii() and number.isdigit() for number in numbers):
            raise BadParameter(f"“{key}” is not a number of eliminations.", field="eliminate", remedy=ELIMINATE_HELP)
        if len(numbers) not in (1, rounds):
            problem = f"“{key}” has {len(numbers)} numbers, the tournament has {rounds} rounds."
            raise BadParameter(problem, field="eliminate", remedy=ELIMINATE_HELP)
        if key in schedules:
            raise BadParameter(f"The elimination “{key}” is listed twice.", field="eliminate")
        schedules[key] = tuple(int(number) for number in (numbers if len(numbers) > 1 else numbers * rounds))
    return schedules


def advised_rounds(contenders: int) -> tuple[int, int]:
    """Enough rounds to tell contenders apart, few enough that groups do not dry up into byes."""
    return ceil(log2(contenders)), floor(2.5 * log2(contenders))


def _game(table: BenchmarkTable, rounds: Sequence[Sequence[str]], params: SwissParams, processes: int) -> Game:
    if len(table.contenders) > np.iinfo(np.uint16).max:
        raise BadTable(f"A tournament holds up to 65,535 contenders, not {len(table.contenders):,}.")
    if params.orders == 1:
        raise BadParameter("One order has no spread: compare at least two.", field="orders")
    names = sorted(table.contenders)
    strengths = round_strengths(
        table.select(contenders=names),
        rounds,
        round_score=params.round_score,
        missing=params.missing,
        resample=params.resample,
    )
    place = {name: row for row, name in enumerate(table.contenders)}
    return Game(
        strengths=strengths,
        position=np.array([place[name] for name in names], dtype=np.int64),
        iterations=params.iterations,
        seed=params.seed,
        may_be_exact=params.exact and not params.resample,
        processes=processes,
    )


def _tournament(game: Game, eliminate: Schedule, params: SwissParams) -> Tournament:
    plan = seat_plan(game.position.size, eliminate)
    answer = game.answer(eliminate, game.iterations, (MAIN,))
    better = separated(answer.expected, answer.standard_error)
    low, high = rank_intervals(better)
    return Tournament(
        eliminate=eliminate,
        expected_points=answer.expected,
        standard_error=answer.standard_error,
        distribution=answer.distribution,
        rank_of_points=plan.rank_of_points,
        rank_or_better=np.minimum(1.0, answer.distribution[:, ::-1].cumsum(axis=1)[:, ::-1]),
        rank_low=low,
        rank_high=high,
        tie_group=tie_groups(answer.expected, better),
        byes=answer.byes,
        bye_share=plan.bye_share,
        final_points=np.sort(plan.points),
        order_spread=_order_spread(game, eliminate, params.orders) if params.orders else None,
    )


def _order_spread(game: Game, eliminate: Schedule, wanted: int) -> Floats:
    """(contender,) standard deviation of E[S]: over all orders when they are few enough, else over random ones."""
    rounds = len(game.strengths)
    everything = rounds <= 12 and factorial(rounds) <= wanted
    rng = generator(game.seed, ORDERS)
    orders = list(permutations(range(rounds))) if everything else [rng.permutation(rounds) for _ in range(wanted)]
    iterations = min(game.iterations, ORDER_ITERATIONS)
    answers = [
        game.reordered(order).answer(eliminate, iterations, (ORDERS, number)) for number, order in enumerate(orders)
    ]
    spread = np.var([answer.expected for answer in answers], axis=0, ddof=0 if everything else 1)
    noise = np.mean([answer.standard_error**2 for answer in answers], axis=0)
    return np.asarray(np.sqrt(np.maximum(spread - noise, 0.0)))


def _crosstable(game: Game, eliminate: Schedule) -> Crosstable:
    plan = seat_plan(game.position.size, eliminate)
    return crosstable(plan, game.strengths, game.position, game.iterations, game.seed, (TRACE, *eliminate))


def _sensitivity(tournaments: Sequence[Tournament]) -> Sensitivity | None:
    by_number = {one.eliminate[0]: one for one in tournaments if len(set(one.eliminate)) == 1}
    if not {0, 2} <= by_number.keys():
        return None
    base, hard = by_number[0], by_number[2]
    drop = hard.expected_points - base.expected_points
    error = np.sqrt(base.standard_error**2 + hard.standard_error**2)  # tournaments draw from separate streams
    relative = np.divide(drop, base.expected_points, out=np.full_like(drop, np.nan), where=base.expected_points > 0)
    return Sensitivity(drop, error, drop / 2, error / 2, relative)


def _bye_warnings(tournaments: Mapping[str, Tournament]) -> list[str]:
    warnings = []
    for key, one in tournaments.items():
        dry = [str(number) for number, share in enumerate(one.bye_share, start=1) if share > MUCH_BYE]
        if dry:
            warnings.append(
                f"With elimination {key} more than {MUCH_BYE:.0%} of the active contenders sit out in "
                f"round{'s' if len(dry) > 1 else ''} {', '.join(dry)}: points groups have dried up."
            )
    return warnings


def _round_warnings(rounds: int, advised: tuple[int, int]) -> list[str]:
    low, high = advised
    if low <= rounds <= high:
        return []
    return [f"{rounds} round{'s are' if rounds > 1 else ' is'} outside the advised {low} to {high} for this field."]


SWISS: Analysis[BenchmarkTable, SwissParams, SwissResult] = Analysis(
    title="Swiss-system tournament",
    Params=SwissParams,
    compute=compute,
    version=1,
    source="LLM Swiss Round: Aggregating Multi-Benchmark Performance via Competitive Swiss-System Dynamics, "
    "arXiv 2512.21010",
    needs="means",
    ranking=ranking,
    seconds=seconds,
)
