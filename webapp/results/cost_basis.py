"""What a cost report would rest on, told before it is asked for: experts' costs of benchmarks, prices of entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from webapp.catalog.models import Benchmark
from webapp.jobs.models import Run
from webapp.results.candidates import Candidates, runs_of


@dataclass(frozen=True)
class Uncosted:
    """An entry, some of whose runs have no cost. priced: they had a price, so counts of tokens or times are missing."""

    team: str
    name: str
    runs: int
    priced: bool


@dataclass(frozen=True)
class CostBasis:
    """benchmarks: of the data, in its order; unknown: those without an expert's cost."""

    benchmarks: Sequence[Benchmark]
    uncosted: Sequence[Uncosted]

    @property
    def unknown(self) -> list[Benchmark]:
        return [each for each in self.benchmarks if each.expert_cost_usd is None]


def cost_basis(found: Candidates) -> CostBasis:
    """Of those that are complete; two queries."""
    runs = runs_of(found.complete)
    versions = Run.objects.filter(pk__in=runs).values("version")
    known = Benchmark.objects.filter(versions__in=versions).distinct().select_related("team")
    entry = "contender__version__entry"
    lacking = Run.objects.filter(pk__in=runs, cost_usd=None).values(f"{entry}__team__name", f"{entry}__name")
    counted = lacking.annotate(every=Count("pk"), bare=Count("pk", filter=Q(unit_prices={})))
    uncosted = [
        Uncosted(row[f"{entry}__team__name"], row[f"{entry}__name"], row["every"], not row["bare"])
        for row in counted.order_by(f"{entry}__name", f"{entry}__team__name")
    ]
    return CostBasis(list(known.order_by("name", "pk")), uncosted)
