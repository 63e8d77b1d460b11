"""The demo's calibration set: stories of the same world that hold no question of its benchmarks.

A development split is drawn the same way from another seed, for whoever judges what was fitted on the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from deploy.demo.benchmarks import load_benchmarks
from deploy.demo.world import build_world, stories
from evaluation.benchmarks import render
from evaluation.records import Calibration

SEED, DEVELOPMENT_SEED = 40_001, 50_001  # the training text has others
TEXTS = 2_000
DRAWN = 4 * TEXTS


def calibration(seed: int = SEED, count: int = TEXTS) -> Calibration:
    """`count` different texts, none of which holds a prompt of the demo's benchmarks."""
    return Calibration(f"demo stories {seed}", tuple(islice(_texts(seed), count)))


def _texts(seed: int) -> Iterator[str]:
    asked = {
        render(benchmark.definition, document).prompt.strip()
        for benchmark in load_benchmarks()
        for document in benchmark.documents
    }
    told: set[str] = set()
    for story in stories(build_world(), seed, DRAWN):
        if story.partition("\nA:")[0] + "\nA:" not in asked and story not in told:
            told.add(story)
            yield story
