"""Which ranks the samples can hold: all contenders compared in pairs on the samples that all of them answered."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.analyses import ANALYSES
from evaluation.errors import EvaluationError
from webapp.jobs.models import Run
from webapp.results.selectors import score_table

log = logging.getLogger("crosstable.boards")
# Contenders x samples that are compared each time a run lands: about a second. A larger board asks for a report.
MOST_SCORES = 4_000_000
NAMED = 6  # a sentence that names more than this is not read


@dataclass(frozen=True)
class Separation:
    """Best and worst rank of each contender that the paired comparison allows, and what it says in words."""

    rank_low: list[int]
    rank_high: list[int]
    verdict: str


def separate(runs: Sequence[int]) -> Separation | None:
    """From finished runs, contender by contender; None where the board cannot be compared this way.

    That is: one contender alone, too many scores, benchmarks of both directions, or two teams' equal names.
    """
    found = Run.objects.filter(pk__in=runs).select_related("contender", "version__benchmark")
    by_key = {run.pk: run for run in found}
    ordered = [by_key[pk] for pk in runs if pk in by_key]
    contenders = {run.contender_id: run.contender.name for run in ordered}
    samples = sum({run.version_id: run.done for run in ordered}.values())
    if not 1 < len(set(contenders.values())) == len(contenders) or len(contenders) * samples > MOST_SCORES:
        return None
    comparison = ANALYSES["comparison"]
    try:
        result = comparison.compute(score_table(ordered), comparison.Params())
    except EvaluationError as error:
        log.info("a board is not compared in pairs: %s", error)
        return None
    top = len(result.top)
    verdict = result.verdict if top <= NAMED else f"These {result.n:,} samples cannot separate the top {top}."
    return Separation(result.rank_low.tolist(), result.rank_high.tolist(), verdict)
