"""METRICS: every number that pages explain behind a “?”, said once. The glossary lists them all."""

from __future__ import annotations

from webapp.pages.metrics.agreement import AGREEMENT
from webapp.pages.metrics.base import Metric
from webapp.pages.metrics.boards import BOARDS
from webapp.pages.metrics.comparing import COMPARING
from webapp.pages.metrics.costs import COSTS
from webapp.pages.metrics.spending import SPENDING

METRICS: dict[str, Metric] = {one.key: one for one in (*BOARDS, *COMPARING, *COSTS, *AGREEMENT, *SPENDING)}
BY_LABEL: dict[str, Metric] = {label: one for one in METRICS.values() for label in one.labels}
