"""`python -m evaluation route SCORES`: which contender for which question."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from evaluation.analyses.routing import RoutingParams, RoutingResult, compute
from evaluation.commands.base import Answer, Command, add_params, params_of, text_table
from evaluation.score_files import read_routes


def arguments(parser: ArgumentParser) -> None:
    """The file, the columns that a router may use, and the analysis' parameters."""
    parser.add_argument("scores", type=Path, metavar="SCORES", help="CSV or Parquet: contender,sample,correct,cost_usd")
    parser.add_argument("--category", default="", metavar="COLUMN", help="column with the category of each sample")
    parser.add_argument("--confidence", default="", metavar="COLUMN", help="column with the contender's confidence")
    parser.add_argument("--prompt", default="", metavar="COLUMN", help="column with the text of each sample")
    add_params(parser, RoutingParams)


def run(options: Namespace) -> Answer:
    """Compute the report."""
    table = read_routes(options.scores, category=options.category, confidence=options.confidence, prompt=options.prompt)
    result = compute(table, params_of(RoutingParams, options))
    return Answer(result, _text(result), result.warnings)


def _text(result: RoutingResult) -> str:
    """The verdict, the contenders by cost, the routers."""
    front, corners = ({place.contender for place in places} for places in (result.pareto, result.hull))
    rows = [
        [
            "hull" if name in corners else "front" if name in front else "",
            name,
            f"{result.quality[at]:.4f}",
            f"{result.cost[at]:.6g}",
        ]
        for at, name in sorted(enumerate(result.contenders), key=lambda pair: result.cost[pair[0]])
    ]
    routers = [
        [
            "",
            router.name,
            f"{router.aiq:.4f}",
            _saving(router.equal.relative_cost),
            _saving(router.nearly.relative_cost),
        ]
        for router in result.routers
    ]
    oracle = result.oracle
    lines = [
        f"{result.verdict}\n",
        text_table(["", "contender", "quality", "USD per sample"], rows),
        f"\nAIQ of the hull {result.aiq:.4f}",
        f"oracle {oracle.quality:.4f} at {oracle.cost:.6g} USD, {oracle.unsolved:.1%} solved by nobody",
    ]
    if result.pair is not None:
        steps = ", ".join(f"{gap} %: {share:.3f}" for gap, share in result.cpt.items())
        lines.append(f"{result.pair.strong} over {result.pair.weak} by {result.pair.router}: APGR {result.apgr:.4f}")
        lines.append(f"share of calls for a part of the gap: {steps}")
    if routers:
        lines += ["", text_table(["", "router", "AIQ", "cost at equal quality", "at 99 %"], routers)]
    return "\n".join(lines)


def _saving(relative: float | None) -> str:
    return "never" if relative is None else f"{relative:.1%}"


ROUTE = Command("Which contender for which question: fronts, routers, cascades", arguments, run)
