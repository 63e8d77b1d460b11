"""Measures a loaded contender by the protocol of `evaluation.protocol`: tokens per second, memory, energy.

Nothing of an evaluation plays a part: random tokens, the same numbers of them everywhere, a pass to warm up, then
repeats of which the median counts. A slow device makes fewer repeats, writes fewer tokens and says what it left out.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from evaluation.inference.engine import Engine, Warm
from evaluation.inference.forward import Stop
from evaluation.inference.meter import Memory, joules_used
from evaluation.protocol import (
    BATCHES,
    DECODE,
    LOCAL,
    PREFILL,
    PROMPTS,
    REPEATS,
    SECONDS,
    USUAL,
    WRITTEN,
    Efficiency,
    Pace,
    Spread,
)
from evaluation.records import Checkpoint, RunSpec
from evaluation.schemes import SCHEMES
from evaluation.schemes.record import News

FEWEST = 4  # tokens whose times still make a rate
SEED = 1234


def measure(spec: RunSpec, *, engine: Engine, stop: Stop, tell: News = lambda news: None) -> Efficiency:
    """Load a checkpoint under its scheme, or take it warm, and measure it. Holds the engine meanwhile.

    stop: is called between passes and tokens, and raises to give up. Raises what `Engine.model` raises.
    """
    assert isinstance(spec.model, Checkpoint)  # noqa: S101 - endpoints are measured over the wire
    with engine.lock:
        files = engine.find(spec.model)
        warm = engine.model(spec, files, tell)
        with torch.inference_mode():
            return _measured(warm, spec, engine.environment(), stop)


def _measured(warm: Warm, spec: RunSpec, environment: Mapping[str, str], stop: Stop) -> Efficiency:
    began, module = time.perf_counter(), warm.model.lm.model
    memory = Memory(module, spec.device)
    bench = Bench(module, warm.model.lm.max_length, spec.device, stop)
    paces = tuple(bench.paces())
    info = SCHEMES[spec.scheme]
    reading = next((pace.rate for pace in paces if (pace.phase, pace.batch, pace.prompt) == (PREFILL, 1, USUAL)), None)
    versions = {name: environment[name] for name in ("torch", "transformers", *info.packages) if name in environment}
    return Efficiency(
        protocol=LOCAL,
        kernel=kernel_label(spec, module, versions),
        emulated=info.emulated,
        paces=paces,
        to_first=reading and Spread(USUAL / reading.median, USUAL / reading.most, USUAL / reading.least, reading.n),
        weights_bytes=warm.bytes,
        device_peak_bytes=memory.device_peak(),
        host_peak_bytes=memory.host_peak(),
        load_seconds=warm.load_seconds,
        apply_seconds=warm.apply_seconds,
        joules=bench.joules,
        versions=versions,
        left_out=tuple(bench.left_out),
        seconds=time.perf_counter() - began,
    )


def kernel_label(spec: RunSpec, module: Any, versions: Mapping[str, str]) -> str:
    """What multiplied: "emulated on torch 2.13.0, float32, 1 thread"; "torchao 0.18.0 on torch 2.13.0, bfloat16"."""
    info = SCHEMES[spec.scheme]
    own = " and ".join(f"{name} {versions.get(name, '')}".strip() for name in info.packages)
    by = "emulated on " if info.emulated else f"{own} on " if own else ""
    dtype = str(module.dtype).removeprefix("torch.")
    count = torch.get_num_threads()
    threads = "" if spec.device.startswith("cuda") else f", {count} thread{'' if count == 1 else 's'}"
    return f"{by}torch {versions['torch']}, {dtype}{threads}"


@dataclass(slots=True)
class Bench:
    """One module under the protocol. context: tokens that it takes at most."""

    module: Any
    context: int
    device: str
    stop: Stop
    left_out: list[str] = field(default_factory=list)
    joules: float | None = None  # per thousand tokens written in the largest batch
    _written: int = 0
    _until: float = field(init=False)
    _only_last: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._until = time.perf_counter() + SECONDS
        takes = inspect.signature(self.module.forward).parameters
        self._only_last = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}

    def paces(self) -> Iterator[Pace]:
        """Everything that fits the context, the time and the memory; the rest is told in `left_out`."""
        cases = [(PREFILL, 1, prompt) for prompt in PROMPTS] + [(DECODE, 1, USUAL)]
        cases += [(phase, batch, USUAL) for batch in BATCHES[1:] for phase in (PREFILL, DECODE)]
        for at, (phase, batch, prompt) in enumerate(cases):
            what = f"{phase} of {batch} × {prompt} tokens"
            if prompt + WRITTEN > self.context:
                self.left_out.append(f"{what}: longer than the context of {self.context} tokens")
                continue
            left = self._until - time.perf_counter()
            if left <= 0:
                self.left_out.append(f"{what}: no time left")
                continue
            try:
                yield Pace(phase, batch, prompt, self._rate(phase, batch, prompt, left / (len(cases) - at)))
            except torch.OutOfMemoryError:
                self.left_out.append(f"{what}: out of memory")
                torch.cuda.empty_cache()

    def _rate(self, phase: str, batch: int, prompt: int, share: float) -> Spread:
        """Tokens per second. share: seconds that the case may take; one pass is made in any case."""
        until = time.perf_counter() + share
        ids = self._prompt(batch, prompt)
        once = partial(self._read_rate, ids) if phase == PREFILL else partial(self._write, ids, share / 2)
        rates = [once()]  # warms up; counts only where nothing else has the time
        before = joules_used(self.device) if phase == DECODE and batch == BATCHES[-1] else None
        self._written = 0
        for _ in range(REPEATS):
            if time.perf_counter() >= until:
                break
            rates.append(once())
        if before is not None and len(rates) > 1:
            self._spent(before)
        return Spread.of(rates[1:] or rates)

    def _spent(self, before: float) -> None:
        """Energy of the passes since then, reading included. A counter that stood still measured nothing."""
        after = joules_used(self.device)
        if after is not None and after > before:
            self.joules = 1000 * (after - before) / self._written

    def _prompt(self, batch: int, prompt: int) -> torch.Tensor:
        """Token ids (batch, prompt), the same on every device."""
        rows = self.module.get_input_embeddings().weight.shape[0]
        drawn = torch.randint(rows, (batch, prompt), generator=torch.Generator().manual_seed(SEED))
        return drawn.to(self.device)

    def _read_rate(self, ids: torch.Tensor) -> float:
        return self._read(ids)[0]

    def _read(self, ids: torch.Tensor) -> tuple[float, Any]:
        """Tokens per second, and what the model said."""
        self.stop()
        self._wait()
        began = time.perf_counter()
        out = self.module(ids, use_cache=True, **self._only_last)
        self._wait()
        return ids.numel() / (time.perf_counter() - began), out

    def _write(self, ids: torch.Tensor, most: float) -> float:
        """Greedy tokens one at a time, after the prompt; fewer where they take longer than `most` seconds."""
        _, out = self._read(ids)
        began, written = time.perf_counter(), 0
        while written < WRITTEN and (written < FEWEST or time.perf_counter() - began < most):
            self.stop()
            token = out.logits[:, -1:].argmax(dim=-1)
            out = self.module(token, past_key_values=out.past_key_values, use_cache=True, **self._only_last)
            written += 1
        self._wait()
        self._written += len(ids) * written
        return len(ids) * written / (time.perf_counter() - began)

    def _wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)
