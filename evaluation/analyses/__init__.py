"""The one registration of analyses. Importing it loads numpy, never torch."""

from __future__ import annotations

from typing import Any

from evaluation.analyses.base import Analysis

ANALYSES: dict[str, Analysis[Any, Any, Any]] = {}
