"""The figures of a cost-of-pass report: what is drawn, and the same numbers as tables.

Everything is taken from the stored result; only the curve through V over time is evaluated, at the dates it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import exp, isfinite, isinf, isnan
from typing import Any

from evaluation.analyses.base import to_json
from evaluation.analyses.cost_of_pass import ContenderCost, CostOfPassResult, Range
from evaluation.analyses.economics.progress import Trend
from evaluation.pricing import dollars

BARS = 24  # of a bar chart; its table has all of them
CURVE = 60  # points of the fitted curve
MISSING, INFINITE = "—", "∞"
NAMES = ("name", "accuracy", "mean_cost", "value_with_expert", "holds", "holds_alone", "essentialness", "dominated")


@dataclass(frozen=True)
class CostFigure:
    """A drawing with its numbers. kind: what the script draws; rows: (name, cells); wide: it takes the whole width."""

    kind: str
    title: str
    text: str
    alt: str
    heads: list[str]
    rows: list[tuple[str, list[str]]]
    wide: bool = False


def usd(value: float | None) -> str:
    """US dollars; a hole is a dash, and what no pass ever paid for is infinite."""
    if value is None or isnan(value):
        return MISSING
    return INFINITE if isinf(value) else dollars(value)


def share(value: float | None, digits: int = 1) -> str:
    """0.834 -> 83.4, without its unit; a hole is a dash."""
    return MISSING if value is None or isnan(value) else f"{100 * value:.{digits}f}".replace("-", "−")


def span(ends: Range, written: Any = usd) -> str:
    """Both ends of an interval; empty where it was not drawn."""
    return "" if any(map(isnan, ends)) else f"{written(ends[0])} to {written(ends[1])}"


def days(value: float) -> str:
    """A time as people say it: days below two months, months below two years."""
    if value < 61:
        return f"{value:.0f} days"
    months = value / 30.44
    return f"{months:.1f} months" if months < 24 else f"{months / 12:.1f} years"


def undrawn(contender: ContenderCost) -> bool:
    """It has no place on a plot whose cost is on a logarithmic axis."""
    return not (contender.mean_cost > 0 and isfinite(contender.accuracy))


def figures(found: CostOfPassResult) -> list[CostFigure]:
    """In the order of the page; progress where dates are known, essentialness where there is somebody to leave."""
    drawn = [_pareto(found), _holders(found)]
    if found.progress:
        drawn.append(_progress(found))
    if len(found.contenders) > 1 or found.families:
        drawn.append(_essentialness(found))
    return drawn


def _pareto(found: CostOfPassResult) -> CostFigure:
    rows = sorted(found.contenders, key=lambda one: (isnan(one.mean_cost), one.mean_cost, one.name))
    away = [one.name for one in rows if undrawn(one)]
    left = f" Not drawn, for want of a cost above 0: {', '.join(away)}." if away else ""
    return CostFigure(
        "pareto", "Cost and quality",
        f"Mean cost of an attempt against accuracy; lines through a point are its {100 * found.level:g} % intervals. "
        "The step line joins those that nobody beats in both; the others are faded. Click points, or draw a box around "
        f"some, to choose whom to compare.{left}",
        "Accuracy over mean cost in dollars on a logarithmic axis, with the Pareto frontier as a step line; the same "
        "numbers are in the table below.",
        ["Contender", "Mean cost", "Interval", "Accuracy, %", "Interval", "On the frontier"],
        [
            (one.name, [usd(one.mean_cost), span(one.mean_cost_interval) or MISSING,
                        share(one.accuracy), span(one.accuracy_interval, share) or MISSING,
                        "no" if one.dominated or undrawn(one) else "yes"])
            for one in rows
        ],
        wide=True,
    )  # fmt: skip


def _holders(found: CostOfPassResult) -> CostFigure:
    rows = sorted(found.contenders, key=lambda one: (-one.holds, one.name))
    size = found.samples
    return CostFigure(
        "holders", "Who holds the frontier",
        "On how many samples each has the smallest cost-of-pass, not above the expert’s; equals count for each. "
        f"The expert is the cheapest on {found.expert_holds:,} of {size:,} samples.",
        "Number of samples that each contender and the expert hold, as bars; the same numbers are in the table below.",
        ["Holder", "Samples", "Of all, %", "Alone"],
        [
            *((one.name, [f"{one.holds:,}", share(one.holds / size), f"{one.holds_alone:,}"]) for one in rows),
            ("the expert", [f"{found.expert_holds:,}", share(found.expert_holds / size), f"{found.expert_holds:,}"]),
        ],
    )  # fmt: skip


def _progress(found: CostOfPassResult) -> CostFigure:
    fit = found.trend
    fitted = (
        f" The dashed curve, {usd(fit.a)} × 2^(−t / {days(fit.half_time)}) + {usd(fit.c)}, fits with an error of "
        f"{usd(fit.error)}: what is above its floor halves every {days(fit.half_time)}."
        if fit
        else " No exponential curve fits: that takes at least four dates, and a fall that slows down."
    )
    return CostFigure(
        "progress", "Progress",
        "V after each contender joined the expert and all that were released before it. A large step is a contender "
        f"that was worth much on its day.{fitted}",
        "V over release dates as a falling step line; the same numbers are in the table below.",
        ["Released", "Contender", "V", "Gain", "Gain, %"],
        [
            (one.date, [one.contender, usd(one.value), usd(one.gain), share(one.relative_gain)])
            for one in found.progress
        ],
    )  # fmt: skip


def _essentialness(found: CostOfPassResult) -> CostFigure:
    """Families first, then contenders; the largest of each first."""
    families = sorted(found.families, key=lambda one: (-_known(one.essentialness), one.name))
    singles = sorted(found.contenders, key=lambda one: (-_known(one.essentialness), one.name))
    return CostFigure(
        "essentialness", "Who is essential",
        "By what share V, the expert included, would fall short without a whole family or a single contender: 0 % "
        "means that somebody else does the same for the same money. Families are the tags of entries, and quantised "
        "against reference weights where there are both.",
        "Essentialness of families and of single contenders as bars; the same numbers are in the table below.",
        ["Family or contender", "Essentialness, %", "Who"],
        [
            *((f"{one.name} (family)", [share(one.essentialness), ", ".join(one.contenders)]) for one in families),
            *((one.name, [share(one.essentialness), "alone"]) for one in singles),
        ],
    )  # fmt: skip


def chart_data(found: CostOfPassResult) -> dict[str, Any]:
    """What the script draws: the result's own numbers under its own names, "inf" for infinity and null for holes."""
    holders = sorted(found.contenders, key=lambda one: (-one.holds, one.name))[:BARS]
    singles = sorted(found.contenders, key=lambda one: (-_known(one.essentialness), one.name))[:BARS]
    families = sorted(found.families, key=lambda one: (-_known(one.essentialness), one.name))[:BARS]
    plain: dict[str, Any] = to_json(
        {
            "contenders": [
                {**{name: getattr(one, name) for name in NAMES}, "accuracy_interval": one.accuracy_interval,
                 "mean_cost_interval": one.mean_cost_interval}
                for one in found.contenders
                if not undrawn(one)
            ],
            "holders": [{"name": one.name, "holds": one.holds, "holds_alone": one.holds_alone} for one in holders],
            "expert": {"value": found.expert_value, "holds": found.expert_holds},
            "samples": found.samples,
            "progress": [one for one in found.progress if isfinite(one.value)],
            "curve": [] if found.trend is None else curve(found.trend, found.progress[-1].date),
            "families": [{"name": one.name, "essentialness": one.essentialness} for one in families],
            "singles": [{"name": one.name, "essentialness": one.essentialness} for one in singles],
        }
    )  # fmt: skip
    return plain


def curve(trend: Trend, last: str) -> list[tuple[str, float]]:
    """(date, V) of the fitted curve from its start to the last release."""
    start = date.fromisoformat(trend.start)
    whole = (date.fromisoformat(last) - start).days
    steps = sorted({round(whole * at / (CURVE - 1)) for at in range(CURVE)})
    return [((start + timedelta(days=day)).isoformat(), trend.a * exp(-trend.b * day) + trend.c) for day in steps]


def _known(value: float) -> float:
    return -1.0 if isnan(value) else value
