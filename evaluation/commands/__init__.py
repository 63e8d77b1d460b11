"""The one registration of the commands of `python -m evaluation`."""

from __future__ import annotations

from evaluation.commands.adaptive import ADAPTIVE
from evaluation.commands.aggregate import AGGREGATE
from evaluation.commands.base import Command
from evaluation.commands.compare import COMPARE
from evaluation.commands.cost_of_pass import COST_OF_PASS
from evaluation.commands.estimate import ESTIMATE
from evaluation.commands.linear_multiplicity import LINEAR_MULTIPLICITY
from evaluation.commands.multiplicity import MULTIPLICITY
from evaluation.commands.power import POWER
from evaluation.commands.quantization import QUANTIZATION
from evaluation.commands.route import ROUTE
from evaluation.commands.swiss import SWISS

COMMANDS: dict[str, Command] = {
    "swiss": SWISS,
    "aggregate": AGGREGATE,
    "compare": COMPARE,
    "multiplicity": MULTIPLICITY,
    "linear-multiplicity": LINEAR_MULTIPLICITY,
    "cost-of-pass": COST_OF_PASS,
    "power": POWER,
    "adaptive": ADAPTIVE,
    "estimate": ESTIMATE,
    "route": ROUTE,
    "quantization": QUANTIZATION,
}
