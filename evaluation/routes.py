"""Tables for routing: what each contender would have scored and cost, and what is known before it is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import BadTable, NotEnoughData
from evaluation.tables import Floats, Integers


@dataclass(frozen=True, eq=False)
class RouteTable:
    """One score and one cost per contender and sample.

    score, cost_usd: (contender, sample), NaN for a hole; a cost is not negative. categories: a name per sample, or
    empty. prompts: the text of each sample, or empty. confidence: (contender, sample) how sure a contender was of its
    answer, any scale that grows; None where it is not known. Raises BadTable. The arrays are made read-only.
    """

    contenders: tuple[str, ...]
    samples: tuple[str, ...]
    score: Floats
    cost_usd: Floats
    categories: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    confidence: Floats | None = None

    def __post_init__(self) -> None:
        shape = (len(self.contenders), len(self.samples))
        for names, kind in ((self.contenders, "contender"), (self.samples, "sample")):
            if not names or len(set(names)) != len(names):
                raise BadTable(f"Routing needs at least one {kind}, and none twice.", field=f"{kind}s")
        for name in ("score", "cost_usd", "confidence"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _grid(getattr(self, name), shape, name))
        if bool((self.cost_usd < 0).any()):
            raise BadTable("A cost is negative.", field="cost_usd")
        for name in ("categories", "prompts"):
            if len(getattr(self, name)) not in (0, shape[1]):
                raise BadTable(f"Give one of the {name} per sample, or none.", field=name)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Contenders with a hole."""
        rows = np.flatnonzero((np.isnan(self.score) | np.isnan(self.cost_usd)).any(axis=1))
        return tuple(self.contenders[row] for row in rows.tolist())

    @property
    def whole(self) -> Integers:
        """Positions of the samples that every contender scored at a known cost."""
        known = ~(np.isnan(self.score) | np.isnan(self.cost_usd)).any(axis=0)
        return np.flatnonzero(known)

    def common(self) -> RouteTable:
        """Only those samples: a missing cost is missing, not free. Raises NotEnoughData when there is none."""
        kept = self.whole
        if kept.size == len(self.samples):
            return self
        if not kept.size:
            lacking = (np.isnan(self.score) | np.isnan(self.cost_usd)).sum(axis=1)
            worst = self.contenders[int(lacking.argmax())]
            raise NotEnoughData(f"No sample has all scores and costs; {worst} lacks most of them.", field="cost_usd")
        return self.take(self.contenders, kept)

    def take(self, contenders: tuple[str, ...], samples: Integers) -> RouteTable:
        """Some contenders by name, in the order given, and some samples by position."""
        rows = np.array([self.contenders.index(name) for name in contenders])
        cut = np.ix_(rows, samples)
        return RouteTable(
            contenders=contenders,
            samples=tuple(self.samples[at] for at in samples.tolist()),
            score=self.score[cut],
            cost_usd=self.cost_usd[cut],
            categories=tuple(self.categories[at] for at in samples.tolist()) if self.categories else (),
            prompts=tuple(self.prompts[at] for at in samples.tolist()) if self.prompts else (),
            confidence=None if self.confidence is None else self.confidence[cut],
        )


def _grid(values: Floats, shape: tuple[int, int], name: str) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape or bool(np.isinf(array).any()):
        raise BadTable(f"`{name}` needs a finite number or a hole per contender and sample.", field=name)
    array.setflags(write=False)
    return array
