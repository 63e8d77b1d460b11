"""What a job will take, from history: time, tokens and money of a run, and of all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Avg, BigIntegerField, F, FloatField, Func, IntegerField, OuterRef, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from evaluation.pricing import UnitPrices
from webapp.catalog.models import BenchmarkVersion, Contender
from webapp.jobs.models import Run
from webapp.prepared import Asked, OneOf, Prepared

MEASURES = ("seconds", "tokens_in", "tokens_out")
NEWEST = 200  # finished runs of a benchmark that tell what is usual: enough for a mean, however many there are
Key = tuple[int, int]


@dataclass(frozen=True)
class Rate:
    """What one attempt at one sample takes on average; None where no finished run has measured it."""

    seconds: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None

    def cost(self, prices: UnitPrices, attempts: int) -> float | None:
        """US dollars of so many attempts; None where the price needs what history does not tell."""
        return prices.cost(
            tokens_in=_times(self.tokens_in, attempts),
            tokens_out=_times(self.tokens_out, attempts),
            tokens_cached=None,
            seconds=None if self.seconds is None else self.seconds * attempts,
        )


def _times(rate: float | None, attempts: int) -> int | None:
    return None if rate is None else round(rate * attempts)


@dataclass(frozen=True)
class Estimate:
    """What was expected of a job. samples, seconds: None where something is not known.

    cost_usd: of the new runs whose cost can be told; those it leaves out are counted in `unmeasured` (their price is
    known, but no run of the benchmark has finished yet) and `uncosted` (the entries in `unpriced` have no price).
    """

    runs: int
    new: int
    samples: int | None
    seconds: float | None
    cost_usd: float
    unmeasured: int = 0
    uncosted: int = 0
    unpriced: tuple[str, ...] = ()

    @property
    def reused(self) -> int:
        return self.runs - self.new

    @property
    def is_complete(self) -> bool:
        return not self.unmeasured and not self.uncosted

    @property
    def whole_cost_usd(self) -> float | None:
        return self.cost_usd if self.is_complete else None

    @property
    def gaps(self) -> list[str]:
        """What the cost leaves out, in words."""
        said = []
        if self.unpriced:
            entries = "1 entry" if len(self.unpriced) == 1 else f"{len(self.unpriced):,} entries"
            said.append(f"Price unknown for {entries}: {_listed(self.unpriced)}.")
        if self.unmeasured:
            runs = "1 run" if self.unmeasured == 1 else f"{self.unmeasured:,} runs"
            said.append(f"No history for {runs}: nobody has finished the benchmark yet.")
        return said

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "unpriced": list(self.unpriced)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Estimate | None:
        """None for what is not an estimate: jobs from before there were any have {}."""
        if "cost_usd" not in stored:
            return None
        known = {field.name: stored[field.name] for field in fields(cls)}
        return cls(**{**known, "unpriced": tuple(known["unpriced"])})


def _listed(names: Sequence[str], shown: int = 5) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


def attempts_of(settings: Mapping[str, Any]) -> int:
    """Attempts at each sample that a run makes."""
    return int(settings.get("attempts") or 1)


def _means(done: QuerySet[Run, Any]) -> QuerySet[Run, Any]:
    """(contender, version, mean of each measure) of these finished runs."""
    attempts = Coalesce(Cast(KeyTextTransform("attempts", "settings"), IntegerField()), 1)
    tries = Cast(F("total") * attempts, FloatField())
    means = {f"mean_{m}": Avg(F(m) / tries) for m in MEASURES}
    return done.filter(total__gt=0).values_list("contender", "version").annotate(**means).order_by()


def _of_cells(contenders: Sequence[int], versions: Sequence[int]) -> QuerySet[Run, Any]:
    which = OneOf("contender", contenders, BigIntegerField()), OneOf("version", versions, BigIntegerField())
    return _means(Run.objects.filter(*which, state=Run.State.DONE))


def _of_benchmarks(versions: Sequence[int]) -> QuerySet[Run, Any]:
    newest = Run.objects.filter(version=OuterRef("pk"), state=Run.State.DONE).order_by("-pk").values("pk")[:NEWEST]
    which = BenchmarkVersion.objects.filter(OneOf("pk", versions, BigIntegerField()))
    return _means(Run.objects.filter(pk__in=which.values(run=_Each(ArraySubquery(newest)))))


class _Each(Func):
    function, set_returning, output_field = "unnest", True, BigIntegerField()


_cells = Prepared(_of_cells, [-1], [-2])
_benchmarks = Prepared(_of_benchmarks, [-1])


@dataclass(frozen=True)
class History:
    """What is on its way about these cells: their own finished runs, and the newest of their benchmarks."""

    keys: Sequence[Key]
    own: Asked[Run]
    usual: Asked[Run]

    def rates(self) -> dict[Key, Rate]:
        """Of the same cell, else the mean over the contenders of the benchmark's NEWEST runs."""
        known = {(row[0], row[1]): Rate(*row[2:]) for row in self.own.rows()}
        usual = _by_benchmark(self.usual.rows())
        return {key: _filled(known.get(key, Rate()), usual.get(key[1], Rate())) for key in self.keys}


def ask_history(contenders: Iterable[Contender], versions: Sequence[BenchmarkVersion]) -> History:
    keys = [(contender.pk, version.pk) for contender in contenders for version in versions]
    of_contenders, of_versions = (sorted(set(ids)) for ids in zip(*keys, strict=True)) if keys else ([], [])
    return History(keys, _cells.ask(of_contenders, of_versions), _benchmarks.ask(of_versions))


def rates(contenders: Iterable[Contender], versions: Sequence[BenchmarkVersion]) -> dict[Key, Rate]:
    return ask_history(contenders, versions).rates()


def _by_benchmark(rows: Iterable[Sequence[Any]]) -> dict[int, Rate]:
    """Of each benchmark version with history, whoever ran it."""
    found: dict[int, list[Rate]] = {}
    for row in rows:
        found.setdefault(row[1], []).append(Rate(*row[2:]))
    return {version: _mean(rates) for version, rates in found.items()}


def _mean(found: Sequence[Rate]) -> Rate:
    return Rate(**{name: _mean_of([getattr(rate, name) for rate in found]) for name in MEASURES})


def _mean_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _filled(own: Rate, usual: Rate) -> Rate:
    return Rate(**{m: getattr(usual if getattr(own, m) is None else own, m) for m in MEASURES})
