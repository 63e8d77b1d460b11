"""Many tournaments at once: a (seat, simulation) array of contenders, moved by one plan of seats.

Simulations come in blocks; block i draws from its own stream, seeded by (seed, stream, i), and blocks only add
integers. So the same seed gives the same integers, however the blocks are shared out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.tournament.plan import Draw, Plan, RoundPlan
from evaluation.tables import Integers

Seats = NDArray[Any]  # unsigned contender numbers, (seat, simulation)
Flags = NDArray[np.bool_]

BLEND_UP_TO = 24  # bytes of one simulation; below, comparing every seat is faster than gathering one of them


class Strength(Protocol):
    """How strong everyone is in one round. tied: whether two contenders can be equal."""

    @property
    def tied(self) -> bool: ...

    def draw(self, rng: np.random.Generator, simulations: int) -> NDArray[Any]:
        """(contender,) where all simulations agree, else (contender, simulation); larger wins."""


@dataclass(frozen=True, eq=False, slots=True)
class Tally:
    """Integer counts over simulations. points: (contender, points); byes: (contender,)."""

    points: Integers
    byes: Integers

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.points + other.points, self.byes + other.byes)


@dataclass(frozen=True, eq=False, slots=True)
class Played:
    """A round just played in all simulations of a block. winners, losers: (pair, simulation); byes: (bye, simulation).

    seats: (seat, simulation) after the eliminations.
    """

    winners: Seats
    losers: Seats
    byes: Seats
    seats: Seats


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """Everything that a block's integers depend on, but its number."""

    plan: Plan
    strengths: tuple[Strength, ...]
    iterations: int
    seed: int
    stream: tuple[int, ...]

    @property
    def width(self) -> int:
        """Simulations in a block: as many as keep its seats within a processor's cache; depends on the size only."""
        fits = (1 << 21) // self.plan.contenders
        return max(1024, min(16384, 1 << (fits.bit_length() - 1)))

    @property
    def blocks(self) -> int:
        return -(-self.iterations // self.width)

    def block(self, number: int) -> Tally:
        """Play one block and count points and byes."""
        simulations = min(self.width, self.iterations - number * self.width)
        rng = generator(self.seed, *self.stream, number)
        seats = first_seats(self.plan.contenders, simulations)
        byes = np.zeros(self.plan.contenders, dtype=np.int64)
        for played in play(self.plan, self.strengths, seats, rng):
            seats = played.seats
            byes += _count(played.byes, self.plan.contenders)
        points = np.zeros((self.plan.contenders, int(self.plan.points.max()) + 1), dtype=np.int64)
        for level in np.unique(self.plan.points):
            points[:, level] = _count(seats[self.plan.points == level], self.plan.contenders)
        return Tally(points, byes)

    def range(self, numbers: range) -> Tally:
        """The sum over some blocks."""
        return _total(self.block(number) for number in numbers)


def simulate(
    plan: Plan,
    strengths: Sequence[Strength],
    iterations: int,
    seed: int,
    *,
    stream: tuple[int, ...] = (),
    chunk: int = 4,
    processes: int = 1,
) -> Tally:
    """Counts over `iterations` tournaments; strengths: one per round of the plan, at least.

    stream separates independent uses of one seed. chunk: blocks handed out at a time; neither it nor the number of
    processes changes a single count.
    """
    task = Task(plan, tuple(strengths), iterations, seed, stream)
    chunks = [range(start, min(start + chunk, task.blocks)) for start in range(0, task.blocks, chunk)]
    if processes == 1:
        return _total(map(task.range, chunks))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return _total(pool.map(task.range, chunks))


def generator(seed: int, *stream: int) -> np.random.Generator:
    """The random numbers of one stream of a seed."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=stream)))


def first_seats(contenders: int, simulations: int) -> Seats:
    """Contender i on seat i, in the smallest unsigned type that holds the numbers."""
    kind = np.uint8 if contenders < 256 else np.uint16
    return np.repeat(np.arange(contenders, dtype=kind)[:, None], simulations, axis=1)


def play(plan: Plan, strengths: Sequence[Strength], seats: Seats, rng: np.random.Generator) -> Iterator[Played]:
    """Play all rounds in all simulations; `seats` is used up."""
    other = np.empty_like(seats)
    for planned, strength in zip(plan.rounds, strengths, strict=False):
        exchange(seats, planned.draws, rng)
        first, second = seats[planned.first], seats[planned.second]
        swap = (first ^ second) & _mask(_first_wins(strength, first, second, rng), seats.dtype)
        winners, losers, byes = second ^ swap, first ^ swap, seats[planned.bye_from]
        _sit_down(planned, seats, other, winners, losers, byes)
        seats, other = other, seats
        exchange(seats, planned.eliminations, rng)
        yield Played(winners, losers, byes, seats)


def exchange(seats: Seats, draws: Sequence[Draw], rng: np.random.Generator, *, blend_up_to: int = BLEND_UP_TO) -> None:
    """Carry out the draws in place, each simulation with its own random numbers; seats is C-contiguous.

    A draw takes 32 random bits: the chance of a seat is off by less than its number of seats / 2**32.
    """
    if not draws:
        return
    simulations = seats.shape[1]
    raw = rng.bit_generator.random_raw((len(draws) * simulations + 1) // 2).view(np.uint32)
    sizes = np.array([draw.high - draw.low for draw in draws], dtype=np.float64)[:, None]
    picks = (raw[: len(draws) * simulations].reshape(len(draws), simulations) * (sizes / 2.0**32)).astype(seats.dtype)
    lane = np.arange(simulations)
    for draw, pick in zip(draws, picks, strict=True):
        span, target = seats[draw.low : draw.high], seats[draw.target]
        if len(span) * seats.itemsize <= blend_up_to:
            chosen = pick == np.arange(len(span), dtype=seats.dtype)[:, None]
            change = (span ^ target) & _mask(chosen, seats.dtype)
            span ^= change
            target ^= np.bitwise_xor.reduce(change, axis=0)
        else:
            place = pick * np.intp(simulations) + lane
            moved, flat = span.take(place), span.reshape(-1)
            flat[place] = target
            target[:] = moved


def _first_wins(strength: Strength, first: Seats, second: Seats, rng: np.random.Generator) -> Flags:
    """(pair, simulation) whether the first of the pair wins; equals toss a fair coin."""
    values = strength.draw(rng, first.shape[1])
    mine, theirs = _of(values, first), _of(values, second)
    if not strength.tied:
        return np.asarray(mine > theirs)
    coins = np.unpackbits(np.frombuffer(rng.bytes(-(-first.size // 8)), dtype=np.uint8), count=first.size)
    return np.asarray((mine > theirs) | ((mine == theirs) & coins.reshape(first.shape).view(np.bool_)))


def _of(values: NDArray[Any], contenders: Seats) -> NDArray[Any]:
    """The strength of each contender, in its own simulation."""
    if values.ndim == 1:
        return np.asarray(values.take(contenders))
    return np.take_along_axis(values, contenders.astype(np.intp), axis=0)


def _sit_down(planned: RoundPlan, seats: Seats, other: Seats, winners: Seats, losers: Seats, byes: Seats) -> None:
    other[: planned.retired] = seats[: planned.retired]
    other[planned.winner], other[planned.loser], other[planned.bye_to] = winners, losers, byes


def _mask(flags: Flags, kind: np.dtype[Any]) -> Seats:
    """All bits set where true."""
    return np.negative(flags.astype(kind, copy=False) if kind.itemsize > 1 else flags.view(np.uint8))


def _count(seats: Seats, contenders: int) -> Integers:
    return np.bincount(seats.ravel(), minlength=contenders)


def _total(tallies: Iterable[Tally]) -> Tally:
    first, *rest = tallies
    return sum(rest, first)
