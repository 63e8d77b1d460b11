"""The three plots of a Swiss tournament with their tables: sensitivity, eliminations, and the spread of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webapp.results.cost_figures import MISSING, CostFigure

if TYPE_CHECKING:
    from webapp.results.tournament import Row, TournamentView

COLOURED = 8  # lines that are told apart; the table has all


def figures(view: TournamentView) -> list[CostFigure]:
    shown = [_sensitivity(view)] if view.medians is not None else []
    return [*shown, *([_eliminations(view)] if len(view.keys) > 1 else []), _points(view)]


def charts(view: TournamentView) -> dict[str, Any]:
    """What the script draws: the stored numbers."""
    rows = [{"name": row.name, "points": row.points, "drop": row.drop, "kind": row.kind} for row in view.rows]
    return {
        "eliminations": view.keys,
        "base": _base(view),
        "medians": view.medians,
        "rows": rows,
        "distribution": view.main.distribution[view.order[:COLOURED]].tolist(),
    }


def _base(view: TournamentView) -> int | None:
    return next((at for at, key in enumerate(view.keys) if view.result.eliminations[key] is view.base), None)


def _sensitivity(view: TournamentView) -> CostFigure:
    return CostFigure(
        "sensitivity", "Sensitivity to failure",
        "How much of E[S] a contender loses when the two lowest leave after every round. In the better half, a robust "
        "generalist ● loses less than the middle contender, an aggressive specialist ◆ more.",
        "Scatter of expected points without eliminations against the drop with two eliminations a round; the same "
        "numbers are in the table below.",
        ["Contender", "E[S], 0 leave", "Drop", "± standard error", "Drop, %", "Kind"],
        [(row.name, _lost(row, _base(view) or 0)) for row in view.rows],
    )  # fmt: skip


def _lost(row: Row, base: int) -> list[str]:
    relative = MISSING if row.relative is None else f"{100 * row.relative:.1f}"
    return [*_digits(row.points[base][0], row.drop or 0.0, row.drop_error or 0.0), relative, row.kind or MISSING]


def _eliminations(view: TournamentView) -> CostFigure:
    return CostFigure(
        "eliminations", "E[S] under eliminations",
        "One line per contender, one point per number that leaves after each round. Who is eliminated keeps the points "
        "won until then.",
        "Lines of expected points over the number of eliminations; the same numbers are in the table below.",
        ["Contender", *(f"E[S], {key} leave" for key in view.keys)],
        [(row.name, _digits(*(value for value, _ in row.points))) for row in view.rows],
    )  # fmt: skip


def _points(view: TournamentView) -> CostFigure:
    chances = view.main.distribution[view.order].tolist()
    return CostFigure(
        "points", "Distribution of points",
        "How often each contender ends with each number of points. Where two lines overlap, the luck of the draw may "
        f"swap the two.{_first(view)}",
        "Lines of the share of tournaments over final points; the same numbers are in the table below.",
        ["Contender", *(f"{points} points, %" for points in view.levels)],
        [(row.name, [f"{100 * chance:.2f}" for chance in one]) for row, one in zip(view.rows, chances, strict=True)],
        wide=True,
    )  # fmt: skip


def _first(view: TournamentView) -> str:
    return f" The first {COLOURED} of {len(view.rows):,} are drawn." if len(view.rows) > COLOURED else ""


def _digits(*values: float) -> list[str]:
    return [f"{value:.3f}".replace("-", "−") for value in values]
