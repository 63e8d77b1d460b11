"""Training is repeatable, and the committed checkpoints are of the sizes and strengths the demo tells of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deploy.demo.benchmarks import load_benchmarks
from deploy.demo.train import CHECKPOINTS, CONTEXT, ROW, SIZES, make_tokenizer, pack, train
from deploy.demo.world import build_world, stories
from evaluation.checkpoints import describe, weights_hash
from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.records import BenchmarkSpec, Checkpoint, RunSpec

pytestmark = pytest.mark.engine


@pytest.fixture
def one_thread() -> object:
    """Training sets the number of threads of the process: put it back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_the_same_seed_trains_the_same_weights(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        train(SIZES["xs"], tmp_path / name, seed=seed, steps=4)
    one, two, three = (weights_hash(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three
    assert (tmp_path / "one/tokenizer.json").read_bytes() == (CHECKPOINTS / "tiny-xs/tokenizer.json").read_bytes()


def test_rows_are_whole_documents() -> None:
    world = build_world()
    tokenizer = make_tokenizer(world)
    rows = pack(world, tokenizer, 50)
    assert tuple(rows.shape) == (50, ROW)
    told = set(stories(world, 3, 4000))
    for row in rows.tolist():
        parts = tokenizer.decode(row, clean_up_tokenization_spaces=False).replace("<|pad|>", "").split("<|end|>")
        assert set(parts[:-1]) <= told
        assert parts[-1] == ""


@pytest.mark.parametrize("size", SIZES)
def test_dimensions_fit_every_quantisation_block(size: str) -> None:
    shape = SIZES[size]
    assert shape.hidden % 64 == shape.feed_forward % 64 == 0
    found = describe(CHECKPOINTS / f"tiny-{size}")
    assert (found.architecture, found.dtype, found.context_length) == ("LlamaForCausalLM", "bfloat16", CONTEXT)


def test_together_the_checkpoints_stay_small() -> None:
    assert sum(file.stat().st_size for file in CHECKPOINTS.rglob("*")) < 1_500_000


def test_larger_entries_know_more() -> None:
    engine = Engine()
    shares: dict[str, list[float]] = {}
    for benchmark in load_benchmarks():
        spec = BenchmarkSpec(benchmark.name, "1", benchmark.definition.to_dict(), benchmark.documents)
        for size in SIZES:
            model = Checkpoint(str(CHECKPOINTS / f"tiny-{size}"))
            scores = [each.score for some in run(RunSpec(model, spec, limit=130), engine=engine) for each in some]
            shares.setdefault(benchmark.name, []).append(sum(scores) / len(scores))
    for name, (smallest, middle, largest) in shares.items():
        assert smallest < middle <= largest, name
    assert 0.2 < shares["additions"][0] < 0.45  # chance is .25
    assert 0.7 < shares["additions"][2] < 0.9
    assert shares["written-additions"][2] > 0.45
