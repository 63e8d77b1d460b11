"""`python -m evaluation adaptive SCORES`: what a part of the budget would have found."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from evaluation.analyses.adaptive import AdaptiveParams, AdaptiveResult, compute
from evaluation.commands.base import Answer, Command, add_params, params_of, text_table
from evaluation.score_files import read_scores


def arguments(parser: ArgumentParser) -> None:
    """The file and the analysis' parameters."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help="CSV or Parquet: contender,sample,correct")
    add_params(parser, AdaptiveParams)


def run(options: Namespace) -> Answer:
    """Replay."""
    result = compute(read_scores(options.scores), params_of(AdaptiveParams, options))
    return Answer(result, _text(result))


def _text(result: AdaptiveResult) -> str:
    """The verdict, then both curves."""
    rows = [
        [f"{own.budget:.1%}", f"{own.cells:,}", f"{own.found_best:.2f}", f"{own.error:.4f}", f"{even.found_best:.2f}"]
        for own, even in zip(result.curve, result.uniform_curve, strict=True)
    ]
    table = text_table(["budget", "cells", "found best", "shortfall", "uniform"], rows)
    return f"{result.verdict}\nBest: {', '.join(result.best)}\n\n{table}"


ADAPTIVE = Command("Find the best contender within a budget, replayed on complete scores", arguments, run)
