"""`python -m evaluation compare SCORES A B`: two contenders on the same samples."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from evaluation.analyses.comparison import PairComparison, compare
from evaluation.answer_files import read_answers
from evaluation.commands.base import Answer, Command
from evaluation.commands.multiplicity import COLUMNS


def arguments(parser: ArgumentParser) -> None:
    """The file, the two names, and what counts as equal."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help=COLUMNS)
    parser.add_argument("first", metavar="A", help="contender")
    parser.add_argument("second", metavar="B", help="contender")
    parser.add_argument("--level", type=float, default=0.95, help="confidence level; default 0.95")
    parser.add_argument("--margin", type=float, default=0.01, help="a difference below it counts as none; default 0.01")


def run(options: Namespace) -> Answer:
    """Compare."""
    table = read_answers(options.scores)
    result = compare(table, options.first, options.second, level=options.level, margin=options.margin)
    said = f"{result.dropped} samples were left out: not answered by both."
    return Answer(result, _text(result), (said,) if result.dropped else ())


def _text(result: PairComparison) -> str:
    return "\n".join(
        [
            result.verdict,
            "",
            f"accuracy      {result.accuracy_first:.4f}  {result.first}",
            f"              {result.accuracy_second:.4f}  {result.second}",
            f"difference    {result.difference:+.4f} ({result.interval[0]:+.4f} to {result.interval[1]:+.4f})",
            f"McNemar       p = {result.mcnemar_p:.4g}: only {result.first} right on {result.only_first}, "
            f"only {result.second} on {result.only_second}",
            f"equivalence   p = {result.equivalence_p:.4g} within {result.margin:g}",
            f"answers       {result.answers_changed} of {result.n} differ; "
            f"{result.wrong_to_other_wrong} of them wrong in two ways",
        ]
    )


COMPARE = Command("Two contenders on the same samples: effect, exact McNemar test, flips", arguments, run)
