"""An audit of linear models as its page draws it: sentences, numbers, coefficients, and the data of the charts.

Everything is taken from the stored result; nothing is computed again but positions on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from evaluation.analyses.base import from_json
from evaluation.analyses.linear_multiplicity import LinearMultiplicityResult

DRAWN = 600  # rows of the band: evenly spaced in its order where there are more; all of them are in the JSON
INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class Figure:
    """A drawing with its numbers. kind: what the script draws; rows: (name, cells)."""

    kind: str
    title: str
    text: str
    alt: str
    heads: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Coefficient:
    """Of the baseline. bar: its place around zero, in per cent of the width."""

    name: str
    value: str
    start: float
    length: float


class LinearView:
    """result: as `to_json` wrote it."""

    def __init__(self, result: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.result = from_json(LinearMultiplicityResult, result)
        self.parameters = parameters

    @cached_property
    def verdict(self) -> list[str]:
        found = self.result
        width = found.ranges[:, 1] - found.ranges[:, 0]
        flips = float(((found.ranges[:, 0] < 0.5) & (found.ranges[:, 1] >= 0.5)).mean())
        return [
            found.verdict,
            f"The predicted probability of a row varies by {width.mean():.3f} on average and by {width.max():.3f} at "
            f"most; on {share(flips)} of the rows the competing models do not agree on the likelier label.",
            f"On the scale of a likelihood ratio the bound is 2nε = {found.two_n_epsilon:.3g}; a 95 % profile interval "
            f"of one coefficient has 3.84, which is ε = {found.profile_epsilon:.3g} here.",
        ]

    @cached_property
    def facts(self) -> list[tuple[str, str, str]]:
        """(name, value, what it means): the numbers under the verdict."""
        found = self.result
        low, high = found.discrepancy
        single = share(low) if share(low) == share(high) else f"{share(low)} to {share(high)}"
        return [
            ("Ambiguity", share(found.ambiguity), f"moved by {found.delta:g} or more by some model"),
            ("Discrepancy", single, f"by a single model; upper end by {found.discrepancy_method}"),
            ("ε", f"{found.epsilon:.4g}", "loss per row above the best"),
            ("2nε", f"{found.two_n_epsilon:.4g}", "on the likelihood-ratio scale"),
            ("Certificate gap", f"{found.certificate_gap:.1e}", "logits: no range is wider by more"),
            ("Baseline objective", f"{found.baseline_objective:.6f}", f"loss {found.baseline_loss:.6f}"),
            (
                "Baseline error",
                share(found.baseline_error),
                f"of {found.n:,} rows, {found.distinct:,} of them distinct",
            ),
        ]

    @cached_property
    def coefficients(self) -> list[Coefficient]:
        """The intercept first, then by size."""
        names = [INTERCEPT, *self.result.names]
        values = self.result.coefficients.tolist()
        largest = max(map(abs, values)) or 1.0
        order = sorted(range(1, len(names)), key=lambda at: -abs(values[at]))
        return [_coefficient(names[at], values[at], largest) for at in (0, *order)]

    @property
    def scaled(self) -> bool:
        return bool(self.parameters.get("standardize"))

    @cached_property
    def drawn(self) -> list[int]:
        """Rows of the band by the baseline's prediction."""
        order = np.argsort(self.result.predicted, kind="stable")
        if order.size > DRAWN:
            order = order[np.linspace(0, order.size - 1, DRAWN).round().astype(int)]
        return [int(at) for at in order]

    @property
    def figures(self) -> list[Figure]:
        return [self._band(), self._grid()]

    def _band(self) -> Figure:
        found = self.result
        some = "" if len(self.drawn) == found.n else f" {len(self.drawn)} of the {found.n:,} rows are drawn."
        rows = [
            (str(at + 1), [f"{value:.4f}" for value in (found.predicted[at], low, high, high - low)])
            for at, (low, high) in zip(self.drawn, found.ranges[self.drawn].tolist(), strict=True)
        ]
        return Figure(
            "viable-ranges", "Viable ranges",
            f"Every row by the baseline’s probability of label 1. Competing models can move it within the band.{some}",
            "Baseline probabilities rise inside the band of viable ranges; the same numbers are in the table below.",
            ["Row", "Baseline", "Lowest", "Highest", "Width"], rows,
        )  # fmt: skip

    def _grid(self) -> Figure:
        curve = self.result.curve
        rows = [
            (f"{delta:g}", [f"{100 * value:.1f}" for value in curve.ambiguity[:, at].tolist()])
            for at, delta in enumerate(curve.delta.tolist())
        ]
        return Figure(
            "ambiguity-grid", "Ambiguity over ε and δ",
            "Share of rows that some competing model moves by at least δ, for stricter and more generous ε. The thick "
            "line is the report’s own ε.",
            "Ambiguity over delta as one falling line for each epsilon; the same numbers are in the table below.",
            ["δ", *(f"ε {epsilon:.3g}, %" for epsilon in curve.epsilon.tolist())], rows,
        )  # fmt: skip

    @property
    def charts(self) -> dict[str, Any]:
        """What the script draws."""
        found, curve = self.result, self.result.curve
        chosen = np.array(self.drawn)
        return {
            "rows": [at + 1 for at in self.drawn],
            "predicted": np.round(found.predicted[chosen], 5).tolist(),
            "low": np.round(found.ranges[chosen, 0], 5).tolist(),
            "high": np.round(found.ranges[chosen, 1], 5).tolist(),
            "chosen": {"epsilon": found.epsilon, "delta": found.delta},
            "epsilon": curve.epsilon.tolist(),
            "delta": curve.delta.tolist(),
            "ambiguity": curve.ambiguity.tolist(),
        }


def _coefficient(name: str, value: float, largest: float) -> Coefficient:
    length = 50 * abs(value) / largest
    return Coefficient(name, f"{value:.4g}".replace("-", "−"), round(50 - length * (value < 0), 2), round(length, 2))


def share(value: float) -> str:
    return f"{100 * value:.1f} %"
