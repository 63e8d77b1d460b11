"""What a worker remembers of finished runs, whose scores never change: each batch of a search reads the new ones only.

Losing it costs one reading: a process that starts, or another one, reads everything once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from evaluation.tables import Floats, Integers
from webapp.results.models import PackedScores
from webapp.results.packing import unpack

MOST_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Scored:
    """Which samples of its benchmark a run has scored, and the scores."""

    samples: Integers
    values: Floats

    @property
    def bytes(self) -> int:
        return int(self.samples.nbytes + self.values.nbytes)


class Kept:
    """Scores of runs with one attempt, those used last, of at most `most` bytes. Threads may share it."""

    def __init__(self, most: int) -> None:
        self._most, self._bytes, self._lock = most, 0, Lock()
        self._runs: OrderedDict[int, Scored] = OrderedDict()

    def scores(self, runs: Sequence[int]) -> dict[int, Scored]:
        """By the ids of finished runs; one without packed scores is left out. One query, or none."""
        with self._lock:
            found = {pk: self._runs[pk] for pk in runs if pk in self._runs}
        missing = [pk for pk in runs if pk not in found]
        fresh = dict(_read(missing)) if missing else {}
        with self._lock:
            self._keep(found | fresh)
        return found | fresh

    def _keep(self, used: dict[int, Scored]) -> None:
        for pk, scored in used.items():
            self._bytes += scored.bytes if pk not in self._runs else 0
            self._runs[pk] = scored
            self._runs.move_to_end(pk)
        while self._bytes > self._most:
            self._bytes -= self._runs.popitem(last=False)[1].bytes


def _read(runs: Sequence[int]) -> Iterable[tuple[int, Scored]]:
    rows = PackedScores.objects.filter(run__in=runs, attempts=1).values_list("run", "dtype", "values")
    for pk, dtype, data in rows.iterator(chunk_size=500):
        values = unpack(dtype, bytes(data))
        there = np.flatnonzero(~np.isnan(values))
        yield pk, Scored(there, values[there])


KEPT = Kept(MOST_BYTES)
