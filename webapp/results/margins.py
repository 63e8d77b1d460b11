"""Features from stored answers: how sure contenders were of each sample, and whether one of them was right."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evaluation.errors import NotEnoughData
from evaluation.features import FeatureTable
from evaluation.tables import Floats
from webapp.results.answers import Answers, answers_of


def margin_table(runs: Mapping[str, int], outcome: int) -> FeatureTable:
    """A row per sample that all of these runs answered, in order; a feature per name, the run's margin.

    runs: name -> finished run, all on one version of a multiple-choice benchmark. outcome: the run whose answer, right
    (1) or wrong (0), is the label. Raises NotEnoughData where no sample is shared or an answer has no second choice.
    """
    found = answers_of(list(dict.fromkeys([*runs.values(), outcome])))
    shared = np.array(sorted(set.intersection(*(set(one.index.tolist()) for one in found.values()))), dtype=np.int64)
    if not shared.size:
        raise NotEnoughData("These contenders share no sample.", field="contenders")
    columns = [_margin(name, found[run], shared) for name, run in runs.items()]
    right = found[outcome].right[np.searchsorted(found[outcome].index, shared)]
    return FeatureTable(tuple(runs), np.column_stack(columns), right.astype(np.int64))


def _margin(name: str, answers: Answers, shared: np.ndarray) -> Floats:
    """(sample,) best minus second log-likelihood, in nats."""
    likely = answers.log_likelihoods[np.searchsorted(answers.index, shared)]
    if likely.shape[1] < 2:
        raise NotEnoughData(f"{name} did not choose among several answers.", field="contenders")
    best, second = -np.partition(-likely, 1, axis=1)[:, :2].T
    margin = best - second
    holes = np.flatnonzero(~np.isfinite(margin))
    if holes.size:
        sample = int(shared[holes[0]])
        raise NotEnoughData(f"{name} has no two log-likelihoods on sample {sample}.", field="contenders")
    return np.asarray(margin)
