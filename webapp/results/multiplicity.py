"""A report of predictive multiplicity as its page draws it: sentences, the level set, figures, and pages of samples.

Everything is taken from the stored result; nothing is computed again but positions on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import Any

import numpy as np

from evaluation.analyses.base import from_json
from evaluation.analyses.competing.levels import Curve
from evaluation.analyses.multiplicity import MultiplicityResult
from webapp.results.ambiguous import SamplesPage, View, number, samples_page
from webapp.results.cost_figures import CostFigure

DRAWN = 60  # contenders in a heat map; all of them are in the JSON
UNITS = {"accuracy": "", "log-loss": " nats of log-loss", "brier": " of Brier score"}
VERDICTS = {"in": "✓ in", "out": "✕ out", "undecided": "? undecided"}


@dataclass(frozen=True)
class Level:
    """A contender beside the baseline. deficit, low, high, half: as written; bar: its places in per cent of the width.

    half: two standard errors of the deficit. flips: share of other answers, with its interval.
    """

    name: str
    is_baseline: bool
    inside: bool
    verdict: str
    accuracy: float
    deficit: str
    interval: str
    half: str
    bar: Mapping[str, float]
    flips: tuple[float, float, float]
    kappa: float | None
    excess: float | None
    ties: int | None
    noisy: bool


class MultiplicityView:
    """result: as `to_json` wrote it."""

    template = "components/multiplicity.html"
    scripts = ("js/multiplicity.js",)

    def __init__(self, result: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.result = from_json(MultiplicityResult, result)
        self.parameters = parameters
        self.baseline = self.result.contenders.index(self.result.baseline)
        self.rivals = len(self.result.level_set) - 1

    @cached_property
    def verdict(self) -> list[str]:
        return [self._ambiguity(), *self._uncertainty(), self._probabilities(), self._noise()]

    def _ambiguity(self) -> str:
        found = self.result
        bound = f"within {self._amount(found.epsilon)} of {found.baseline}"
        if not self.rivals:
            return f"No contender is {bound}: nobody competes with it.{self._nearest()}"
        who = f"{self.rivals} contenders" if self.rivals > 1 else "1 contender"
        if not found.ambiguity:
            return f"{who} {bound} {'give' if self.rivals > 1 else 'gives'} its answer to every sample."
        if self.rivals == 1:
            low, high = found.discrepancy_interval
            changes = f"{found.discrepancy_contender} answers {share(found.discrepancy)} of the samples otherwise"
            return f"1 contender is {bound}: {changes} (95 % interval {share(low)} to {share(high)})."
        return (
            f"{who} {bound} disagree with it on {share(found.ambiguity)} of the samples; "
            f"the worst single one, {found.discrepancy_contender}, changes {share(found.discrepancy)}."
        )

    def _nearest(self) -> str:
        others = [at for at in range(len(self.result.contenders)) if at != self.baseline]
        if not others:
            return ""
        at = min(others, key=lambda at: float(self.result.level.deficit[at]))
        behind = self._amount(float(self.result.level.deficit[at]))
        return f" The nearest, {self.result.contenders[at]}, is {behind} behind."

    def _uncertainty(self) -> list[str]:
        halves = [row.half for row in self.levels if not row.is_baseline]
        if not halves:
            return []
        open_ones = self.result.level.verdict.count("undecided")
        typical, n = self._amount(self.typical), f"{self.result.n:,}"
        said = f"Two standard errors of a difference are about {typical} on these {n} samples"
        if not open_ones:
            return [f"{said}: every contender is surely inside the level set or out of it."]
        who = "1 contender is" if open_ones == 1 else f"{open_ones} contenders are"
        return [f"{said}: {who} neither surely inside the level set nor out of it."]

    def _probabilities(self) -> str:
        found = self.result.probable
        if found is None:
            return (
                "Some contender gives no probabilities on some sample, so conflicts of probabilities, ranges, margins "
                "and capacity are not known. An analysis of one multiple-choice benchmark shows them."
            )
        conflict = (
            f"{share(found.ambiguity)} of the samples are in conflict by a distance of at least {self.result.delta:g}"
        )
        return f"By probabilities, {conflict}; the level set supports {found.capacity_choices:.2f} answers a sample."

    def _noise(self) -> str:
        noise = self.result.noise_floor
        if noise is None:
            return "No contender was run twice in this report, so how much of this is noise is not known."
        if not noise:
            return "Run twice, the same contender gives the same answers: chance in the runs explains none of this."
        return f"Run twice, the same contender changes {share(noise)} of its answers: that much is noise."

    def _amount(self, value: float) -> str:
        return amount(value, self.result.metric)

    @property
    def warnings(self) -> list[str]:
        """Those that the verdict has not said in its own words."""
        said = ("neither surely inside", "No contender competes")
        return [warning for warning in self.result.warnings if not any(part in warning for part in said)]

    @cached_property
    def typical(self) -> float:
        """Two standard errors of the middle contender's deficit."""
        level = self.result.level
        half = np.delete((level.high - level.low) / 2, self.baseline)
        return float(np.median(half)) if half.size else 0.0

    @cached_property
    def levels(self) -> list[Level]:
        """The baseline first, then by deficit."""
        deficit = self.result.level.deficit
        order = sorted(range(len(deficit)), key=lambda at: (at != self.baseline, float(deficit[at]), at))
        return [self._level(at) for at in order]

    def _level(self, at: int) -> Level:
        found, level = self.result, self.result.level
        deficit, low, high = (float(part[at]) for part in (level.deficit, level.low, level.high))
        noise = found.noise_floor
        return Level(
            name=found.contenders[at],
            is_baseline=at == self.baseline,
            inside=bool(level.inside[at]),
            verdict=VERDICTS[level.verdict[at]],
            accuracy=float(found.accuracy[at]),
            deficit=self._written(deficit),
            interval=f"{self._written(low)} to {self._written(high)}",
            half=self._written((high - low) / 2),
            bar={
                "start": self._place(low), "length": self._place(high) - self._place(low), "mark": self._place(deficit),
            },
            flips=(float(found.flips[at]), float(found.flips_low[at]), float(found.flips_high[at])),
            kappa=number(found.cohen_kappa[self.baseline, at]),
            excess=number(found.excess_agreement[self.baseline, at]),
            ties=None if found.probable is None else int(found.probable.ties[at]),
            noisy=noise is not None and at != self.baseline and float(found.flips[at]) <= noise,
        )  # fmt: skip

    def _written(self, value: float) -> str:
        text = f"{100 * value:.1f}" if self.result.metric == "accuracy" else f"{value:.3f}"
        return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")

    @cached_property
    def _scale(self) -> tuple[float, float]:
        level, epsilon = self.result.level, self.result.epsilon
        low, high = min(0.0, float(level.low.min())), max(epsilon, float(level.high.max()))
        return low, (high - low) or 1.0

    def _place(self, value: float) -> float:
        low, width = self._scale
        return round(100 * (value - low) / width, 2)

    @property
    def marks(self) -> dict[str, float]:
        """Where no deficit and epsilon stand on the scale of the intervals."""
        return {"zero": self._place(0.0), "epsilon": self._place(self.result.epsilon)}

    @cached_property
    def shares(self) -> list[tuple[str, float, str, str]]:
        """(name, share, its interval or what it means, unit): the numbers under the verdict."""
        found = self.result
        spans = [
            f"{share(low)} to {share(high)}" for low, high in (found.ambiguity_interval, found.discrepancy_interval)
        ]
        rows = [
            ("Ambiguity", share(found.ambiguity), spans[0]),
            ("Discrepancy", share(found.discrepancy), f"{spans[1]}, for the largest of {self.rivals}"),
            ("Obscurity", share(found.obscurity), "mean share of flips"),
            ("Mean disagreement", share(found.pairwise_disagreement), "over pairs of the level set"),
            (
                "Fleiss’ kappa",
                f"{found.fleiss_kappa:.2f}" if not isnan(found.fleiss_kappa) else "—",
                "1 is full agreement",
            ),
        ]
        if found.probable is not None:
            probable = found.probable
            rows += [
                ("Ambiguity by probability", share(probable.ambiguity), f"distance at least {found.delta:g}"),
                ("Discrepancy by probability", share(probable.discrepancy), f"distance at least {found.delta:g}"),
                (
                    "Rashomon capacity",
                    f"{probable.capacity_choices:.2f}",
                    f"answers a sample; {probable.capacity:.3f} bits",
                ),
            ]
        return rows  # type: ignore[return-value]

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """By subject or benchmark, the most ambiguous first; none where there is only one."""
        found = sorted(self.result.groups, key=lambda group: (-group.ambiguity, group.name))
        return [
            {
                "name": group.name,
                "n": group.n,
                "ambiguity": group.ambiguity,
                "low": group.interval[0],
                "high": group.interval[1],
                "start": 100 * group.interval[0],
                "length": 100 * (group.interval[1] - group.interval[0]),
                "mark": 100 * group.ambiguity,
            }
            for group in found
            if len(found) > 1
        ]

    @cached_property
    def drawn(self) -> list[int]:
        """The contenders of the heat maps: nearest to the baseline first."""
        place = {name: at for at, name in enumerate(self.result.contenders)}
        return [place[row.name] for row in self.levels[:DRAWN]]

    @cached_property
    def figures(self) -> list[CostFigure]:
        found = [self._epsilon_figure()]
        if self.result.probable is not None:
            found.append(self._delta_figure(self.result.probable.delta_curve))
        if self.rivals > 1:
            found.append(self._rarefaction_figure())
        if len(self.drawn) > 1:
            found += [
                self._heat("disagreement", "Disagreement", self.result.disagreement,
                           "Share of samples on which two contenders answer otherwise."),
                self._heat("excess", "Agreement beyond independent errors", self.result.excess_agreement,
                           "How much more two contenders agree than two with the same accuracies whose errors are "
                           "independent and spread evenly over the wrong choices."),
            ]  # fmt: skip
        return found

    def _epsilon_figure(self) -> CostFigure:
        curve = self.result.epsilon_curve
        unit = "points" if self.result.metric == "accuracy" else UNITS[self.result.metric].strip()
        return CostFigure(
            "epsilon", "As the bound grows",
            "How many samples the competitors put in question when more of them are let in. The report’s own ε is "
            "marked, and two standard errors of a difference beside it.",
            "Ambiguity and discrepancy as step lines over epsilon; the same numbers are in the table below.",
            [f"ε, {unit}", "Competitors", "Ambiguity, %", "Discrepancy, %"], _curve_rows(curve, self._written),
        )  # fmt: skip

    def _delta_figure(self, curve: Curve) -> CostFigure:
        return CostFigure(
            "delta", "By probability",
            "Share of samples on which probabilities of some competitor, or of the worst single one, are at least δ "
            "away from the baseline’s (total variation).",
            "Ambiguity and discrepancy by probability over delta; the same numbers are in the table below.",
            ["δ", "Competitors", "Ambiguity, %", "Discrepancy, %"], _curve_rows(curve, lambda at: f"{at:.2f}"),
        )  # fmt: skip

    def _rarefaction_figure(self) -> CostFigure:
        rows = [(str(m), [f"{100 * value:.1f}"]) for m, value in enumerate(self.result.rarefaction.tolist(), start=1)]
        return CostFigure(
            "rarefaction", "With fewer competitors",
            "Expected ambiguity of m random competitors. Compare reports of different sizes at the same m.",
            "Expected ambiguity over the number of competitors; the same numbers are in the table below.",
            ["Competitors", "Ambiguity, %"], rows,
        )  # fmt: skip

    def _heat(self, kind: str, title: str, matrix: np.ndarray, text: str) -> CostFigure:
        names = [self.result.contenders[at] for at in self.drawn]
        cells = matrix[np.ix_(self.drawn, self.drawn)]
        rows = [
            (name, [f"{100 * value:.1f}".replace("-", "−") for value in row])
            for name, row in zip(names, cells.tolist(), strict=True)
        ]
        alt = f"{title} of each pair of contenders as a heat map; the same numbers are in the table below."
        return CostFigure(kind, title, text + " In per cent.", alt, ["Contender", *names], rows)

    @property
    def charts(self) -> dict[str, Any]:
        """What the script draws."""
        found, probable = self.result, self.result.probable
        chosen = np.ix_(self.drawn, self.drawn)
        percent = found.metric == "accuracy"
        return {
            "scale": 100 if percent else 1,
            "unit": "points" if percent else UNITS[found.metric].strip(),
            "chosen": {"epsilon": found.epsilon, "delta": found.delta, "errors": self.typical},
            "epsilon": _curve(found.epsilon_curve),
            "delta": None if probable is None else _curve(probable.delta_curve),
            "rarefaction": found.rarefaction.tolist(),
            "names": [found.contenders[at] for at in self.drawn],
            "disagreement": np.round(found.disagreement[chosen], 5).tolist(),
            "excess": np.round(found.excess_agreement[chosen], 5).tolist(),
        }

    @cached_property
    def first_page(self) -> SamplesPage:
        return self.samples_page(View())

    def samples_page(self, view: View) -> SamplesPage:
        return samples_page(self.result.samples, view, self.rivals, probable=self.result.probable is not None)


def _curve(curve: Curve) -> dict[str, list[float]]:
    return {name: getattr(curve, name).tolist() for name in ("at", "size", "ambiguity", "discrepancy")}


def _curve_rows(curve: Curve, written: Any) -> list[tuple[str, list[str]]]:
    parts = zip(*_curve(curve).values(), strict=True)
    return [(written(at), [f"{size:,}", f"{100 * a:.1f}", f"{100 * d:.1f}"]) for at, size, a, d in parts]


def share(value: float) -> str:
    return "—" if isnan(value) else f"{100 * value:.1f} %"


def amount(value: float, metric: str) -> str:
    """A difference of the metric in words: “1 point”, “0.02 nats of log-loss”."""
    if metric != "accuracy":
        return f"{value:.3g}{UNITS[metric]}"
    text = f"{100 * value:.1f}".removesuffix(".0") if abs(value) >= 0.0005 or not value else f"{100 * value:.2g}"
    return f"{text} point" if text == "1" else f"{text} points"
