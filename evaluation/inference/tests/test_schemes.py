"""Runs under schemes: what reaches the provenance, what is refused, what is loaded once, and that memory comes back."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from deploy.demo.calibration import calibration
from evaluation.errors import ModelRefused, NotFinite
from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.inference.tests.conftest import BENCHMARKS, Runner, spec_of
from evaluation.records import Calibration, Checkpoint, RunSpec
from evaluation.schemes import SCHEMES, unavailable

pytestmark = pytest.mark.engine
WITH_LIBRARIES = ("int8", "w4a8", "int4", "nf4", "llm_int8", "gptq_int3", "llm_fp4")
SERIES = spec_of(BENCHMARKS["series"])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Searches of tiny modules wait for each other's threads otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def evaluated(engine: Engine, model: Checkpoint, scheme: str, **fields: object) -> tuple[dict[int, object], dict]:
    with run(RunSpec(model, SERIES, scheme, limit=20, **fields), engine=engine) as evaluation:
        attempts = {attempt.sample: attempt for batch in evaluation for attempt in batch}
        return attempts, evaluation.origin


def test_the_report_of_the_scheme_is_part_of_the_origin(engine: Engine, xs: Checkpoint) -> None:
    plain, _ = evaluated(engine, xs, "fp32")
    coarse, origin = evaluated(engine, xs, "int2")
    report = json.loads(json.dumps(origin, allow_nan=False))["scheme_report"]
    assert (report["scheme"], report["changed"], report["bits"]) == ("int2", 7, 2.5)
    assert report["bytes_on_disk"] == (Path(xs.location) / "model.safetensors").stat().st_size
    assert report["seed"] == origin["seed"]
    assert any(coarse[number].log_likelihoods != plain[number].log_likelihoods for number in plain)


def test_a_loaded_reference_is_copied_not_read_again(xs: Checkpoint) -> None:
    engine = Engine()
    before, _ = evaluated(engine, xs, "fp32")
    evaluated(engine, xs, "int4")
    evaluated(engine, xs, "nvfp4_w4a4")
    after, _ = evaluated(engine, xs, "fp32")
    assert engine.loads == 1
    assert [one.log_likelihoods for one in before.values()] == [one.log_likelihoods for one in after.values()]


def test_seed_and_calibration_set_are_part_of_what_is_loaded(xs: Checkpoint) -> None:
    engine = Engine()
    first, other = calibration(count=300), calibration(seed=60_001, count=300)
    found = [
        evaluated(engine, xs, "gptq_int3", calibration=first),
        evaluated(engine, xs, "gptq_int3", calibration=other),
        evaluated(engine, xs, "gptq_int3", calibration=first),
        evaluated(engine, xs, "rotation_w4a4", calibration=first, seed=1),
        evaluated(engine, xs, "rotation_w4a4", calibration=other, seed=1),
        evaluated(engine, xs, "rotation_w4a4", seed=2),
    ]
    values = [[one.log_likelihoods for one in attempts.values()] for attempts, _ in found]
    assert values[0] == values[2] != values[1]
    assert values[3] == values[4] != values[5]
    assert len(engine._models) == 4
    hashes = [origin["scheme_report"]["calibration_hash"] for _, origin in found]
    assert hashes == [first.hash, other.hash, first.hash, "", "", ""]


def test_a_run_without_what_its_scheme_needs_fails_in_words(engine: Engine, xs: Checkpoint) -> None:
    loads = engine.loads
    with pytest.raises(ModelRefused, match="no calibration set was given"):
        evaluated(engine, xs, "llm_fp4")
    with pytest.raises(ModelRefused, match=r"This worker cannot do the scheme int4_packed\. It runs on cuda"):
        evaluated(engine, xs, "int4_packed")
    with pytest.raises(ModelRefused, match="holds a question of the benchmark"):
        evaluated(engine, xs, "llm_fp4", calibration=Calibration("leak", ("Q: next a b c d\nA: e\n",) * 99))
    assert engine.loads == loads


def test_the_demo_s_calibration_set_holds_none_of_its_questions() -> None:
    from evaluation.benchmarks import render
    from evaluation.schemes.calibration import refuse_leaks

    texts = calibration()
    assert len(texts.texts) == len(set(texts.texts)) == 2_000
    for benchmark in BENCHMARKS.values():
        refuse_leaks(texts, [render(benchmark.definition, document).prompt for document in benchmark.documents])


def test_news_of_a_search_are_told_and_a_search_is_cancelled(xs: Checkpoint) -> None:
    engine = Engine()
    evaluation = run(RunSpec(xs, SERIES, "evopress_3", calibration=calibration(count=400)), engine=engine)
    for _ in evaluation:
        if evaluation.search:
            break
    assert evaluation.phase == "applying the scheme"
    assert evaluation.search["of"] == 20
    assert sum(evaluation.search["bits"].values()) >= 14
    evaluation.close()
    assert not evaluation.alive
    assert not engine._models


@pytest.mark.parametrize("scheme", ["int8", "nvfp4", "nf4"])
def test_a_nan_weight_fails_the_run_and_is_named(scheme: str, broken: Path, evaluate: Runner) -> None:
    weights = load_file(broken / "model.safetensors")
    weights["model.layers.0.mlp.down_proj.weight"][3, 5] = math.nan
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(NotFinite, match=r"The weight model\.layers\.0\.mlp\.down_proj\.weight holds NaN"):
        evaluate(SERIES, Checkpoint(str(broken)), scheme=scheme)


def test_memory_comes_back_after_twenty_schemes_in_a_row(xs: Checkpoint) -> None:
    """In one process that keeps only the present model. The first ones load the libraries."""
    engine, texts = Engine(memory=1), calibration(count=300)
    slow = {"evopress_3", "evopress_4", "rotation_learned", "prequantised"}
    usual = {key: info for key, info in SCHEMES.items() if key not in slow and not info.needs_map}
    keys = [key for key, info in usual.items() if not unavailable(info, "cpu")][:20]
    assert len(keys) == 20

    def resident(keys: Sequence[str]) -> tuple[int, int]:
        for key in keys:
            evaluated(engine, xs, key, calibration=texts)
        gc.collect()
        modules = sum(type(one) is LlamaForCausalLM for one in gc.get_objects())
        return psutil.Process().memory_info().rss, modules

    before, after = resident(WITH_LIBRARIES), resident(keys)
    assert after[0] < 1.1 * before[0]
    assert after[1] == before[1]  # a tiny module would not show in the first number
    assert len(engine._models) == 1
