"""One warm engine for all tests, the demo's benchmarks, and copies of its smallest checkpoint to break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.benchmarks import DemoBenchmark, load_benchmarks
from deploy.demo.train import CHECKPOINTS
from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.records import Attempt, BenchmarkSpec, Checkpoint, RunSpec

BENCHMARKS = {benchmark.name: benchmark for benchmark in load_benchmarks()}
Runner = Callable[..., dict[int, Attempt]]


def spec_of(benchmark: DemoBenchmark, **fields: Any) -> BenchmarkSpec:
    """A benchmark as a run takes it; fields change its definition."""
    return BenchmarkSpec(benchmark.name, "1", benchmark.definition.to_dict() | fields, benchmark.documents)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="session")
def xs() -> Checkpoint:
    return Checkpoint(str(CHECKPOINTS / "tiny-xs"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the smallest checkpoint, to be broken by the test."""
    return Path(shutil.copytree(CHECKPOINTS / "tiny-xs", tmp_path / "broken"))


@pytest.fixture(scope="session")
def evaluate(engine: Engine, xs: Checkpoint) -> Runner:
    """Run to the end; attempts by sample."""

    def evaluate(benchmark: BenchmarkSpec, model: Any = xs, **fields: Any) -> dict[int, Attempt]:
        spec = RunSpec(model, benchmark, **fields)
        return {attempt.sample: attempt for attempts in run(spec, engine=engine) for attempt in attempts}

    return evaluate
