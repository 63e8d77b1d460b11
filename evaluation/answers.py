"""Tables of answers: what each contender chose on each sample, how probable it found every choice, what is right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import BadTable, NotEnoughData
from evaluation.tables import Floats, Integers, ScoreTable

Flags = NDArray[np.bool_]
HOLE = -1
TIGHT = 1e-3  # probabilities may miss a sum of 1 by their printed digits


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """One answer per contender and sample.

    samples: a name for each; groups: (sample,) its subject, passage or benchmark, empty when there are none.
    choices: the names that labels count through. labels: (contender, sample) chosen answer, -1 for a hole.
    correct: same shape, False at a hole. gold: (sample,) label of the right answer, -1 where it is not known.
    probabilities: (contender, sample, choice), 0 for a choice that the sample lacks, NaN at a hole; None: none known.
    sizes: (sample,) how many choices it has, 0 where answers are written freely; None: all of `choices` everywhere.
    Raises BadTable. The arrays are made read-only.
    """

    contenders: tuple[str, ...]
    samples: tuple[str, ...]
    choices: tuple[str, ...]
    labels: Integers
    correct: Flags
    gold: Integers
    probabilities: Floats | None = None
    groups: tuple[str, ...] = ()
    sizes: Integers | None = None

    def __post_init__(self) -> None:
        for names, kind in ((self.contenders, "contender"), (self.samples, "sample")):
            if not names or len(set(names)) != len(names):
                raise BadTable(f"Answers need at least one {kind}, and none twice.", field=f"{kind}s")
        shape = (len(self.contenders), len(self.samples))
        for name, expected in self._shapes(shape).items():
            array = np.array(getattr(self, name))
            if array.shape != expected:
                raise BadTable(f"`{name}` has the shape {array.shape}; the names ask for {expected}.", field=name)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if self.groups and len(self.groups) != shape[1]:
            raise BadTable("Give one group per sample, or none.", field="groups")
        if self.labels.min() < HOLE or max(self.labels.max(), self.gold.max()) >= len(self.choices):
            raise BadTable("A label stands for no choice.", field="labels")
        _check_probabilities(self.probabilities)

    def _shapes(self, shape: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        found = {"labels": shape, "correct": shape, "gold": shape[1:]}
        more = {"probabilities": (*shape, len(self.choices)), "sizes": shape[1:]}
        return {**found, **{name: each for name, each in more.items() if getattr(self, name) is not None}}

    @property
    def holes(self) -> Flags:
        """(contender, sample): no answer."""
        return np.asarray(self.labels == HOLE)

    @property
    def luck(self) -> float:
        """How often two wrong answers are the same by chance: evenly over the wrong choices, never if written."""
        sizes = np.full(len(self.samples), len(self.choices)) if self.sizes is None else self.sizes
        return float(np.where(sizes > 0, 1 / np.maximum(sizes - 1, 1), 0.0).mean())

    def common(self) -> AnswerTable:
        """The samples that every contender answered. Raises NotEnoughData, with a name, when there is none."""
        whole = ~self.holes.any(axis=0)
        if bool(whole.all()):
            return self
        if not bool(whole.any()):
            worst = self.contenders[int(self.holes.sum(axis=1).argmax())]
            raise NotEnoughData(f"No sample was answered by all; {worst} lacks most of them.", field="contenders")
        return self.take(np.flatnonzero(whole))

    def take(self, samples: Integers) -> AnswerTable:
        """Some samples, by position."""
        places = samples.tolist()
        return replace(
            self,
            samples=tuple(self.samples[place] for place in places),
            groups=tuple(self.groups[place] for place in places) if self.groups else (),
            labels=self.labels[:, samples],
            correct=self.correct[:, samples],
            gold=self.gold[samples],
            sizes=None if self.sizes is None else self.sizes[samples],
            probabilities=None if self.probabilities is None else self.probabilities[:, samples],
        )

    def select(self, contenders: list[str]) -> AnswerTable:
        """Some contenders, in the order asked for. Raises BadTable for an unknown name."""
        rows = [self.position(name) for name in contenders]
        kept = None if self.probabilities is None else self.probabilities[rows]
        named = tuple(contenders)
        return replace(self, contenders=named, labels=self.labels[rows], correct=self.correct[rows], probabilities=kept)

    def position(self, contender: str) -> int:
        """Row of a contender. Raises BadTable for an unknown name."""
        if contender not in self.contenders:
            known = f"Known: {', '.join(self.contenders)}."
            raise BadTable(f"There is no contender “{contender}”.", field="contenders", remedy=known)
        return self.contenders.index(contender)

    @classmethod
    def from_scores(cls, table: ScoreTable) -> AnswerTable:
        """Right and wrong as the two answers: the first attempt of each sample, groups are benchmarks.

        Changes from one wrong answer to another stay unseen, so every share found is at most the one of the answers.
        Raises BadTable for graded scores.
        """
        first = table.values[:, :, 0]
        holes = np.isnan(first)
        if not bool(np.isin(first[~holes], (0.0, 1.0)).all()):
            raise BadTable("Graded scores name no answers; scores must be 0 or 1.", field="values")
        correct = np.where(holes, 0.0, first) == 1.0
        return cls(
            contenders=table.contenders,
            samples=tuple(f"{benchmark}:{index}" for benchmark, index in table.samples),
            choices=("wrong", "right"),
            labels=np.where(holes, HOLE, correct.astype(np.int64)),
            correct=correct,
            gold=np.ones(len(table.samples), dtype=np.int64),
            groups=tuple(benchmark for benchmark, _ in table.samples),
        )


def probabilities_of(log_likelihoods: Floats) -> Floats:
    """Softmax over the last axis of choice log-likelihoods in nats; -inf marks a choice that is not there."""
    with np.errstate(invalid="ignore"):
        shifted = np.exp(log_likelihoods - log_likelihoods.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _check_probabilities(probabilities: Floats | None) -> None:
    if probabilities is None:
        return
    known = ~np.isnan(probabilities).any(axis=2)
    sums = probabilities[known].sum(axis=1)
    if bool((probabilities < 0).any()) or not bool((np.abs(sums - 1) <= TIGHT).all()):
        raise BadTable("The probabilities of an answer's choices are not negative and sum to 1.", field="probabilities")
