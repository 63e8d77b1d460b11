"""Our numbers are lm-evaluation-harness's numbers, to the last digit: same tasks, same batch size, its own models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from lm_eval.evaluator import evaluate as evaluate_with_lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from deploy.demo.train import CHECKPOINTS, SIZES
from evaluation.benchmarks import Definition
from evaluation.inference.tests.conftest import BENCHMARKS, Runner, spec_of
from evaluation.inference.tests.equivalent import write_task
from evaluation.records import Attempt, BenchmarkSpec, Checkpoint

pytestmark = pytest.mark.engine

QUESTIONS = tuple({"question": f"{a}+{b}", "answer": str(a + b)} for a in (3, 14, 25) for b in (4, 41))
CHOICES = tuple(
    {"question": f"{a}+3", "options": [str(a + 3), f"{a} and some", str(a)], "right": a % 3} for a in range(20, 32)
)
VARIANTS = {
    "few-shot": Definition(
        "multiple_choice",
        "Q: {{ question }}\nA:",
        choices="options",
        gold="right",
        metric="acc_norm",
        description="Choose.\n\n",
        num_fewshot=2,
        examples=CHOICES[:2],
    ),
    "loop and space": Definition(
        "multiple_choice",
        "Q: {{ question }}{% for option in options %} {{ 'ABC'[loop.index0] }}:{{ option }}{% endfor %}\nA: ",
        choices="options",
        gold="right",
        target_delimiter="",
    ),
    "long stop": Definition("generation", "Q: {{ question }}\nA:", stop=("\nQ:", "4"), max_tokens=9),
    "few-shot text": Definition(
        "generation",
        "Q: {{ question }}\nA:",
        stop=("\n",),
        max_tokens=5,
        extract=r"(\d)",
        num_fewshot=1,
        examples=QUESTIONS[:1],
    ),
}


def their_samples(folder: Path, name: str, model: HFLM) -> list[dict[str, Any]]:
    """What lm_eval itself logs for one task (several would share their batches), at our batch size."""
    loaded = TaskManager(include_path=str(folder), include_defaults=False).load([name])
    for task in loaded["tasks"].values():
        task.set_fewshot_seed(1234)
    result = evaluate_with_lm_eval(model, loaded, bootstrap_iters=0)
    assert result is not None
    samples: list[dict[str, Any]] = result["samples"][name]
    return samples


def their_model(size: str, dtype: str = "float32") -> HFLM:
    """lm_eval's own model class, loaded by itself."""
    return HFLM(pretrained=str(CHECKPOINTS / f"tiny-{size}"), dtype=dtype, batch_size=64, device="cpu")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's benchmarks as tasks of lm_eval."""
    folder = tmp_path_factory.mktemp("suite")
    for name, benchmark in BENCHMARKS.items():
        write_task(folder, name, benchmark.definition, benchmark.documents)
    return folder


def assert_same(ours: Attempt, theirs: dict[str, Any]) -> None:
    results = theirs["filtered_resps"]
    if ours.choice is None:
        assert (ours.answer, ours.output) == (results[0], theirs["resps"][0][0])
    else:
        assert ours.log_likelihoods == tuple(likelihood for likelihood, _ in results)
    assert ours.metrics == {metric: float(theirs[metric]) for metric in theirs["metrics"]}
    assert ours.document_hash == theirs["doc_hash"]
    assert ours.prompt_hash == theirs["prompt_hash"]
    assert ours.target_hash == theirs["target_hash"]


@pytest.mark.parametrize(("size", "scheme"), [*((size, "fp32") for size in SIZES), ("xs", "bf16")])
def test_demo_suite_equals_lm_eval(size: str, scheme: str, evaluate: Runner, suite: Path) -> None:
    model = their_model(size, {"fp32": "float32", "bf16": "bfloat16"}[scheme])
    for name, benchmark in BENCHMARKS.items():
        theirs = their_samples(suite, name, model)
        ours = evaluate(spec_of(benchmark), Checkpoint(str(CHECKPOINTS / f"tiny-{size}")), scheme=scheme)
        assert len(ours) == len(theirs) == len(benchmark.documents)
        for sample in theirs:
            assert_same(ours[sample["doc_id"]], sample)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_part_of_a_definition_equals_lm_eval(name: str, evaluate: Runner, tmp_path: Path) -> None:
    definition = VARIANTS[name]
    documents = QUESTIONS if definition.is_generation else CHOICES
    theirs = their_samples(tmp_path, write_task(tmp_path, "variant", definition, documents), their_model("m"))
    model = Checkpoint(str(CHECKPOINTS / "tiny-m"))
    ours = evaluate(BenchmarkSpec("variant", "1", definition.to_dict(), documents), model)
    for sample in theirs:
        assert_same(ours[sample["doc_id"]], sample)
        assert ours[sample["doc_id"]].score == float(sample[definition.metric])


def test_batch_size_is_part_of_the_numbers_only_by_rounding(evaluate: Runner) -> None:
    spec = spec_of(BENCHMARKS["series"])
    large, small = evaluate(spec), evaluate(spec, batch_size=3)
    for number, attempt in large.items():
        assert small[number].log_likelihoods == pytest.approx(attempt.log_likelihoods, abs=1e-4)
        assert dataclasses.replace(attempt, seconds=None, latency=None, log_likelihoods=()) == dataclasses.replace(
            small[number], seconds=None, latency=None, log_likelihoods=()
        )
