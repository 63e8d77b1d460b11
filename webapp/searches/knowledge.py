"""What a search knows by now, and what it asks next. Everything follows from its fields and from finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import ceil, isfinite
from typing import Any

import numpy as np

from evaluation.analyses.estimation import FEWEST, draw_lure, lure_chances
from evaluation.analyses.searching.bounds import Spending
from evaluation.analyses.searching.live import Ask, Picture, ask_of, known_so_far, next_asks, picture, shared_order
from evaluation.estimators import Estimated, aipw, lure, random_mean, usual_half_width, usual_samples
from evaluation.tables import Floats, Integers
from webapp.catalog.models import BenchmarkVersion, Contender
from webapp.searches import scores
from webapp.searches.models import Search

Method = Search.Method
STEPS = 20  # of an estimate's course


@dataclass(frozen=True)
class Known:
    """What is known of a contender by `count` samples in a row; None where they do not tell. bound: None before its
    first and after its last sample. given_up: why it is not asked any more."""

    contender: int
    name: str
    count: int
    mean: float | None
    low: float | None
    high: float | None
    bound: float | None
    given_up: str = ""


@dataclass(frozen=True)
class Step:
    """The estimate after n samples. usual: half of the interval that n random ones would be expected to give."""

    n: int
    value: float
    low: float
    high: float
    usual: float


@dataclass(frozen=True)
class Found:
    """What is stored of a search each time that it is looked at. leader: id of the contender with the highest mean.

    steps: of an estimate, its course. usual_samples: how many random samples would give the last interval.
    """

    known: tuple[Known, ...]
    spent: int
    leader: int | None = None
    chance_wrong: float | None = None
    sure: bool = False
    steps: tuple[Step, ...] = ()
    usual_samples: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Found | None:
        """None for a search that nobody has looked at yet."""
        if not stored:
            return None
        known, steps = (
            tuple(kind(**row) for row in stored[name]) for name, kind in (("known", Known), ("steps", Step))
        )
        return cls(**{**stored, "known": known, "steps": steps})


class Look:
    """One look at a search, in a transaction that holds its row, while no run of it is under way."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.contenders: list[Contender] = scores.contenders_of(search)
        self.versions: list[BenchmarkVersion] = scores.versions_of(search)
        self.given_up = scores.given_up(search)
        self.spent = scores.spent(search)

    @cached_property
    def places(self) -> Integers:
        """Where in a row the samples stand, in the order in which they are asked."""
        return self._drawn[0]

    @cached_property
    def _drawn(self) -> tuple[Integers, Floats]:
        """Places in the order of asking, and LURE's chance of each draw. An estimate asks as many as its budget."""
        search = self.search
        most = min(search.budget, search.size)
        if search.finds_best:
            return shared_order(search.size, search.seed), np.empty(0)
        if search.method == Method.LURE:
            rng = np.random.default_rng([search.seed, 0])
            return draw_lure(lure_chances(self._sources, search.floor), most, rng)
        return shared_order(search.size, search.seed)[:most], np.empty(0)

    @cached_property
    def _sources(self) -> Floats:
        return scores.source_scores(self.search, self.versions)

    @cached_property
    def known(self) -> Floats:
        """(contender, sample) in the order of asking, NaN = not known."""
        return scores.known_scores(self.search, self.contenders, self.versions)[:, self.places]

    def picture(self, rows: Sequence[int]) -> Picture:
        return picture(self.known[rows], self.search.exploration, self.search.stop_error)

    @property
    def alive(self) -> list[int]:
        """Rows of the contenders that can still be asked."""
        return [row for row, one in enumerate(self.contenders) if one.pk not in self.given_up]

    def asks(self) -> list[Ask]:
        """What is asked next; empty where all is known, or the budget is spent."""
        if not self.search.finds_best:
            count = self.count
            ask = ask_of(self.known[0], 0, count, self.search.batch, len(self.places), 0.0)
            return [ask] if ask else []
        rows = self.alive
        spending = Spending(self.search.exploration, self.search.batch)
        found = next_asks(self.known[rows], spending, max(0, self.search.budget - self.spent))
        return [Ask(rows[ask.contender], ask.start, ask.stop, ask.fresh, ask.bound) for ask in found]

    def samples(self, ask: Ask) -> dict[int, list[int]]:
        """Version's id -> the samples of an ask that nobody has scored yet."""
        span = slice(ask.start, ask.stop)
        fresh = self.places[span][np.isnan(self.known[ask.contender, span])]
        return scores.subsets_of(self.versions, fresh.tolist())

    @property
    def count(self) -> int:
        """Of an estimate: samples that are known without a gap."""
        return int(known_so_far(self.known[:1])[0])

    def found(self) -> Found:
        return self._best() if self.search.finds_best else self._estimate()

    def _best(self) -> Found:
        """Whoever cannot be asked any more leads nothing."""
        rows = self.alive
        seen = self.picture(rows)
        places = seen.places if len(rows) == len(self.contenders) else self.picture(range(len(self.contenders))).places
        known = tuple(
            Known(
                contender=one.pk,
                name=one.name,
                count=place.count,
                mean=place.mean,
                low=place.low,
                high=place.high,
                bound=place.bound if isfinite(place.bound) else None,
                given_up=self.given_up.get(one.pk, ""),
            )
            for one, place in zip(self.contenders, places, strict=True)
        )
        leader = None if seen.leader is None else self.contenders[rows[seen.leader]].pk
        return Found(known, self.spent, leader, seen.chance_wrong, seen.sure)

    def _estimate(self) -> Found:
        one, steps = self.contenders[0], self._steps()
        last = steps[-1] if steps else None
        mean, low, high = (last.value, max(0.0, last.low), min(1.0, last.high)) if last else (None, None, None)
        gone = self.given_up.get(one.pk, "")
        known = Known(one.pk, one.name, self.count, mean, low, high, None, gone)
        half = (last.high - last.low) / 2 if last else 0.0
        usual = usual_samples(last.value, half, self.search.size) if last and half else None
        return Found((known,), self.spent, steps=steps, usual_samples=usual)

    def _steps(self) -> tuple[Step, ...]:
        """The estimate at the ends of batches, of at most STEPS of them, and now."""
        every = self.search.batch * ceil(self.count / self.search.batch / STEPS)
        ends = [*range(every, self.count, every), self.count] if self.count else []
        found = []
        for n in ends:
            one = self._estimated(n)
            if one is not None and isfinite(one.low):
                usual = usual_half_width(one.value, n, self.search.size)
                found.append(Step(n, one.value, one.low, one.high, usual))
        return tuple(found)

    def _estimated(self, n: int) -> Estimated | None:
        """From the first n samples; None while they are too few for the method."""
        values, size = self.known[0, :n], self.search.size
        if self.search.method == Method.LURE:
            return lure(values, self._drawn[1][:n], size) if n > 1 else None
        if self.search.method == Method.AIPW:
            return aipw(values, self.places[:n], self._sources) if n >= min(FEWEST, size) else None
        return random_mean(values, size) if n > 1 else None
