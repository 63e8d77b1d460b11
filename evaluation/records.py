"""What crosses the boundary between the platform and the engine: plain, frozen records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.bit_maps import BitMap


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights in a local directory, or in a hub repository at a pinned commit. Safetensors only.

    location: absolute path, or repository id when `revision` is set.
    weights_hash: expected sha256 of the weight files (`loading.weights_hash`); empty means "do not compare".
    """

    location: str
    revision: str = ""
    weights_hash: str = ""
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server. `style` is "completions" (log-likelihoods and text) or "chat" (text only).

    base_url: up to and including /v1. tokenizer: local directory of the tokenizer (needed for log-likelihoods).
    allowed_networks: private networks (CIDR) or host names that the operator allows on purpose.
    """

    base_url: str
    model: str
    style: str = "completions"
    tokenizer: str = ""
    api_key: str = field(default="", repr=False)
    concurrency: int = 8
    allowed_networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BenchmarkSpec:
    """What to ask. Either our own (`definition` + `documents`), or one of lm-eval's tasks by `harness_task`."""

    name: str
    version: str
    definition: Mapping[str, Any] = field(default_factory=dict)
    documents: tuple[Mapping[str, Any], ...] = ()
    harness_task: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Named texts that some schemes have to see before they can be applied; never the samples of a benchmark."""

    name: str
    texts: tuple[str, ...]

    @property
    def hash(self) -> str:
        """sha256 of the texts in their order, part of what a run is."""
        return hashlib.sha256(json.dumps(self.texts, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One contender on one benchmark: everything that the numbers depend on.

    attempts: at each sample; at temperature 0 they would all be equal. Log-likelihoods are no matter of chance: samples
    that are scored by them are answered once, whatever is asked for.
    skip: (sample, attempt) that are finished already (resume); limit: only the first `limit` samples; subset: only
    these samples, by their numbers in the whole benchmark (None: all).
    calibration: texts for schemes that need them, bits: bits per layer for the one that takes a map; the others ignore
    them.
    """

    model: Checkpoint | Endpoint
    benchmark: BenchmarkSpec
    scheme: str = "fp32"
    device: str = "cpu"
    batch_size: int = 64
    seed: int = 1234
    attempts: int = 1
    temperature: float = 0.0
    limit: int | None = None
    subset: frozenset[int] | None = None
    skip: frozenset[tuple[int, int]] = frozenset()
    calibration: Calibration | None = None
    bits: BitMap | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A sample as it was asked: what the platform shows beside a score of one of the harness's own tasks."""

    sample: int
    document: Mapping[str, Any]
    prompt: str
    choices: tuple[str, ...]
    target: str
    document_hash: str
    prompt_hash: str
    target_hash: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one sample, scored. `score` is the benchmark's primary metric for this sample, always finite.

    choice: index of the chosen answer (multiple choice), else None. answer: extracted answer as text.
    log_likelihoods: one per choice, in nats. Counts and times are None where they were not measured (never 0).
    tokens_cached: those of tokens_in that the server says it had already read.
    seconds: this attempt's share of the time in which it was computed, so that the shares of a run add up to the time
    that its device was busy: the wall time of its batch by the size of the batch, or, at an endpoint, the time of its
    request, each moment divided by the requests that were under way.
    latency: seconds from asking to the whole answer (the slowest of its requests, repeats included; of a batch, the
    wall time of the batch). seconds_to_first: the same to the first new token.
    """

    sample: int
    score: float
    answer: str
    output: str
    target: str
    attempt: int = 0
    choice: int | None = None
    log_likelihoods: tuple[float, ...] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    seconds: float | None = None
    latency: float | None = None
    seconds_to_first: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    document_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""
