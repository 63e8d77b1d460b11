"""What a command of `python -m evaluation` is: its options, and an answer as data and as text."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evaluation.analyses.base import Parameter, described, parse_params
from evaluation.reading import read_means
from evaluation.tables import BenchmarkTable

P = TypeVar("P")


@dataclass(frozen=True)
class Answer:
    """data: a result that `to_json` accepts; text: the same for a reader; warnings go to stderr."""

    data: Any
    text: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """One subcommand, registered in `evaluation.commands.COMMANDS`. run may raise EvaluationError."""

    summary: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], Answer]


def add_means(parser: ArgumentParser) -> None:
    """The options that say where mean scores come from."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help="CSV or Parquet: contender, then benchmarks")
    parser.add_argument("--lower-is-better", nargs="+", action="extend", default=[], metavar="NAME", help="benchmarks")
    parser.add_argument("--standard-errors", type=Path, metavar="FILE", help="standard errors, same rows and columns")


def means(options: Namespace) -> BenchmarkTable:
    """The table that the options of `add_means` name."""
    return read_means(options.scores, lower_is_better=options.lower_is_better, standard_errors=options.standard_errors)


def add_params(parser: ArgumentParser, params: type[Any]) -> None:
    """One option per field of a Params dataclass; left out, the field keeps its default."""
    for item in described(params):
        option = f"--{item.name.replace('_', '-')}"
        if item.kind == "flag":
            parser.add_argument(option, action=BooleanOptionalAction, help=_help(item))
        else:
            parser.add_argument(option, metavar=item.kind.upper(), help=_help(item))


def params_of(params: type[P], options: Namespace) -> P:
    """Params from the options of `add_params`. Raises BadParameter, which names the field."""
    given = {item.name: getattr(options, item.name, None) for item in described(params)}
    return parse_params(params, {name: value for name, value in given.items() if value is not None})


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns: the second, the names, to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) if column == 1 else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in [header, *rows])
    ]
    return "\n".join(line.rstrip() for line in lines)


def rank_text(low: int, high: int) -> str:
    """3, or 2–5 for an interval."""
    return str(low) if low == high else f"{low}–{high}"


def _help(item: Parameter) -> str:
    choices = f"; {', '.join(item.choices)}" if item.choices else ""
    default = f"; default {item.default}" if item.kind != "flag" and item.default != "" else ""
    return f"{item.help}{choices}{default}".replace("%", "%%")
