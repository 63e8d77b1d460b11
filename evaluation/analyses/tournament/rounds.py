"""From a table of scores to how strong everyone is in each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tables import BenchmarkTable, Floats

MISSING = ("strict", "available", "lose")
ROUND_SCORES = ("raw", "z-score", "rank")
DIGITS = 12  # of a mean of several benchmarks, so that equal decimal sums tie although binary ones may not


@dataclass(frozen=True, eq=False, slots=True)
class Places:
    """A round whose scores are taken as they are. places: (contender,) 0 is weakest, equals are equal."""

    places: NDArray[np.unsignedinteger]
    tied: bool

    def draw(self, rng: np.random.Generator, simulations: int) -> NDArray[np.unsignedinteger]:
        """The same places in every simulation."""
        return self.places


@dataclass(frozen=True, eq=False, slots=True)
class Redrawn:
    """A round whose scores are drawn anew in every simulation: Normal(score, standard error) per benchmark.

    mean, standard_error: (contender, benchmark of the round), higher is better.
    """

    mean: Floats
    standard_error: Floats
    round_score: str
    missing: str
    tied: bool = True

    def draw(self, rng: np.random.Generator, simulations: int) -> Floats:
        """(contender, simulation) round scores."""
        noise = rng.standard_normal((simulations, *self.mean.shape))
        return round_score(self.mean + noise * self.standard_error, self.round_score, self.missing).T


Strengths = tuple[Places | Redrawn, ...]


def parse_rounds(text: str, benchmarks: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """“a,b;c;d” is three rounds, the first of two benchmarks; empty text is one round per benchmark, in order.

    Raises BadParameter for an unknown benchmark, an empty round, or a benchmark twice in one round.
    """
    if not text.strip():
        return tuple((name,) for name in benchmarks)
    rounds = tuple(tuple(name.strip() for name in part.split(",")) for part in text.split(";"))
    for number, names in enumerate(rounds, start=1):
        for name in names:
            if name not in benchmarks:
                problem = f"names the unknown benchmark “{name}”" if name else "has an empty name"
                known = f"Known: {', '.join(benchmarks)}."
                raise BadParameter(f"Round {number} {problem}.", field="rounds", remedy=known)
        if len(set(names)) < len(names):
            raise BadParameter(f"Round {number} names a benchmark twice.", field="rounds")
    return rounds


def round_strengths(
    table: BenchmarkTable, rounds: Sequence[Sequence[str]], *, round_score: str, missing: str, resample: bool
) -> Strengths:
    """One strength per round. Raises NotEnoughData for a hole that the policy does not allow, or an unknown error."""
    position = {name: column for column, name in enumerate(table.benchmarks)}
    columns = [[position[name] for name in names] for names in rounds]
    _refuse_holes(table, columns, missing)
    if resample:
        errors = _errors(table, columns)
        return tuple(Redrawn(table.turned[:, cut], errors[:, cut], round_score, missing) for cut in columns)
    return tuple(_places(table.turned[:, cut], round_score, missing) for cut in columns)


def round_score(values: Floats, method: str, missing: str) -> Floats:
    """(..., contender) scores of a round from its (..., contender, benchmark) scores, higher is better.

    A hole counts as below everything (`lose`) or not at all. With one benchmark every method gives the same order,
    so the values stay as they are.
    """
    holes = np.isnan(values)
    if values.shape[-1] > 1:
        values = _means(values if method == "raw" else _scaled(values, method), holes)
    else:
        values = values[..., 0]
    return np.where(holes.any(axis=-1), -np.inf, values) if missing == "lose" else values


def _means(values: Floats, holes: NDArray[np.bool_]) -> Floats:
    """Mean over the benchmarks that are there, rounded, the same for the same values in any order."""
    present = (~holes).sum(axis=-1)
    summed = np.sort(np.where(holes, 0.0, values), axis=-1).sum(axis=-1)
    means = summed / np.maximum(present, 1)
    scale = np.abs(np.where(holes, 0.0, values)).max()
    return np.asarray(np.round(means / scale, DIGITS) if scale > 0 else means)


def _scaled(values: Floats, method: str) -> Floats:
    """Each benchmark on a common scale: z-scores, or the share of contenders below (ties half)."""
    if method == "rank":
        return np.asarray(np.apply_along_axis(_shares_below, -2, values))
    present = np.maximum((~np.isnan(values)).sum(axis=-2, keepdims=True), 1)
    centred = values - np.nansum(values, axis=-2, keepdims=True) / present
    spread = np.sqrt(np.nansum(centred**2, axis=-2, keepdims=True) / present)
    return np.asarray(np.divide(centred, spread, out=centred * 0.0, where=spread > 0))


def _shares_below(scores: Floats) -> Floats:
    """(contender,) share of the contenders with a score that are below, equals counted half."""
    kept = np.sort(scores[~np.isnan(scores)])
    twice = np.searchsorted(kept, scores, "left") + np.searchsorted(kept, scores, "right")
    return np.where(np.isnan(scores), np.nan, twice / (2 * max(kept.size, 1)))


def _places(values: Floats, method: str, missing: str) -> Places:
    scores = round_score(values, method, missing)
    distinct, inverse = np.unique(scores, return_inverse=True)
    kind = np.uint8 if scores.size < 256 else np.uint16
    return Places(inverse.astype(kind), tied=distinct.size < scores.size)


def _refuse_holes(table: BenchmarkTable, columns: Sequence[Sequence[int]], missing: str) -> None:
    """A hole is refused under `strict`; under `available` only a round without any score of a contender."""
    if missing == "lose":
        return
    holes = np.isnan(table.mean)
    listing = (
        f"{table.contenders[row]} on {', '.join(table.benchmarks[column] for column in cut)}"
        for cut in (columns if missing == "available" else [[column] for part in columns for column in part])
        for row in np.flatnonzero(holes[:, cut].all(axis=1)).tolist()
    )
    refused = list(dict.fromkeys(listing))  # a benchmark may be played in several rounds
    if refused:
        listed = "; ".join(refused[:5]) + (f"; and {len(refused) - 5} more" if len(refused) > 5 else "")
        remedy = "Run what is missing, leave those contenders out, or choose another policy for missing scores."
        raise NotEnoughData(f"There is no score of {listed}.", field="missing", remedy=remedy)


def _errors(table: BenchmarkTable, columns: Sequence[Sequence[int]]) -> Floats:
    used = sorted({column for cut in columns for column in cut})
    if table.standard_error is None:
        raise NotEnoughData("Redrawing scores needs their standard errors, and this table has none.", field="resample")
    unknown = np.argwhere(np.isnan(table.standard_error[:, used]) & ~np.isnan(table.mean[:, used]))
    if unknown.size:
        contender, benchmark = table.contenders[unknown[0, 0]], table.benchmarks[used[unknown[0, 1]]]
        raise NotEnoughData(f"The standard error of {contender} on {benchmark} is not known.", field="resample")
    return table.standard_error
