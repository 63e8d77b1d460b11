"""One sample of a report of answers: what every contender answered to it, and how probable each found each choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.answers import probabilities_of
from webapp.accounts.selectors import Viewer
from webapp.catalog.models import Sample
from webapp.catalog.selectors import benchmark_versions
from webapp.jobs import selectors as jobs
from webapp.results.answers import row_names, runs_with_names, sample_of
from webapp.results.models import Score


@dataclass(frozen=True)
class Answer:
    """A contender's answer. shares: probability of each choice, empty where there are none; chosen: which of them."""

    contender: str
    score: Score
    shares: list[float]

    @property
    def chosen(self) -> int | None:
        return self.score.choice if self.shares else None

    @property
    def right(self) -> bool:
        return self.score.score >= 1.0


@dataclass(frozen=True)
class SampleAnswers:
    """question: None where the person may not read it, or it is not stored. target: position of the right choice."""

    name: str
    question: Sample | None
    answers: list[Answer]

    @property
    def choices(self) -> list[tuple[str, bool]]:
        """(text, is it right) of each choice, where somebody gave them probabilities."""
        most = max((len(one.shares) for one in self.answers), default=0)
        if self.question is None or len(self.question.choices) != most:
            return [(str(at + 1), False) for at in range(most)]
        return [(text, text == self.question.target) for text in self.question.choices]


def sample_answers(user: Viewer, run_ids: Sequence[int], name: str, contenders: Sequence[str]) -> SampleAnswers:
    """In the order of `contenders`; of runs that the person may see. Raises NotEnoughData for an unknown sample."""
    version, index = sample_of(run_ids, name)
    runs = runs_with_names(run_ids)
    rows = row_names(runs)
    place = _places(version, index, {run["version"] for run in runs})
    seen = jobs.runs(user).filter(pk__in=[run["pk"] for run in runs if run["version"] in place])
    scores = Score.objects.filter(run__in=seen.values("pk"), index__in=set(place.values()), attempt=0)
    met = [score for score in scores.select_related("run") if score.index == place[score.run.version_id]]
    found = {rows[score.run_id]: Answer(rows[score.run_id], score, _shares(score)) for score in met}
    question = Sample.objects.filter(version=version, index=index, version__in=benchmark_versions(user)).first()
    return SampleAnswers(name, question, [found[one] for one in contenders if one in found])


def _places(version: int, index: int, versions: set[int]) -> dict[int, int]:
    """Version -> index of the same question; other versions of the benchmark are met by its hashes."""
    mine = Sample.objects.filter(version=version, index=index).select_related("version").first()
    if mine is None:
        return {version: index}
    same = Sample.objects.filter(
        version__in=versions - {version},
        version__benchmark=mine.version.benchmark_id,
        document_hash=mine.document_hash,
        target_hash=mine.target_hash,
    )
    return {**dict(same.order_by("-index").values_list("version", "index")), version: index}


def _shares(score: Score) -> list[float]:
    if not score.log_likelihoods:
        return []
    shares: list[float] = probabilities_of(np.array(score.log_likelihoods)).tolist()
    return shares
