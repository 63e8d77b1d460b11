"""`python -m evaluation estimate SCORES --contender NAME`: how well few samples would have told its mean."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from evaluation.analyses.estimation import EstimationParams, EstimationResult, compute
from evaluation.commands.base import Answer, Command, add_params, params_of
from evaluation.score_files import read_scores


def arguments(parser: ArgumentParser) -> None:
    """The file and the analysis' parameters."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help="CSV or Parquet: contender,sample,correct")
    add_params(parser, EstimationParams)


def run(options: Namespace) -> Answer:
    """Replay."""
    result = compute(read_scores(options.scores), params_of(EstimationParams, options))
    return Answer(result, _text(result))


def _text(result: EstimationResult) -> str:
    return "\n".join(
        [
            result.verdict,
            "",
            f"true mean    {result.true_mean:.4f} over {result.n:,} samples",
            f"mean error   {result.mean_error:.4f} (random {result.random_error:.4f})",
            f"bias         {result.bias:+.4f} ± {result.bias_error:.4f}",
            f"coverage     {result.coverage:.3f} of the intervals, half of one {result.half_width:.4f}",
        ]
    )


ESTIMATE = Command("Estimate one contender from few samples, replayed on complete scores", arguments, run)
