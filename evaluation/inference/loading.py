"""A pinned checkpoint becomes a module on a device. Safetensors only; no code of the checkpoint's author runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download

from evaluation import checkpoints
from evaluation.checkpoints import Description
from evaluation.errors import ModelRefused, OutOfMemory
from evaluation.records import Checkpoint
from evaluation.schemes.measuring import bytes_held

FILES = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model", "vocab.txt", "merges.txt")

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


@dataclass(frozen=True, slots=True)
class Files:
    """A checkpoint on this worker's disk, checked. inside: folder that links may point into, for hub caches."""

    path: Path
    inside: Path | None
    description: Description
    weights_hash: str
    tokenizer_hash: str
    chat_template_hash: str

    @property
    def identity(self) -> tuple[str, ...]:
        """Changes whenever anything changes that the numbers depend on."""
        config = (self.path / "config.json").read_text(encoding="utf-8")
        return (str(self.path), self.weights_hash, self.tokenizer_hash, self.chat_template_hash, config)


@dataclass(slots=True)
class Loaded:
    """A module in evaluation mode on its device, and its tokenizer. bytes: of parameters and buffers in memory."""

    module: Any
    tokenizer: Any
    files: Files
    bytes: int


def find(checkpoint: Checkpoint) -> Files:
    """The files of a checkpoint, downloaded if need be, with their hashes. Raises ModelRefused."""
    path, inside = _download(checkpoint) if checkpoint.revision else (Path(checkpoint.location), None)
    if not checkpoint.revision and not path.is_absolute():
        raise ModelRefused(
            f"{checkpoint.location} is neither an absolute path nor a hub repository at a revision.",
            field="revision",
            remedy="Give the 40 characters of a commit, or an absolute path on the worker.",
        )
    files = Files(
        path,
        inside,
        checkpoints.describe(path, inside=inside),
        checkpoints.weights_hash(path, inside=inside),
        checkpoints.tokenizer_hash(path, inside=inside),
        checkpoints.chat_template_hash(path, inside=inside),
    )
    if checkpoint.weights_hash and checkpoint.weights_hash != files.weights_hash:
        raise ModelRefused(
            f"The weights in {checkpoint.location} are not the registered ones (sha256 {files.weights_hash[:12]}…, "
            f"registered {checkpoint.weights_hash[:12]}…).",
            field="weights_hash",
            remedy="Restore the files, or register a new version of the entry.",
        )
    return files


def load(files: Files, *, device: str, dtype: torch.dtype, trust_remote_code: bool = False) -> Loaded:
    """Weights in `dtype` on `device`, with the tokenizer. Raises ModelRefused or OutOfMemory."""
    options = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    target = _device(device)
    with _refusals(files.path.name):
        config = transformers.AutoConfig.from_pretrained(files.path, **options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.path, **options)
        module, report = transformers.AutoModelForCausalLM.from_pretrained(
            files.path, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
        )
    _check_complete(files.path.name, report)
    _check_vocabulary(files.path.name, module, tokenizer)
    with out_of_memory(device):
        module.to(target).eval().requires_grad_(requires_grad=False)
    return Loaded(module, tokenizer, files, bytes_held(module))


@contextmanager
def out_of_memory(device: str) -> Iterator[None]:
    """Turn torch's error into ours, and give the memory back."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        message = str(error)
    except RuntimeError as error:
        message = str(error)
        if "out of memory" not in message and "can't allocate memory" not in message:
            raise
    else:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise OutOfMemory(
        f"The device {device} ran out of memory ({message.partition('.')[0][:200]}).",
        remedy="Try a smaller batch size, a smaller scheme or a larger device.",
    )


def _download(checkpoint: Checkpoint) -> tuple[Path, Path]:
    """The snapshot of a hub repository, and the folder of the cache that its links point into."""
    if not re.fullmatch(r"[0-9a-f]{40}", checkpoint.revision):
        raise ModelRefused(
            f"{checkpoint.revision!r} is not a commit: branches and tags move.",
            field="revision",
            remedy="Give the 40 characters of a commit.",
        )
    try:
        found = snapshot_download(checkpoint.location, revision=checkpoint.revision, allow_patterns=list(FILES))
    except Exception as error:  # the hub raises a dozen kinds; all mean that the files cannot be had
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
        raise ModelRefused(
            f"{checkpoint.location} at {checkpoint.revision[:8]} cannot be had ({type(error).__name__})"
            + (": this worker is offline and does not have it in its cache." if offline else "."),
            field="location",
            remedy="Check name, commit and access, or download it into the worker's cache (HF_HOME).",
        ) from error
    path = Path(found)
    return path, path.parent.parent


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelRefused(f"{name!r} is not a device.", field="device", remedy="Use cpu, cuda or cuda:0.") from error
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise ModelRefused(
            f"This worker has no device {name}.", field="device", remedy="Send the run to another queue."
        )
    return device


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """transformers raises many kinds; whatever it is, the author needs to know that this checkpoint does not load."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelRefused(
            f"{name} does not load ({type(error).__name__}: {reason}).",
            field="location",
            remedy="Use an architecture that this worker's transformers knows, without code of its own.",
        ) from error
    except Exception as error:  # SafetensorError and what extensions raise
        raise ModelRefused(
            f"{name} does not load: {str(error)[:300]}.", field="location", remedy="Copy or download it again."
        ) from error


def _check_complete(name: str, report: dict[str, Any]) -> None:
    """Weights that are missing would be drawn at random, and the run would measure noise."""
    for kind in ("missing_keys", "mismatched_keys"):
        keys = sorted(map(str, report.get(kind) or ()))
        if keys:
            raise ModelRefused(
                f"{name} lacks {len(keys)} weights or has them in another shape, such as {keys[0]}.",
                field="location",
                remedy="Copy the whole checkpoint; config.json and weights must belong together.",
            )


def _check_vocabulary(name: str, module: Any, tokenizer: Any) -> None:
    rows = module.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ModelRefused(
            f"The tokenizer of {name} knows {len(tokenizer)} tokens and the weights {rows}.",
            field="location",
            remedy="Use the tokenizer that the weights were trained with.",
        )
