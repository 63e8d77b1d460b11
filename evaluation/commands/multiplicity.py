"""`python -m evaluation multiplicity SCORES`: who answers otherwise at equal accuracy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from evaluation.analyses.multiplicity import MultiplicityParams, MultiplicityResult, compute
from evaluation.answer_files import read_answers
from evaluation.commands.base import Answer, Command, add_params, params_of, text_table

COLUMNS = "CSV or Parquet: contender,sample,answer,correct[,group][,gold][,p_<choice>...]"


def arguments(parser: ArgumentParser) -> None:
    """The file and the analysis' parameters."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help=COLUMNS)
    add_params(parser, MultiplicityParams)


def run(options: Namespace) -> Answer:
    """Compute the report."""
    result = compute(read_answers(options.scores), params_of(MultiplicityParams, options))
    return Answer(result, _text(result), result.warnings)


def _text(result: MultiplicityResult) -> str:
    """The level set from the top, then the report's headline numbers."""
    rows = [
        [
            result.level.verdict[row],
            result.contenders[row] + (" (baseline)" if result.contenders[row] == result.baseline else ""),
            f"{result.accuracy[row]:.4f}",
            f"{result.level.deficit[row]:+.4f}",
            f"{result.flips[row]:.4f}",
        ]
        for row in np.argsort(result.level.deficit, kind="stable").tolist()
    ]
    table = text_table([f"{result.metric} ±{result.epsilon:g}", "contender", "accuracy", "deficit", "flips"], rows)
    low, high = result.ambiguity_interval
    lines = [
        f"Predictive multiplicity: {result.n:,} samples, {len(result.level_set)} of {len(rows)} in the level set",
        f"\n{table}\n",
        f"ambiguity {result.ambiguity:.4f} ({low:.4f} to {high:.4f})",
        f"discrepancy {result.discrepancy:.4f} ({result.discrepancy_contender or 'no competitor'})",
        f"obscurity {result.obscurity:.4f}, pairwise disagreement {result.pairwise_disagreement:.4f}, "
        f"Fleiss' kappa {result.fleiss_kappa:.4f}",
    ]
    if result.probable is not None:
        lines.append(
            f"by probabilities at delta {result.delta:g}: ambiguity {result.probable.ambiguity:.4f}, discrepancy "
            f"{result.probable.discrepancy:.4f}, capacity {result.probable.capacity:.4f} bits"
        )
    return "\n".join(lines)


MULTIPLICITY = Command("Ambiguity and discrepancy among contenders of about equal accuracy", arguments, run)
