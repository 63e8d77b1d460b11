"""Answers as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

MISSING = "—"
LEFT = 1  # the first column is text; numbers stand at the right


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text: Sequence[int] = (0,)) -> str:
    """text: numbers of the columns that are words."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if at in text else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(lines)


def percent(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.1f}"


def board(found: Mapping[str, Any]) -> str:
    names = [column["benchmark"] for column in found["columns"]]
    rows = [[_rank(row), row["contender"], _value(row), *map(_cell, row["cells"])] for row in found["standings"]]
    if not rows:
        return f"{found['title']}: nobody has a result yet."
    words = [f"{found['title']}, version {found['version']}", found["verdict"]]
    return "\n".join([*filter(None, words), "", table(["rank", "contender", "value", *names], rows, text=(1,))])


def _rank(row: Mapping[str, Any]) -> str:
    low, high = row["rank_low"], row["rank_high"]
    if low is None or not row["comparable"]:
        return MISSING
    return str(low) if low == high else f"{low}–{high}"


def _value(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return MISSING
    return f"{row['value']:.3f}" + ("" if row["error"] is None else f" ±{row['error']:.3f}")


def _cell(cell: Mapping[str, Any]) -> str:
    if cell["state"] == "done":
        return percent(cell["mean"])
    return MISSING if cell["state"] == "none" else str(cell["state"])


def comparison(found: Mapping[str, Any]) -> str:
    people = [[one["name"], percent(one["mean"]), _interval(one["interval"])] for one in found["contenders"]]
    pairs = [
        [
            f"{pair['first']} against {pair['second']}",
            f"{100 * pair['difference']:+.1f}",
            _interval(pair["interval"], sign="+"),
            f"{pair['p_adjusted']:.3g}",
            f"{pair['only_first']}:{pair['only_second']}",
        ]
        for pair in found["pairs"]
    ]
    return "\n".join(
        [
            f"{found['about']}: {found['n']:,} samples that all of them answered",
            found["verdict"],
            "",
            table(["contender", "mean %", "95 % interval"], people),
            "",
            table(["pair", "points", "95 % interval", "p (Holm)", "only right"], pairs),
            *found["left_out"],
        ]
    )


def _interval(ends: Sequence[float | None], sign: str = "") -> str:
    low, high = ends
    return MISSING if low is None or high is None else f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"


def plan(found: Mapping[str, Any]) -> str:
    rows = [
        [run["contender"], run["benchmark"], _count(run["samples"]), "reused" if run["existing"] else "new"]
        for run in found["runs"]
    ]
    seconds = "not known" if found["seconds"] is None else f"{found['seconds']:.0f} s"
    total = f"{found['new']} new runs, {found['reused']} reused. Time: {seconds}. Cost: {_cost(found)}."
    lines = [table(["contender", "benchmark", "samples", ""], rows, text=(0, 1, 3)), "", total, found["refusal"]]
    return "\n".join(line for line in lines if line or line == "").rstrip()


def _cost(found: Mapping[str, Any]) -> str:
    """As the page of a new job says it."""
    if found["cost_usd"] is not None:
        return dollars(found["cost_usd"])
    if Decimal(found["known_cost_usd"]):
        return f"at least {dollars(found['known_cost_usd'])}"
    return f"no price for {', '.join(found['unpriced'])}" if found["unpriced"] else "not known"


def dollars(amount: str) -> str:
    """ "1234.5" -> $1,234.50, "0.000000000" -> $0.00; less than a dollar by three digits, "0.0123456" -> $0.0123."""
    value = Decimal(amount)
    if value >= 1 or not value:
        return f"${value:,.2f}"
    short = Decimal(f"{value:.3g}").normalize()
    return f"${short:.{max(2, -int(short.as_tuple().exponent))}f}"


def jobs(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [str(job["id"]), job["state"], f"{job['runs_done']}/{job['runs_total']}", job["created_at"][:16], job["title"]]
        for job in found
    ]
    return table(["job", "state", "runs", "submitted", "title"], rows, text=(1, 4)) if rows else "There are no jobs."


def results(found: Sequence[Mapping[str, Any]]) -> str:
    """Of the runs of a job."""
    rows = [
        [run["contender"], run["benchmark"], percent(run["mean"]), _interval([run["low"], run["high"]]), run["state"]]
        for run in found
    ]
    return table(["contender", "benchmark", "mean %", "95 % interval", "state"], rows, text=(0, 1, 4))


def _count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"
