"""Tables for routing from finished runs: score and cost on each sample, and what a router may know before asking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.answers import AnswerTable
from evaluation.errors import BadTable
from evaluation.routes import RouteTable
from evaluation.tables import Floats
from webapp.catalog.models import Sample
from webapp.results.answers import answer_table, sample_of
from webapp.results.cost_table import cost_table


def route_table(run_ids: Sequence[int]) -> RouteTable:
    """Means over attempts. Categories are subjects where there are some, else benchmarks; a contender's confidence is
    the margin between its two most probable choices, known where every sample has choices. Raises as its parts do."""
    costs, answers = cost_table(run_ids), answer_table(run_ids)
    names = tuple(f"{benchmark}:{index}" for benchmark, index in costs.samples)
    if costs.contenders != answers.contenders or set(names) != set(answers.samples):
        problem = "These runs are of different versions of a benchmark."
        raise BadTable(problem, field="runs", remedy="Choose runs of one version of each benchmark.")
    order = np.array([answers.samples.index(name) for name in names]) if names != answers.samples else None
    known = answers if order is None else answers.take(order)
    with np.errstate(invalid="ignore"):
        score, cost = costs.correct.mean(axis=2), costs.cost_usd.mean(axis=2)
    return RouteTable(
        contenders=costs.contenders,
        samples=names,
        score=score,
        cost_usd=cost,
        categories=known.groups,
        prompts=_prompts(run_ids, names),
        confidence=_confidence(known),
    )


def _prompts(run_ids: Sequence[int], names: Sequence[str]) -> tuple[str, ...]:
    """The questions as they were asked."""
    versions: dict[str, int] = {}
    for name in names:
        benchmark = name.rpartition(":")[0]
        if benchmark not in versions:
            versions[benchmark] = sample_of(run_ids, name)[0]
    rows = Sample.objects.filter(version__in=versions.values()).values_list("version", "index", "prompt")
    prompts = {(version, str(index)): prompt for version, index, prompt in rows}
    keys = ((versions[name.rpartition(":")[0]], name.rpartition(":")[2]) for name in names)
    return tuple(prompts.get(key, "") for key in keys)


def _confidence(answers: AnswerTable) -> Floats | None:
    if answers.probabilities is None:
        return None
    ordered = np.sort(answers.probabilities, axis=2)
    return np.asarray(ordered[:, :, -1] - ordered[:, :, -2])
