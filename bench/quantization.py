"""What schemes cost and change: `python -m bench.quantization [--model m] [--schemes int4 nvfp4 ...]`.

On the CPU: every scheme that runs here on a demo checkpoint, with nominal bits and bytes, bytes really held, mean
signal-to-noise of the matrices, KL divergence from fp32 on texts that no scheme has seen (nats a token), accuracy and
changed answers on the demo's 1,030 multiple-choice questions, and seconds to apply. Speed is not compared here: on a
CPU these formats are not faster.

On a CUDA device (`--device cuda`): a Llama-shaped model with random weights, made there, in bf16, int8, fp8 and int4:
prefill and decode tokens a second and peak memory at batch 1, 16 and 128. Schemes that do not run there say why.
The bars: LLM-FP4 below plain E2M1, EvoPress below the uniform map at equal bits, GPTQ int3 at most half of int3.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from deploy.demo.benchmarks import DemoBenchmark, load_benchmarks
from deploy.demo.calibration import DEVELOPMENT_SEED, calibration
from deploy.demo.train import CHECKPOINTS, SIZES
from evaluation.analyses.quantization import QuantizationParams, QuantizationResult, compute
from evaluation.answers import AnswerTable, probabilities_of
from evaluation.errors import EvaluationError
from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.records import Attempt, BenchmarkSpec, Checkpoint, RunSpec
from evaluation.schemes import SCHEMES, load_scheme, unavailable
from evaluation.schemes.applying import apply_scheme
from evaluation.schemes.calibration import log_probabilities, mean_kl, tokenise
from evaluation.schemes.measuring import bytes_held

SEED = 1234
HELD_OUT = 128  # rows of 64 tokens
ON_GPU = ("bf16", "int8", "int8_dynamic", "fp8_dynamic", "int4_packed", "nf4")
SHAPES = {  # hidden, feed-forward, layers, heads, key-value heads, vocabulary
    "tiny": (256, 512, 2, 4, 2, 1_024),
    "1b": (2_048, 8_192, 16, 32, 8, 128_256),
    "8b": (4_096, 14_336, 32, 32, 8, 128_256),
}
BATCHES, PROMPT, WRITTEN = (1, 16, 128), 512, 64


def main() -> int:
    """Print the table of the device; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SIZES, default="m", help="demo checkpoint, on the CPU")
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, help="default: all that run here")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shape", choices=SHAPES, help="random model of this shape; default 1b on a GPU")
    given = parser.parse_args()
    versions = {name: Engine().environment().get(name, "none") for name in ("torch", "torchao", "bitsandbytes")}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    if given.shape or given.device != "cpu":
        speed_table(given.device, given.shape or "1b", given.schemes or ON_GPU)
        return 0
    torch.set_num_threads(1)
    return demo_table(given.model, given.schemes or here("cpu"))


def here(device: str) -> list[str]:
    """Schemes that this machine can do on a checkpoint that is not quantised yet."""
    usual = {key: info for key, info in SCHEMES.items() if info.family != "prequantised" and not info.needs_map}
    return [key for key, info in usual.items() if not unavailable(info, device)]


def demo_table(size: str, keys: Sequence[str]) -> int:
    """One line per scheme, the verdict, and the bars."""
    model, engine = Checkpoint(str(CHECKPOINTS / f"tiny-{size}")), Engine(memory=64 << 20)
    benchmarks = [one for one in load_benchmarks() if not one.definition.is_generation]
    print(f"tiny-{size} on the CPU, one thread, seed {SEED}")
    print("scheme               bits   nominal kB  held kB   SNR dB       KL  seconds")
    answers, divergence, searches = {}, {}, {}
    for key in dict.fromkeys(["fp32", *keys]):
        spec = RunSpec(model, BenchmarkSpec("none", "1"), key, seed=SEED, calibration=calibration())
        files = engine.find(model)
        seconds, warm = timed(lambda spec=spec, files=files: engine.model(spec, files))
        report = warm.report
        divergence[key] = held_out_kl(engine, model, warm.model)
        searches[key] = report.search
        noise = [matrix.snr_db for matrix in report.matrices if matrix.snr_db is not None]
        print(
            f"{key:18} {report.bits:6.3f} {report.nominal_bytes / 1000:12.0f} {report.bytes_in_memory / 1000:8.0f} "
            f"{np.mean(noise) if noise else float('nan'):8.1f} {divergence[key]:8.5f} {seconds:8.2f}",
            flush=True,
        )
        answers[key] = answered(engine, model, key, benchmarks)
    result = compute(answer_table(answers, benchmarks), QuantizationParams(reference="fp32"))
    print(f"\n{changes(result)}\n\n{result.verdict}\n")
    return int(not bars(divergence, searches))


def held_out_kl(engine: Engine, model: Checkpoint, contender: Any) -> float:
    """From fp32, on texts of another seed than the calibration set's."""
    reference = engine.model(RunSpec(model, BenchmarkSpec("none", "1"), "fp32", seed=SEED), engine.find(model)).model
    ids = tokenise(calibration(DEVELOPMENT_SEED), contender.lm.tokenizer, longest=128).ids[:HELD_OUT]
    with torch.inference_mode():
        return mean_kl(log_probabilities(reference.lm.model, ids), log_probabilities(contender.lm.model, ids))


def answered(engine: Engine, model: Checkpoint, key: str, benchmarks: Sequence[DemoBenchmark]) -> list[Attempt]:
    """Attempts at all questions, in order. The calibration set was drawn without them."""
    found: list[Attempt] = []
    for one in benchmarks:
        spec = BenchmarkSpec(one.name, "1", one.definition.to_dict(), one.documents)
        wanted = RunSpec(model, spec, key, seed=SEED, calibration=calibration())
        attempts = [attempt for batch in run(wanted, engine=engine) for attempt in batch]
        found += sorted(attempts, key=lambda attempt: attempt.sample)
    return found


