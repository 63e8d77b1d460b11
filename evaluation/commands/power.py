"""`python -m evaluation power --flips F`: how many samples show a difference, or what difference they show."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from math import ceil, isfinite

from evaluation.commands.base import Answer, Command
from evaluation.paired import detectable_difference, samples_needed


@dataclass(frozen=True)
class Plan:
    """samples show `difference`, at this power and level, when two contenders differ in being right on `flips`."""

    flips: float
    difference: float
    samples: float
    power: float
    level: float


def arguments(parser: ArgumentParser) -> None:
    """The flip rate, and either a difference or a number of samples."""
    parser.add_argument("--flips", type=float, required=True, help="share of samples on which only one of two is right")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--difference", type=float, help="difference of accuracies to see: prints the samples")
    asked.add_argument("--samples", type=int, help="samples at hand: prints the smallest difference they show")
    parser.add_argument("--power", type=float, default=0.8, help="chance to see it; default 0.8")
    parser.add_argument("--level", type=float, default=0.95, help="confidence level; default 0.95")


def run(options: Namespace) -> Answer:
    """Plan."""
    asked = {"power": options.power, "level": options.level}
    if options.samples is None:
        needed = samples_needed(options.difference, options.flips, **asked)
        samples = float(ceil(needed)) if isfinite(needed) else needed
        plan = Plan(options.flips, options.difference, samples, **asked)
    else:
        found = detectable_difference(options.samples, options.flips, **asked)
        plan = Plan(options.flips, found, float(options.samples), **asked)
    text = (
        f"{plan.samples:,.0f} samples show a difference of {plan.difference:.4f} with power {plan.power:g} "
        f"when {plan.flips:g} of the samples flip."
    )
    return Answer(plan, text)


POWER = Command("How many samples a paired comparison needs", arguments, run)
