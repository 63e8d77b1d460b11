"""An audit of linear models as its page draws it: sentences, facts, figures, coefficients and the widest rows.

Everything is taken from the stored result; nothing is computed again but positions on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.base import from_json
from evaluation.analyses.linear_multiplicity import LinearMultiplicityResult
from webapp.results.cost_figures import CostFigure
from webapp.results.multiplicity import share

DRAWN = 2_000  # rows of the band: evenly spaced in its order where there are more; all of them are in the JSON
LISTED = 50  # of the widest rows
HALF = 0.5
INTERCEPT = "(intercept)"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Coefficient:
    """Of the baseline, and of the model that moves the most rows; as written. bar: from one to the other, in per cent.

    turned: whether the sign changes.
    """

    name: str
    baseline: str
    other: str
    turned: bool
    bar: Mapping[str, float]


@dataclass(frozen=True)
class WideRow:
    """number: its place in the file, from 1. turned: some model decides otherwise. bar: in per cent of 0 to 1."""

    number: int
    predicted: float
    low: float
    high: float
    turned: bool
    bar: Mapping[str, float]

    @property
    def width(self) -> float:
        return self.high - self.low


class LinearView:
    """result: as `to_json` wrote it."""

    template = "components/linear_multiplicity.html"
    scripts = ("js/linear.js",)

    def __init__(self, result: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.result = from_json(LinearMultiplicityResult, result)
        self.parameters = parameters
        self.low, self.high = self.result.ranges.T
        self.widths = self.high - self.low

    @cached_property
    def verdict(self) -> list[str]:
        said = [self.result.verdict, self._decisions(), self._scale(), self._proof()]
        return [sentence.replace(" %", "\u00a0%").replace(" × ", "\u00a0×\u00a0") for sentence in said]

    @cached_property
    def turned(self) -> NDArray[np.bool_]:
        """(row,) whether some competing model puts it on the other side of one half."""
        return np.asarray((self.low < HALF) & (self.high >= HALF))

    @cached_property
    def conflict(self) -> NDArray[np.bool_]:
        """(row,) whether some competing model moves it by delta or more."""
        up, down = self.high - self.result.predicted, self.result.predicted - self.low
        return np.asarray(np.maximum(up, down) >= self.result.delta)

    def _decisions(self) -> str:
        turned, n = int(self.turned.sum()), self.result.n
        if not turned:
            return f"None of them decides any of the {n:,} rows otherwise, where one half divides the labels."
        rows = "1 row is" if turned == 1 else f"{turned:,} rows are"
        share_of = f"{share(turned / n)} of {n:,}"
        return f"{rows} decided otherwise by some of them ({share_of}), where one half divides the labels."

    def _scale(self) -> str:
        found, usual = self.result, self.result.profile_epsilon
        times = f"{found.epsilon / usual:.2g} times that of a 95 % profile interval of one coefficient ({usual:.3g})"
        if found.epsilon > usual:
            return f"This ε is {times}, so it lets in models that such an interval leaves out."
        return f"This ε is {times}, so all of these models lie within what such an interval leaves open."

    def _proof(self) -> str:
        found = self.result
        proven = f"Every range is proven: no competing model goes further by more than {self.gap} logits."
        if found.discrepancy[0] == found.discrepancy[1]:
            return f"{proven} The discrepancy is exact ({found.discrepancy_method})."
        return f"{proven} The discrepancy lies between a model that was found and a bound ({found.discrepancy_method})."

    @property
    def gap(self) -> str:
        """The certificate gap as people write powers of ten."""
        number, power = f"{self.result.certificate_gap:.1e}".split("e")
        return f"{number} × 10{str(int(power)).translate(RAISED)}" if self.result.certificate_gap else "0"

    @cached_property
    def facts(self) -> list[tuple[str, str, str]]:
        """(name, value, what it means): the numbers under the verdict."""
        found = self.result
        low, high = map(share, found.discrepancy)
        same = "all distinct" if found.distinct == found.n else f"{found.distinct:,} distinct"
        return [
            ("Ambiguity", share(found.ambiguity), f"moved by {found.delta:g} or more by some model"),
            ("Discrepancy", low if low == high else f"{low} to {high}", "by a single model"),
            ("Decided otherwise", share(float(self.turned.mean())), "by some model"),
            ("Mean width", f"{self.widths.mean():.4f}", f"of a range; the widest {self.widths.max():.4f}"),
            ("Baseline error", share(found.baseline_error), f"of {found.n:,} rows, {same}"),
            ("Baseline objective", f"{found.baseline_objective:.6f}", f"loss {found.baseline_loss:.6f} without ridge"),
            ("ε", f"{found.epsilon:.4g}", f"nats a row: {share(found.epsilon / found.baseline_objective)} of the best"),
            ("2nε", f"{found.two_n_epsilon:.4g}", f"a 95 % profile has {2 * found.n * found.profile_epsilon:.3g}"),
            ("Certificate gap", self.gap, "logits: no range is wider by more"),
        ]

    @cached_property
    def drawn(self) -> NDArray[np.intp]:
        """Rows of the band by the baseline's prediction."""
        order = np.argsort(self.result.predicted, kind="stable")
        if order.size <= DRAWN:
            return order
        return np.asarray(order[np.linspace(0, order.size - 1, DRAWN).round().astype(np.intp)])

    @cached_property
    def figures(self) -> list[CostFigure]:
        return [self._band(), self._over_delta(), self._over_epsilon()]

    def _band(self) -> CostFigure:
        found, n = self.result, self.drawn.size
        some = "" if n == found.n else f" {n:,} of {found.n:,} rows are drawn, evenly spaced; the JSON has all of them."
        numbers = zip(found.predicted[self.drawn], self.low[self.drawn], self.high[self.drawn], strict=True)
        return CostFigure(
            "viable-ranges", "Viable ranges",
            "Every row by the baseline’s probability of label 1, the line. Competing models can move it within the "
            f"band: by δ or more where the band is dark, by less where it is light.{some}",
            "Baseline probabilities rise inside the band of viable ranges; the same numbers are in the table below.",
            ["Row", "Baseline", "Least", "Largest", "Width"],
            [
                (str(at + 1), [f"{value:.4f}" for value in (own, low, high, high - low)])
                for at, (own, low, high) in zip(self.drawn.tolist(), numbers, strict=True)
            ],
            wide=True,
        )  # fmt: skip

    def _over_delta(self) -> CostFigure:
        curve = self.result.curve
        return CostFigure(
            "over-delta", "Ambiguity over δ",
            "Share of rows that some competing model moves by at least δ, for stricter and more generous ε. The thick "
            "line is the report’s own ε, its δ is marked.",
            "Ambiguity over delta as one falling line for each epsilon; the same numbers are in the table below.",
            ["δ", *(f"ε {epsilon:.3g}, %" for epsilon in curve.epsilon.tolist())],
            [(f"{delta:g}", _percents(row)) for delta, row in zip(curve.delta, curve.ambiguity.T, strict=True)],
        )  # fmt: skip

    def _over_epsilon(self) -> CostFigure:
        curve = self.result.curve
        return CostFigure(
            "over-epsilon", "Ambiguity over ε",
            "The same shares as the bound grows, a line for each δ. Marked are the report’s own ε and that of a 95 % "
            "profile interval.",
            "Ambiguity over epsilon as one rising line for each delta; the same numbers are in the table below.",
            ["ε", *(f"δ {delta:g}, %" for delta in curve.delta.tolist())],
            [(f"{epsilon:.3g}", _percents(row)) for epsilon, row in zip(curve.epsilon, curve.ambiguity, strict=True)],
        )  # fmt: skip

    @property
    def charts(self) -> dict[str, Any]:
        """What the script draws."""
        found, drawn = self.result, self.drawn
        return {
            "rows": (drawn + 1).tolist(),
            "n": found.n,
            "predicted": np.round(found.predicted[drawn], 5).tolist(),
            "low": np.round(self.low[drawn], 5).tolist(),
            "high": np.round(self.high[drawn], 5).tolist(),
            "conflict": self.conflict[drawn].astype(int).tolist(),
            "chosen": {"epsilon": found.epsilon, "delta": found.delta, "profile": found.profile_epsilon},
            "epsilon": found.curve.epsilon.tolist(),
            "delta": found.curve.delta.tolist(),
            "ambiguity": found.curve.ambiguity.tolist(),
        }

    @property
    def scaled(self) -> bool:
        return bool(self.parameters.get("standardize"))

    @cached_property
    def coefficients(self) -> list[Coefficient]:
        """The intercept first, then by size."""
        names = (INTERCEPT, *self.result.names)
        pairs = list(zip(self.result.coefficients.tolist(), self.result.discrepancy_model.tolist(), strict=True))
        largest = max(abs(value) for pair in pairs for value in pair) or 1.0
        order = sorted(range(1, len(names)), key=lambda at: -abs(pairs[at][0]))
        return [_coefficient(names[at], *pairs[at], largest) for at in (0, *order)]

    @cached_property
    def widest(self) -> list[WideRow]:
        """The rows that are decided least."""
        return [self._row(at) for at in np.argsort(-self.widths, kind="stable")[:LISTED].tolist()]

    def _row(self, at: int) -> WideRow:
        low, high, own = float(self.low[at]), float(self.high[at]), float(self.result.predicted[at])
        bar = {"start": round(100 * low, 2), "length": round(100 * (high - low), 2), "mark": round(100 * own, 2)}
        return WideRow(at + 1, own, low, high, bool(self.turned[at]), bar)


def _coefficient(name: str, baseline: float, other: float, largest: float) -> Coefficient:
    start, end = (round(50 + 50 * value / largest, 2) for value in sorted((baseline, other)))
    bar = {"start": start, "length": round(end - start, 2), "mark": round(50 + 50 * baseline / largest, 2)}
    return Coefficient(name, _signed(baseline), _signed(other), baseline * other < 0, bar)


def _signed(value: float) -> str:
    """Four digits behind the point, or as many that count where the number is tiny or huge."""
    text = f"{value:.4f}" if 0.001 <= abs(value) < 10_000 or not value else f"{value:.3g}"
    return text.replace("-", "−")


def _percents(row: NDArray[np.float64]) -> list[str]:
    return [f"{100 * value:.1f}" for value in row.tolist()]