def answer_table(answers: dict[str, list[Attempt]], benchmarks: Sequence[DemoBenchmark]) -> AnswerTable:
    """What the analysis takes."""
    samples = [f"{one.name}:{number}" for one in benchmarks for number in range(len(one.documents))]
    likelihoods = np.array([[attempt.log_likelihoods for attempt in row] for row in answers.values()])
    labels = np.array([[attempt.choice for attempt in row] for row in answers.values()])
    gold = np.array([document["gold"] for one in benchmarks for document in one.documents])
    return AnswerTable(
        tuple(answers), tuple(samples), tuple("ABCD"), labels, labels == gold, gold, probabilities_of(likelihoods)
    )


def changes(result: QuantizationResult) -> str:
    """Accuracy and changed answers by scheme."""
    lines = [f"scheme             accuracy   loss  Holm p  changed   lost    won   ({result.n[0]:,} questions)"]
    for row, name in enumerate(result.contenders):
        lines.append(
            f"{name:18} {result.accuracy[row]:8.4f} {-result.difference[row]:6.3f} {result.p_adjusted[row]:7.3f} "
            f"{result.changed.share[row]:8.3f} {result.lost.share[row]:6.3f} {result.won.share[row]:6.3f}"
        )
    return "\n".join(lines)


def bars(divergence: dict[str, float], searches: dict[str, Any]) -> bool:
    """Whether all bars that can be judged are met; each is printed."""
    met = []
    for text, wanted, judge in (
        ("LLM-FP4 / plain E2M1", ("llm_fp4", "e2m1_w4a4"), lambda one, two: one < two),
        ("GPTQ int3 / int3", ("gptq_int3", "int3"), lambda one, two: one <= two / 2),
    ):
        if set(wanted) <= divergence.keys():
            one, two = (divergence[key] for key in wanted)
            met.append(judge(one, two))
            print(f"{text}: {one:.4f} / {two:.4f} = {one / two:.2f}, {'met' if met[-1] else 'MISSED'}")
    for key, found in searches.items():
        if "uniform_kl" in found:
            met.append(found["kl"] < found["uniform_kl"] and found["average_bits"] == round(found["average_bits"]))
            ratio = found["kl"] / found["uniform_kl"]
            verdict = "met" if met[-1] else "MISSED"
            print(f"{key} / uniform, both by GPTQ: {ratio:.2f} at {found['average_bits']:.2f} bits, {verdict}")
    return all(met)


def speed_table(device: str, shape: str, keys: Sequence[str]) -> None:
    """Prefill and decode of a random model in each scheme."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU"
    print(f"random Llama of shape {shape} on {name}; prompt {PROMPT}, {WRITTEN} tokens written")
    print("scheme         batch  prefill tok/s  decode tok/s   peak GB   held GB")
    for key in keys:
        reason = unavailable(SCHEMES[key], device)
        if reason or SCHEMES[key].needs_calibration:
            print(f"{key:14} not here: {reason or 'it has to see texts, and this model has random weights.'}")
            continue
        try:
            module = random_model(shape, device, load_scheme(key).dtype_on(device))
            apply_scheme(key, module, seed=SEED)
        except EvaluationError as error:
            print(f"{key:14} not here: {error}")
            continue
        for batch in BATCHES:
            print(f"{key:14} {batch:5}  {speeds(module, device, batch)}  {bytes_held(module) / 1e9:8.2f}", flush=True)
        del module


def random_model(shape: str, device: str, dtype: torch.dtype) -> Any:
    """Weights of the usual size, made on the device; nothing is downloaded."""
    hidden, feed_forward, layers, heads, shared, vocabulary = SHAPES[shape]
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        vocab_size=vocabulary,
        max_position_embeddings=2 * (PROMPT + WRITTEN),
        dtype=dtype,
    )
    torch.manual_seed(SEED)
    with torch.device(device):
        module = LlamaForCausalLM(config).to(dtype)
    return module.eval().requires_grad_(requires_grad=False)


@torch.inference_mode()
def speeds(module: Any, device: str, batch: int) -> str:
    """Tokens a second, the second of two passes each, and the peak of the device's memory."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    ids = torch.randint(3, module.config.vocab_size, (batch, PROMPT), device=device)
    try:
        module(ids, use_cache=True, logits_to_keep=1)
        prefill, out = timed(lambda: module(ids, use_cache=True, logits_to_keep=1), device)
        decode, _ = timed(lambda: write(module, out), device)
    except torch.OutOfMemoryError:
        return "out of memory"
    peak = torch.cuda.max_memory_allocated(device) / 1e9 if device.startswith("cuda") else float("nan")
    return f"{batch * PROMPT / prefill:13.0f}  {batch * WRITTEN / decode:12.0f}  {peak:8.2f}"


def write(module: Any, out: Any) -> None:
    """Greedy tokens, one at a time, on the keys and values of the prompt."""
    for _ in range(WRITTEN):
        out = module(out.logits.argmax(dim=-1), past_key_values=out.past_key_values, use_cache=True)


def timed(call: Callable[[], Any], device: str = "cpu") -> tuple[float, Any]:
    """Wall seconds, the device's queue drained on both ends, and the result."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    began = time.perf_counter()
    found = call()
    wait()
    return time.perf_counter() - began, found


if __name__ == "__main__":
    sys.exit(main())
