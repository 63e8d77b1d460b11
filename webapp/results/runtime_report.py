"""Runtime and energy of contenders on the same data: idealized beside measured, and what a device hour makes of it.

Idealized seconds follow from the tokens of stored answers and from the fixed protocol's measurement of the contender,
so that they hold without queues, batches and other people's work (arXiv 2305.02440). Denoised ones are a fit on stored
latencies. Energy is that of NVML's counter, or it is not there (arXiv 2311.16863).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from evaluation.efficiency import FEWEST, RankAgreement, rank_agreement
from evaluation.errors import NotEnoughData
from evaluation.protocol import Efficiency as Pace
from evaluation.runtime import Fitted, fit_runtime
from evaluation.tables import Floats
from webapp.jobs.models import Run
from webapp.results.cost_figures import CostFigure
from webapp.results.efficiency import ContenderEfficiency, Numbers, contender_numbers, efficiency
from webapp.results.measurements import Comparable, comparable


@dataclass(frozen=True)
class Assumed:
    """What a reader states. hour_usd: price of a device hour; grid: grams of CO2 equivalent per kilowatt-hour."""

    hour_usd: float | None = None
    grid: float | None = None


@dataclass(frozen=True)
class RuntimeRow:
    """A contender. Times in seconds, as means of a sample; NaN where unknown.

    measured: as stored. idealized: by its measurement on the page's device; pace: that measurement. fitted: denoised,
    where its requests were answered one by one. cost_usd: idealized, at the stated hour. carbon: grams for 1,000.
    """

    stored: ContenderEfficiency
    pace: Pace | None
    idealized: float
    fitted: Fitted | None
    denoised: float
    cost_usd: float
    carbon: float

    @property
    def name(self) -> str:
        return self.stored.name

    @property
    def thousand_usd(self) -> float:
        """Idealized, of a thousand samples."""
        return 1000 * self.cost_usd

    @property
    def thousand_run_usd(self) -> float:
        """As the runs were costed, of a thousand samples."""
        return 1000 * self.stored.cost_usd

    @property
    def emulated(self) -> bool:
        return self.pace is not None and self.pace.emulated


class RuntimeView:
    """rows: in the order of `efficiency`. device: of the measurements; None where nobody was measured."""

    scripts = ("js/runtime.js",)

    def __init__(
        self, rows: Sequence[RuntimeRow], paces: Comparable | None, assumed: Assumed, devices: int, usual: str
    ) -> None:
        self.rows, self.paces, self.assumed, self.devices, self.usual = rows, paces, assumed, devices, usual

    @cached_property
    def agreement(self) -> RankAgreement:
        """Do parameters, tokens, latency, idealized time, cost and energy put contenders in the same order?"""
        here = np.array([row.stored.alike for row in self.rows])
        columns = {
            "parameters": self._column("parameters"),
            "tokens": self._column("tokens"),
            "latency": np.where(here, np.array([row.stored.latency.p50 for row in self.rows]), nan),
            "idealised time": np.array([nan if row.emulated else row.idealized for row in self.rows]),
            "cost": self._column("cost_usd"),
            "energy": np.where(here, np.array([row.stored.energy.watt_hours for row in self.rows]), nan),
        }
        return rank_agreement({name: values for name, values in columns.items() if known(values) >= FEWEST})

    def _column(self, name: str) -> Floats:
        return np.array([getattr(row.stored, name) for row in self.rows], dtype=np.float64)

    @property
    def drawn(self) -> list[RuntimeRow]:
        """Those that have both times and multiply in their own format."""
        both = (row for row in self.rows if row.idealized > 0 and row.stored.latency.p50 > 0)
        return sorted((row for row in both if not row.emulated), key=lambda row: row.idealized)

    @property
    def charts(self) -> dict[str, Any]:
        points = [{"name": row.name, "ideal": row.idealized, "seen": row.stored.latency.p50} for row in self.drawn]
        return {"idealized": points}

    @property
    def figures(self) -> list[CostFigure]:
        if not self.drawn or self.paces is None:
            return []
        return [
            CostFigure(
                "idealized", "Idealised and measured",
                "Median latency as stored over the idealised seconds of a sample. On the dashed line a contender took "
                "what its tokens must take; far above it waited: for a batch, a queue or the network. Emulated formats "
                "are not drawn.",
                "Measured latency over idealised seconds, both on logarithmic axes, with the line of equality; the "
                "same numbers are in the table below.",
                ["Contender", "Idealised, s", "Latency p50, s", "Times as long"],
                [
                    (row.name, [f"{row.idealized:.3g}", f"{row.stored.latency.p50:.3g}",
                                f"{row.stored.latency.p50 / row.idealized:.1f}"])
                    for row in self.drawn
                ],
                wide=True,
            )
        ]  # fmt: skip


def runtime_view(run_ids: Sequence[int], assumed: Assumed) -> RuntimeView | None:
    """Of finished runs; None where there is nothing to read, or more attempts than a page may read."""
    found = efficiency(Run.objects.filter(pk__in=run_ids))
    if found is None:
        return None
    numbers = contender_numbers(run_ids)
    paces = comparable(numbers)
    rows = [
        _row(stored, mine, paces.by_contender.get(pk) if paces else None, assumed)
        for stored, (pk, mine) in zip(found.contenders, numbers.items(), strict=True)
    ]
    return RuntimeView(rows, paces, assumed, found.devices, found.device)


def _row(stored: ContenderEfficiency, numbers: Numbers, pace: Pace | None, assumed: Assumed) -> RuntimeRow:
    idealized = _idealized(pace, numbers.all)
    fitted = _fitted(numbers.alone)
    denoised = nan if fitted is None else _mean_of(fitted, numbers.alone)
    hour = nan if assumed.hour_usd is None else assumed.hour_usd
    grid = nan if assumed.grid is None else assumed.grid
    return RuntimeRow(
        stored, pace, idealized, fitted, denoised, idealized * hour / 3600, stored.energy.watt_hours / 1000 * grid
    )


def _idealized(pace: Pace | None, numbers: Mapping[str, Floats]) -> float:
    """Mean of a sample; a question with several choices reads them as one prompt. NaN where a count is missing."""
    if pace is None or not numbers["tokens_in"].size:
        return nan
    try:
        return float(np.mean(pace.runtime.seconds(numbers["tokens_in"], numbers["tokens_out"])))
    except NotEnoughData:
        return nan


def _fitted(alone: Mapping[str, Floats]) -> Fitted | None:
    """None where too few were answered one by one, or all of one length."""
    try:
        return fit_runtime(alone["tokens_in"], alone["tokens_out"], alone["latency"])
    except NotEnoughData:
        return None


def _mean_of(fitted: Fitted, alone: Mapping[str, Floats]) -> float:
    """Over the attempts whose tokens are known."""
    counted = np.isfinite(alone["tokens_in"]) & np.isfinite(alone["tokens_out"])
    return float(np.mean(fitted.seconds(alone["tokens_in"][counted], alone["tokens_out"][counted])))


def known(values: Floats) -> int:
    return int(np.isfinite(values).sum())
