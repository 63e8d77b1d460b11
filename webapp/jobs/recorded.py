"""What a run was asked with and what its worker recorded, in words for its page; REST keeps the names of the fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webapp.jobs.models import Run

Told = list[tuple[str, str]]
NAMES = {
    "attempts": "Attempts per sample",
    "batch_size": "Batch size",
    "bitsandbytes": "bitsandbytes",
    "bytes_in_memory": "Bytes in memory",
    "calibration": "Calibration set",
    "chat_template_hash": "Chat template’s SHA-256",
    "chat_template_sha": "Chat template’s SHA-256",
    "context_length": "Context length, tokens",
    "created": "Made on",
    "cuda": "CUDA",
    "date": "Made on",
    "dtype": "Type of the weights when loaded",
    "eval_id": "Number at its origin",
    "evaluation": "Hash of the evaluating code",
    "git_hash": "Commit of the harness",
    "gpu": "GPU",
    "inspect_ai": "Inspect",
    "joules": "Energy, J",
    "limit": "Samples per benchmark",
    "lm_eval": "lm-evaluation-harness",
    "num_fewshot": "Examples in the prompt",
    "peak_memory_bytes": "Most memory, bytes",
    "repeat": "Number of the repetition",
    "pid": "Process number",
    "results_file": "Results file",
    "samples_without_score": "Samples without a score",
    "sha256": "File’s SHA-256",
    "stored_dtype": "Type of the weights as stored",
    "style": "Style of the endpoint",
    "system_instruction_sha": "System instruction’s SHA-256",
    "task_version": "Version of the task",
    "tokenizer_hash": "Tokeniser’s SHA-256",
    "torch": "PyTorch",
    "torchao": "torchao",
    "weights_hash": "Weights’ SHA-256",
}
# Drawn by themselves, or elsewhere on the page.
DRAWN = frozenset({"efficiency", "scheme_report", "search", "settings", "imported", "file", "same_as"})


def spelled(name: str) -> str:
    """For people; a name that is not known here at least loses its underscores."""
    return NAMES.get(name) or f"{name[:1].upper()}{name[1:]}".replace("_", " ")


def asked_with(run: Run) -> Told:
    """The settings of a run. What a file does not state is not known."""
    return [(spelled(name), _setting(run, name, value)) for name, value in run.settings.items()]


def _setting(run: Run, name: str, value: Any) -> str:
    if name == "bits":
        return "a map of bits per layer"
    if name == "limit" and run.subset is not None:
        return f"{len(run.subset):,} chosen ones"
    if value is None:
        return "all" if name == "limit" or run.origin == Run.Origin.HERE else "not stated"
    return str(value)


def recorded(provenance: Mapping[str, Any]) -> Told:
    """Everything else that is known of how the numbers were made; what is empty or not known is left out."""
    return list(_told({name: value for name, value in provenance.items() if name not in DRAWN}))


def _told(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if name == "environment":
            yield from _told(value)
        elif name == "software_by_attempt":
            for attempt, versions in value.items():
                yield from _told(versions, f"Attempt {attempt}: ")
        elif value not in (None, ""):
            yield before + spelled(name), f"{value:,}" if type(value) is int and name != "seed" else str(value)
