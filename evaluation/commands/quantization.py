"""`python -m evaluation quantization SCORES --reference NAME`: what each scheme costs and changes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from math import isnan
from pathlib import Path

from evaluation.analyses.quantization import QuantizationParams, QuantizationResult, compute
from evaluation.answer_files import read_answers
from evaluation.commands.base import Answer, Command, add_params, params_of, text_table
from evaluation.commands.multiplicity import COLUMNS


def arguments(parser: ArgumentParser) -> None:
    """The file and the analysis' parameters."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help=COLUMNS)
    add_params(parser, QuantizationParams)


def run(options: Namespace) -> Answer:
    """Compute the report."""
    result = compute(read_answers(options.scores), params_of(QuantizationParams, options))
    return Answer(result, _text(result), result.warnings)


def _text(result: QuantizationResult) -> str:
    """Each contender beside its reference, then the verdict."""
    header = ["n", "contender", "accuracy", "difference", "p (Holm)", "changed", "lost", "won", "other wrong", "KL"]
    rows = [_row(result, number) for number in range(len(result.contenders))]
    return f"{text_table(header, rows)}\n\n{result.verdict}"


def _row(result: QuantizationResult, row: int) -> list[str]:
    start = [str(result.n[row]), result.contenders[row], f"{result.accuracy[row]:.4f}"]
    if isnan(result.difference[row]):
        return [*start, "reference", *[""] * 6]
    kl = "" if result.kl_mean is None else f"{result.kl_mean[row]:.4f}"
    counts = [str(one.count[row]) for one in (result.lost, result.won, result.other_wrong)]
    return [
        *start,
        f"{result.difference[row]:+.4f} ({result.low[row]:+.4f} to {result.high[row]:+.4f})",
        f"{result.p_adjusted[row]:.3g}",
        f"{result.changed.share[row]:.4f}",
        *counts,
        kl,
    ]


QUANTIZATION = Command("Each scheme against its reference: loss, answers changed, divergence", arguments, run)
