"""lm-evaluation-harness's own tasks by name: what is refused, and how a task of a data set on disk runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from evaluation.errors import BadBenchmark
from evaluation.inference.engine import Engine
from evaluation.inference.harness import NamedTasks
from evaluation.inference.run import run
from evaluation.records import BenchmarkSpec, Checkpoint, RunSpec

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def named() -> NamedTasks:
    return NamedTasks()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_such_task", "There is no task"),
        ("mmlu", "is a group"),
        ("hellaswag", "runs Python functions of its own"),
        ("squadv2", "Python"),
    ],
)
def test_what_is_no_plain_task_is_refused(name: str, reason: str, named: NamedTasks) -> None:
    with pytest.raises(BadBenchmark, match=reason):
        named.load(name)


def test_a_data_set_that_cannot_be_had_says_what_to_do(named: NamedTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BadBenchmark, match="cannot be had") as refused:
        named.load("sciq")
    assert "HF_HUB_OFFLINE" in refused.value.remedy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tasks on disk: a choice with drawn examples, a perplexity, and one that runs a function."""
    data = tmp_path / "data.jsonl"
    rows = [{"q": f"{a}+{a}", "options": [str(2 * a), str(2 * a + 1)], "right": 0} for a in range(12)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shared: dict[str, Any] = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data), "train": str(data)}, "cache_dir": str(tmp_path / "cache")},
        "test_split": "test",
        "doc_to_text": "Q: {{q}}\nA:",
        "doc_to_target": "right",
    }
    choice: dict[str, Any] = shared | {
        "task": "disk_choice",
        "output_type": "multiple_choice",
        "doc_to_choice": "options",
    }
    choice |= {"fewshot_split": "train", "num_fewshot": 2}
    whole = shared | {"task": "disk_whole", "output_type": "loglikelihood_rolling", "doc_to_target": "{{q}}"}
    (tmp_path / "choice.yaml").write_text(json.dumps(choice))
    (tmp_path / "whole.yaml").write_text(json.dumps(whole))
    (tmp_path / "code.yaml").write_text("include: [shared.yaml]\ntask: disk_code\n")
    (tmp_path / "shared.yaml").write_text("output_type: multiple_choice\nprocess_docs: !function utils.process\n")
    return tmp_path


@pytest.fixture
def own_engine(folder: Path) -> Engine:
    engine = Engine()
    engine.named_tasks._manager = TaskManager(include_path=str(folder), include_defaults=False)
    return engine


def test_a_task_by_name_runs_and_resumes_with_the_same_examples(own_engine: Engine, xs: Checkpoint) -> None:
    benchmark = BenchmarkSpec("disk", "1", harness_task="disk_choice")
    whole = [each for some in run(RunSpec(xs, benchmark), engine=own_engine) for each in some]
    rest = RunSpec(xs, benchmark, skip=frozenset((sample, 0) for sample in range(9)))
    resumed = [each for some in run(rest, engine=own_engine) for each in some]
    assert sorted(attempt.sample for attempt in whole) == list(range(12))
    prompts = {attempt.sample: attempt.prompt_hash for attempt in whole}
    assert {attempt.sample: attempt.prompt_hash for attempt in resumed} == {n: prompts[n] for n in range(9, 12)}
    for attempt in whole:
        assert attempt.target == str(2 * attempt.sample)
        assert set(attempt.metrics) == {"acc", "acc_norm"}
        assert attempt.score == float(attempt.answer == attempt.target)


def test_a_partial_run_asks_what_the_whole_one_asks(own_engine: Engine, xs: Checkpoint) -> None:
    """Examples are drawn document by document, so those outside the subset are built, too."""
    benchmark = BenchmarkSpec("disk", "1", harness_task="disk_choice")
    whole = [each for some in run(RunSpec(xs, benchmark), engine=own_engine) for each in some]
    partial = RunSpec(xs, benchmark, subset=frozenset({2, 7, 11}), skip=frozenset({(7, 0), (1, 0)}))
    evaluation = run(partial, engine=own_engine)
    asked = [each for some in evaluation for each in some]
    prompts = {attempt.sample: (attempt.prompt_hash, attempt.score) for attempt in whole}
    assert {each.sample: (each.prompt_hash, each.score) for each in asked} == {n: prompts[n] for n in (2, 11)}
    assert evaluation.total == 2


def test_a_task_without_a_score_per_sample_is_refused(own_engine: Engine, xs: Checkpoint) -> None:
    benchmark = BenchmarkSpec("disk", "1", harness_task="disk_whole")
    with pytest.raises(BadBenchmark, match="not a score per sample"):
        list(run(RunSpec(xs, benchmark), engine=own_engine))


def test_a_function_in_an_included_file_is_found(own_engine: Engine) -> None:
    with pytest.raises(BadBenchmark, match="runs Python functions"):
        own_engine.named_tasks.load("disk_code")
