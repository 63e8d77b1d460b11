"""`python -m evaluation linear-multiplicity DATA --label COLUMN`: all linear models near the best one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from evaluation.analyses.linear_multiplicity import LinearMultiplicityParams, LinearMultiplicityResult, compute
from evaluation.commands.base import Answer, Command, add_params, params_of, text_table
from evaluation.features import read_features


def arguments(parser: ArgumentParser) -> None:
    """The file, its label and the analysis' parameters."""
    parser.add_argument("data", type=Path, metavar="DATA", help="CSV: features and a label that is 0 or 1")
    parser.add_argument("--label", required=True, metavar="COLUMN", help="the column of labels")
    add_params(parser, LinearMultiplicityParams)


def run(options: Namespace) -> Answer:
    """Audit."""
    result = compute(read_features(options.data, options.label), params_of(LinearMultiplicityParams, options))
    return Answer(result, _text(result), result.warnings)


def _text(result: LinearMultiplicityResult) -> str:
    """The verdict, the baseline's numbers, the ambiguity over delta."""
    own = result.curve.epsilon.tolist().index(result.epsilon)
    shares = zip(result.curve.delta.tolist(), result.curve.ambiguity[own].tolist(), strict=True)
    rows = [[f"{delta:g}", "", f"{share:.4f}"] for delta, share in shares]
    width = result.ranges[:, 1] - result.ranges[:, 0]
    low, high = result.discrepancy
    lines = [
        result.verdict,
        "",
        f"baseline      objective {result.baseline_objective:.6f}, loss {result.baseline_loss:.6f}, "
        f"error {result.baseline_error:.4f}",
        f"epsilon       {result.epsilon:.6g}; 2 n epsilon {result.two_n_epsilon:.4g}; "
        f"a 95 % profile interval is {result.profile_epsilon:.4g}",
        f"ranges        {result.n} rows, mean width {width.mean():.4f}, largest {width.max():.4f}; "
        f"certificate gap {result.certificate_gap:.2g} logits",
        f"ambiguity     {result.ambiguity:.4f} at delta {result.delta:g}",
        f"discrepancy   {low:.4f} to {high:.4f} ({result.discrepancy_method})",
        "",
        text_table(["delta", "", "ambiguity"], rows),
    ]
    return "\n".join(lines)


LINEAR_MULTIPLICITY = Command("Exact viable ranges of all linear models near the best one", arguments, run)
