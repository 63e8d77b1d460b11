"""`python -m evaluation cost-of-pass SCORES --expert-cost 20`: what a correct answer costs, and who leads."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from math import isinf, isnan
from pathlib import Path

from evaluation.analyses.cost_of_pass import CostOfPassParams, CostOfPassResult, compute
from evaluation.commands.base import Answer, Command, add_params, params_of, text_table
from evaluation.cost_files import read_costs

COLUMNS = "CSV or Parquet: contender,sample[,attempt],correct,cost_usd[,benchmark][,answer][,reward]"


def arguments(parser: ArgumentParser) -> None:
    """The files and the analysis' parameters."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help=COLUMNS)
    parser.add_argument("--families", type=Path, metavar="FILE", help="family,contender: one row per membership")
    parser.add_argument("--dates", type=Path, metavar="FILE", help="contender,date: releases as 2025-01-31")
    add_params(parser, CostOfPassParams)


def run(options: Namespace) -> Answer:
    """Compute the report."""
    table = read_costs(options.scores, families=options.families, dates=options.dates)
    result = compute(table, params_of(CostOfPassParams, options))
    return Answer(result, _text(result), result.warnings)


def _text(result: CostOfPassResult) -> str:
    """Contenders from the smallest value, then the frontier, progress, families and techniques."""
    rows = [
        [
            usd(one.value_with_expert),
            one.name,
            usd(one.cost_per_pass),
            share(one.unsolved_share),
            share(one.accuracy),
            usd(one.mean_cost),
            share(one.essentialness),
            str(one.holds),
        ]
        for one in sorted(result.contenders, key=lambda one: one.value_with_expert)
    ]
    header = ["V + expert", "contender", "cost per pass", "unsolved", "accuracy", "mean cost", "essential", "holds"]
    lines = [
        f"Cost-of-pass in USD per sample: {len(rows)} contenders, {result.samples:,} samples",
        f"\n{text_table(header, rows)}\n",
        result.verdict,
        f"frontier {usd(result.frontier_value)}{_interval(result)}, without expert "
        f"{usd(result.frontier_value_without_expert)}, expert alone {usd(result.expert_value)}, unsolved "
        f"{share(result.unsolved_share)}",
        *(f"{step.date}  {usd(step.value)}  with {step.contender}" for step in result.progress),
    ]
    if result.trend is not None:
        lines.append(f"the value above its floor halves in {result.trend.half_time:,.0f} days")
    lines += [f"without {one.name}: {usd(one.value_without)} ({share(one.essentialness)})" for one in result.families]
    lines += [f"with {one.name}: {usd(one.value)} (gain {share(one.gain)})" for one in result.techniques]
    return "\n".join(lines)


def _interval(result: CostOfPassResult) -> str:
    low, high = result.frontier_interval
    return "" if isnan(low) else f" ({usd(low)} to {usd(high)})"


def usd(value: float) -> str:
    """Four significant digits; ∞ for never, – for unknown."""
    return "–" if isnan(value) else "∞" if isinf(value) else f"{value:.4g}"


def share(value: float) -> str:
    return "–" if isnan(value) else f"{100 * value:.1f} %"


COST_OF_PASS = Command("What a correct answer costs: frontier, holders, progress, essentialness", arguments, run)
