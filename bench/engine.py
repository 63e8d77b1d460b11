"""What the engine costs beyond the model: `python -m bench.engine [--model m] [--repeat 5]`.

Measured over the demo's five benchmarks on one checkpoint, batches of 64, one thread:
  raw      the model alone on the very batches of the run: forward passes, and `generate` for as many tokens
  engine   a warm engine on new texts, from documents to scored attempts
  again    the same on texts it has encoded before, as for the next scheme of an entry
  process  the engine as a process of its own, imports and loading included
  lm_eval  lm-evaluation-harness's command line on equivalent tasks, as a process
The bars: engine / raw <= 2.2 (wall time, best of the repeats), and less CPU than lm_eval, process against process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from deploy.demo.benchmarks import DemoBenchmark, load_benchmarks
from deploy.demo.train import CHECKPOINTS, SIZES
from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.inference.tests.equivalent import write_task
from evaluation.records import BenchmarkSpec, Checkpoint, RunSpec

BATCH = 64
BAR = 2.2
Call = Callable[[], Any]


def main() -> int:
    """Measure, print, and return 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SIZES, default="m")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--once", action="store_true", help="only evaluate once (what the process measure starts)")
    given = parser.parse_args()
    torch.set_num_threads(1)  # more would measure how threads wait for each other
    benchmarks, checkpoint, engine = load_benchmarks(), CHECKPOINTS / f"tiny-{given.model}", Engine()
    if given.once:
        evaluate(engine, checkpoint, benchmarks)
        return 0
    calls = record(engine, checkpoint, benchmarks)
    raw, warm, again = [], [], []
    model = next(iter(engine._models.values()))[0]
    for _ in range(given.repeat):  # by turns, so that both meet the same neighbours on the machine
        raw.append(cost(lambda: repeat(calls)))
        model._encodings.clear()
        warm.append(cost(lambda: evaluate(engine, checkpoint, benchmarks)))
        again.append(cost(lambda: evaluate(engine, checkpoint, benchmarks)))
    ours = children([sys.executable, "-m", "bench.engine", "--model", given.model, "--once"])
    theirs = lm_eval(checkpoint, benchmarks)
    samples = sum(len(benchmark.documents) for benchmark in benchmarks)
    print(f"tiny-{given.model}: {samples} samples of {len(benchmarks)} benchmarks in {len(calls)} batches")
    print("         wall s   CPU s")
    for name, measured in (("raw", raw), ("engine", warm), ("again", again)):
        print(f"{name:8} {min(wall for wall, _ in measured):6.2f}  {min(cpu for _, cpu in measured):6.2f}")
    print(f"process          {ours:6.2f}\nlm_eval          {theirs:6.2f}")
    ratio = min(wall for wall, _ in warm) / min(wall for wall, _ in raw)
    print(f"engine / raw = {ratio:.2f} (bar {BAR}), process / lm_eval = {ours / theirs:.2f} (bar 1)")
    return int(ratio > BAR or ours >= theirs)


def evaluate(engine: Engine, checkpoint: Path, benchmarks: Sequence[DemoBenchmark]) -> None:
    """All benchmarks, one run after the other."""
    for benchmark in benchmarks:
        spec = BenchmarkSpec(benchmark.name, "1", benchmark.definition.to_dict(), benchmark.documents)
        done = [len(attempts) for attempts in run(RunSpec(Checkpoint(str(checkpoint)), spec), engine=engine)]
        assert sum(done) == len(benchmark.documents)


def record(engine: Engine, checkpoint: Path, benchmarks: Sequence[DemoBenchmark]) -> list[Call]:
    """The calls of the model that one evaluation makes, to be repeated without anything around them."""
    evaluate(engine, checkpoint, benchmarks)
    model = next(iter(engine._models.values()))[0].lm.model
    forward, generate, calls = model.forward, model.generate, []
    writing = False

    def seen_forward(*args: Any, **options: Any) -> Any:
        if not writing:
            calls.append(lambda: forward(*args, **options))
        return forward(*args, **options)

    def seen_generate(**options: Any) -> Any:
        nonlocal writing
        writing = True
        out = generate(**options)
        writing = False
        tokens = out.shape[1] - options["input_ids"].shape[1]
        kept = {name: options[name] for name in ("input_ids", "attention_mask", "pad_token_id")}
        calls.append(lambda: generate(**kept, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False))
        return out

    model.forward, model.generate = seen_forward, seen_generate
    try:
        evaluate(engine, checkpoint, benchmarks)
    finally:
        del model.forward, model.generate
    return calls


def repeat(calls: Sequence[Call]) -> None:
    """The model alone. Results are dropped one by one: keeping them would measure memory."""
    with torch.inference_mode():
        for call in calls:
            call()


def cost(call: Call) -> tuple[float, float]:
    """Seconds of wall and CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def children(command: list[str], **environment: str) -> float:
    """CPU seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lm_eval(checkpoint: Path, benchmarks: Sequence[DemoBenchmark]) -> float:
    """CPU seconds of lm-evaluation-harness's command line on the same benchmarks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = [write_task(folder, each.name, each.definition, each.documents) for each in benchmarks]
        command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--tasks", ",".join(tasks)]
        command += ["--model_args", f"pretrained={checkpoint},dtype=float32", "--include_path", str(folder)]
        command += [
            "--batch_size",
            str(BATCH),
            "--device",
            "cpu",
            "--output_path",
            str(folder / "out"),
            "--log_samples",
        ]
        return children(command, HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")


if __name__ == "__main__":
    sys.exit(main())
