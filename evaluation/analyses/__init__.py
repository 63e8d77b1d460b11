"""The one registration of analyses. Importing it loads numpy, never torch."""

from __future__ import annotations

from typing import Any

from evaluation.analyses.adaptive import ADAPTIVE
from evaluation.analyses.aggregates import MEAN_SCORE, MEAN_Z_SCORE, WIN_RATE
from evaluation.analyses.base import Analysis
from evaluation.analyses.bradley_terry import BRADLEY_TERRY
from evaluation.analyses.comparison import COMPARISON
from evaluation.analyses.cost_of_pass import COST_OF_PASS
from evaluation.analyses.estimation import ESTIMATION
from evaluation.analyses.linear_multiplicity import LINEAR_MULTIPLICITY
from evaluation.analyses.multiplicity import MULTIPLICITY
from evaluation.analyses.quantization import QUANTIZATION
from evaluation.analyses.routing import ROUTING
from evaluation.analyses.swiss import SWISS

ANALYSES: dict[str, Analysis[Any, Any, Any]] = {
    "swiss": SWISS,
    "mean-score": MEAN_SCORE,
    "mean-z-score": MEAN_Z_SCORE,
    "win-rate": WIN_RATE,
    "bradley-terry": BRADLEY_TERRY,
    "comparison": COMPARISON,
    "multiplicity": MULTIPLICITY,
    "linear-multiplicity": LINEAR_MULTIPLICITY,
    "cost-of-pass": COST_OF_PASS,
    "adaptive": ADAPTIVE,
    "estimation": ESTIMATION,
    "routing": ROUTING,
    "quantization": QUANTIZATION,
}
