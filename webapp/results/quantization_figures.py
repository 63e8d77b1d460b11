"""Accuracy over bytes and over speed, as the page on quantisation draws it: points, the frontier, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webapp.results.cost_figures import CostFigure, share

PLOTS = {  # kind -> title, what is on the axis, head of its column
    "size-quality": ("Size and quality", "Bytes of the whole model in its format", "Bytes in the format"),
    "memory-quality": ("Memory and quality", "Peak memory of the device", "Peak bytes"),
    "speed-quality": ("Speed and quality", "Tokens written per second, one answer at a time", "Tokens per second"),
}


@dataclass(frozen=True)
class Placed:
    """A point of a plot over bytes or speed. dominated: another is no worse in it and as right."""

    name: str
    value: float
    accuracy: float
    reference: bool
    dominated: bool


def placed(
    values: Mapping[str, float | None], accuracy: Mapping[str, float], references: set[str], sign: int
) -> list[Placed]:
    """Contenders whose value is known, the best first: the least where sign is 1, the largest where it is -1."""
    found = [(sign * value, -right, name) for name, right in accuracy.items() if (value := values.get(name))]
    rows, best = [], -1.0
    for value, minus, name in sorted(found):
        rows.append(Placed(name, sign * value, -minus, name in references, dominated=-minus <= best))
        best = max(best, -minus)
    return rows


def placed_figure(kind: str, rows: Sequence[Placed], where: str) -> CostFigure:
    """Accuracy over bytes or speed. where: on which device that was measured."""
    title, about, head = PLOTS[kind]
    about_bytes = "Bytes in the format are not bytes in memory: see the table." if kind == "size-quality" else where
    return CostFigure(
        kind, title,
        f"{about} against accuracy. The step line joins those that nobody beats in both; the others are hollow. "
        f"{about_bytes}",
        f"Accuracy over {head.lower()} on a logarithmic axis, with the Pareto frontier as a step line; the same "
        "numbers are in the table below.",
        ["Contender", head, "Accuracy, %", "On the frontier"],
        [(one.name, [f"{one.value:,.0f}", share(one.accuracy), "no" if one.dominated else "yes"]) for one in rows],
    )  # fmt: skip
