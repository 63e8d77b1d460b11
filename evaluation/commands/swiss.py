"""`python -m evaluation swiss SCORES`: the tournament on a file of mean scores."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import numpy as np

from evaluation.analyses.swiss import SwissParams, SwissResult, compute
from evaluation.commands.base import Answer, Command, add_means, add_params, means, params_of, rank_text, text_table
from evaluation.errors import BadParameter


def arguments(parser: ArgumentParser) -> None:
    """Options of the tournament."""
    add_means(parser)
    add_params(parser, SwissParams)
    parser.add_argument("--processes", type=int, default=1, help="processes to share the work; changes no number")


def run(options: Namespace) -> Answer:
    """Play the tournaments."""
    if options.processes < 1:
        raise BadParameter("At least one process must play.", field="processes")
    result = compute(means(options), params_of(SwissParams, options), processes=options.processes)
    return Answer(result, _text(result), result.warnings)


def _text(result: SwissResult) -> str:
    """Contenders from the top of the first tournament, E[S] ± standard error under each elimination."""
    first = next(iter(result.eliminations.values()))
    header = ["rank", "contender", *(f"E[S] T={key}" for key in result.eliminations)]
    drop = result.sensitivity
    rows = []
    for row in np.argsort(-first.expected_points, kind="stable").tolist():
        points = [
            _with_error(float(one.expected_points[row]), float(one.standard_error[row]), exact=result.exact)
            for one in result.eliminations.values()
        ]
        cells = [rank_text(int(first.rank_low[row]), int(first.rank_high[row])), result.contenders[row], *points]
        if drop is not None:
            error = float(drop.drop_standard_error[row])
            cells.append(_with_error(float(drop.drop[row]), error, exact=result.exact))
        rows.append(cells)
    how = "exact" if result.exact else f"{result.iterations:,} simulations, seed {result.seed}"
    heading = f"Swiss tournament: {len(result.contenders)} contenders, {len(result.rounds)} rounds, {how}"
    return f"{heading}\n\n{text_table([*header, *(['drop'] if drop is not None else [])], rows)}"


def _with_error(value: float, error: float, *, exact: bool) -> str:
    return f"{value:.4f}" if exact else f"{value:.4f} ± {error:.4f}"


SWISS = Command("Swiss-system tournament over benchmarks", arguments, run)
