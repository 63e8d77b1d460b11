"""`python -m evaluation aggregate SCORES --method mean`: one number per contender from a file of mean scores."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import numpy as np

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Ranking, described, parse_params
from evaluation.commands.base import Answer, Command, add_means, means, rank_text, text_table

METHODS = {"mean": "mean-score", "z-score": "mean-z-score", "win-rate": "win-rate", "bradley-terry": "bradley-terry"}


def arguments(parser: ArgumentParser) -> None:
    """Options of all methods; one that the chosen method does not know is refused."""
    add_means(parser)
    parser.add_argument("--method", choices=METHODS, default="mean", help="default mean")
    offered = {item.name: item for method in METHODS.values() for item in described(ANALYSES[method].Params)}
    for item in offered.values():
        allowed = f"; {', '.join(item.choices)}" if item.choices else ""
        parser.add_argument(f"--{item.name}", metavar=item.kind.upper(), help=f"{item.help}{allowed}")
    parser.set_defaults(offered=tuple(offered))


def run(options: Namespace) -> Answer:
    """Compute the chosen aggregate."""
    analysis = ANALYSES[METHODS[options.method]]
    given = {name: getattr(options, name) for name in options.offered if getattr(options, name) is not None}
    result = analysis.compute(means(options), parse_params(analysis.Params, given))
    return Answer(result, _text(analysis.title, result))


def _text(title: str, result: Ranking) -> str:
    sign = -1.0 if result.higher_is_better else 1.0
    rows = []
    for row in np.argsort(sign * result.value, kind="stable").tolist():
        interval = "not known"
        if result.low is not None and result.high is not None:
            interval = f"{result.low[row]:.4f} to {result.high[row]:.4f}"
        rank = rank_text(int(result.rank_low[row]), int(result.rank_high[row]))
        rows.append([rank, result.contenders[row], f"{result.value[row]:.4f}", interval])
    return f"{title}\n\n{text_table(['rank', 'contender', 'value', '95 % interval'], rows)}"


AGGREGATE = Command("Mean score, mean z-score, mean win rate or Bradley-Terry strength", arguments, run)
