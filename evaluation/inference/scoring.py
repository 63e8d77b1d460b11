"""From answers to attempts: a sample is scored, by its task's own filters and metrics, as soon as it is complete."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import numpy as np

from evaluation.benchmarks import document_hash, prompt_hash, target_hash
from evaluation.errors import BadBenchmark, NotFinite
from evaluation.inference.forward import Answer
from evaluation.records import Attempt, Question

Metrics = dict[str, float]


@dataclass(slots=True)
class Sample:
    """One document and its requests in one attempt. answers: by position among the requests, until all are there."""

    number: int
    document: Mapping[str, Any]
    requests: list[Any]
    attempt: int = 0
    answers: dict[int, Answer] = field(default_factory=dict)


class Scoring:
    """The samples of one run. `add` takes answers in any order and hands out finished attempts.

    task: a task of lm-evaluation-harness. metric: the one that is the score; empty means the task's first.
    """

    def __init__(self, name: str, task: Any, samples: Sequence[Sample], metric: str = "") -> None:
        self.name, self.task, self.metric, self.samples = name, task, metric, samples
        self.requests = [request for sample in samples for request in sample.requests]
        self._owner = [(sample, place) for sample in samples for place in range(len(sample.requests))]

    def add(self, index: int, answer: Answer) -> Iterator[Attempt]:
        """Record the answer to `requests[index]`; yields the attempt when that was the sample's last one."""
        sample, place = self._owner[index]
        if not isinstance(answer.value, str) and not math.isfinite(answer.value[0]):
            raise self.not_finite(index, f"the log-likelihood of choice {place} is {answer.value[0]}")
        sample.answers[place] = answer
        if len(sample.answers) == len(sample.requests):
            yield self._score(sample)

    def questions(self) -> Iterator[Question]:
        """The samples as they are asked, for a platform that has not seen the benchmark."""
        for sample in {sample.number: sample for sample in self.samples}.values():
            document, target = sample.document, self.task.doc_to_target(sample.document)
            prompt, shown = _text(sample.requests[0].args[0]), target
            choices: tuple[str, ...] = ()
            if self.task.OUTPUT_TYPE == "multiple_choice":
                choices = tuple(map(_text, self.task.doc_to_choice(document)))
                shown = choices[target] if isinstance(target, int) and 0 <= target < len(choices) else target
            hashes = document_hash(document), prompt_hash(prompt), target_hash(target)
            yield Question(sample.number, dict(document), prompt, choices, _text(shown), *hashes)

    def not_finite(self, index: int, what: str) -> NotFinite:
        """The error for a sample whose numbers are none."""
        sample, _ = self._owner[index]
        return NotFinite(
            f"Sample {sample.number} of {self.name}: {what}.",
            remedy="Check the weights and the scheme: NaN or infinite numbers give accuracies that only look right.",
        )

    def _score(self, sample: Sample) -> Attempt:
        for place, request in enumerate(sample.requests):
            request.resps.append(sample.answers[place].value)
        for ensemble in self.task._filters:
            ensemble.apply(sample.requests)
        metrics, results = self._metrics(sample)
        metric = self._primary(metrics)
        answers = [sample.answers[place] for place in range(len(sample.requests))]
        target = self.task.doc_to_text(sample.document) if self.task.multiple_input else None
        target = self.task.doc_to_target(sample.document) if target is None else target
        scored = {"metrics": metrics, "score": metrics[metric], **self._describe(sample, results, target, metric)}
        return Attempt(
            sample=sample.number,
            attempt=sample.attempt,
            tokens_in=_total([answer.tokens_in for answer in answers]),
            tokens_out=_total([answer.tokens_out for answer in answers]),
            tokens_cached=_total([answer.tokens_cached for answer in answers]),
            seconds=_total([answer.seconds for answer in answers]),
            latency=_slowest([answer.latency for answer in answers]),
            seconds_to_first=answers[0].to_first if len(answers) == 1 else None,
            document_hash=document_hash(sample.document),
            prompt_hash=prompt_hash(_text(sample.requests[0].args[0])),
            target_hash=target_hash(target),
            **scored,
        )

    def _metrics(self, sample: Sample) -> tuple[Metrics, list[Any]]:
        """All metrics that are one number per sample, and the filtered results of the first filter."""
        metrics: Metrics = {}
        keys = list(sample.requests[0].filtered_resps)
        for key in keys:
            results = [request.filtered_resps[key] for request in sample.requests]
            for metric, value in self.task.process_results(sample.document, results).items():
                if isinstance(value, Number | np.generic) and not isinstance(value, complex):
                    metrics[metric if len(keys) == 1 else f"{metric},{key}"] = float(value)  # type: ignore[arg-type]
        return metrics, [request.filtered_resps[keys[0]] for request in sample.requests]

    def _primary(self, metrics: Metrics) -> str:
        metric = self.metric or next(iter(metrics), "")
        if not math.isfinite(metrics.get(metric, math.nan)):
            raise BadBenchmark(
                f"The benchmark {self.name} gives no finite number per sample.",
                field="metric",
                remedy="Use a task whose first metric is a mean over samples, such as acc or exact_match.",
            )
        return metric

    def _describe(self, sample: Sample, results: list[Any], target: Any, metric: str) -> dict[str, Any]:
        """Answer, output and target as a person reads them."""
        if self.task.OUTPUT_TYPE != "multiple_choice":
            output = sample.answers[0].value
            return {"answer": _text(results[0]), "output": _text(output), "target": _text(target)}
        choices = self.task.doc_to_choice(sample.document)
        likelihoods = np.array([likelihood for likelihood, _ in results[: len(choices)]])
        lengths = np.array([float(len(choice)) for choice in choices])
        chosen = int(np.argmax(likelihoods / lengths if metric == "acc_norm" else likelihoods))
        gold = choices[target] if isinstance(target, int) and 0 <= target < len(choices) else target
        return {
            "choice": chosen,
            "answer": choices[chosen],
            "output": "",
            "target": _text(gold),
            "log_likelihoods": tuple(likelihoods.tolist()),
        }


def _total(values: Sequence[Any]) -> Any:
    """The sum, or None when any part was not measured: a partial sum would look like a small one."""
    return None if any(value is None for value in values) else sum(values)


def _slowest(times: Sequence[float | None]) -> float | None:
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None


def _text(value: Any) -> str:
    """Text as it is; a chat prompt by its JSON; lists and numbers as Python prints them."""
    return value if isinstance(value, str) else str(getattr(value, "prompt", value))
