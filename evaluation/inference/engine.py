"""The warm state of a worker: loaded models by how recently they were used, lm_eval's index, the environment."""

from __future__ import annotations

import copy
import gc
import platform
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, NamedTuple

import torch

from evaluation.errors import ModelRefused
from evaluation.inference import loading
from evaluation.inference.encoding import Encodings
from evaluation.inference.harness import Contender, LocalModel, NamedTasks
from evaluation.inference.loading import Files
from evaluation.records import Checkpoint, Endpoint, RunSpec
from evaluation.schemes import REFERENCE, SCHEMES, load_scheme, unavailable
from evaluation.schemes.applying import apply_scheme, refuse_without_calibration, refuse_without_map
from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens, tokenise
from evaluation.schemes.measuring import bytes_held
from evaluation.schemes.record import News
from evaluation.schemes.report import SchemeReport

PACKAGES = (
    "torch",
    "transformers",
    "lm_eval",
    "tokenizers",
    "safetensors",
    "numpy",
    "datasets",
    "torchao",
    "bitsandbytes",
)
LONGEST = 512  # tokens of a calibration row where the configuration states no context length


class Warm(NamedTuple):
    """A loaded contender, the bytes that it holds, and what its scheme did to it.

    load_seconds: reading its checkpoint, also where that was done for another scheme; apply_seconds: the scheme.
    """

    model: LocalModel
    bytes: int
    report: SchemeReport
    load_seconds: float
    apply_seconds: float


def _no_news(news: Mapping[str, Any]) -> None:
    """Nobody watches the search."""


class Engine:
    """One per worker process; runs take turns (`lock`).

    memory: bytes of weights to keep loaded; the model of the present run is kept in any case.
    allow_code: whether this worker may run code of benchmarks and checkpoints. Only for workers started for that.
    """

    def __init__(self, *, memory: int = 4 << 30, allow_code: bool = False) -> None:
        self.memory, self.allow_code = memory, allow_code
        self.lock = threading.Lock()
        self.named_tasks = NamedTasks(allow_code=allow_code)
        self.loads = 0  # models read from disk since the start
        self._encodings: dict[str, Encodings] = {}
        self._models: OrderedDict[tuple[object, ...], Warm] = OrderedDict()

    def model(self, spec: RunSpec, files: Files, tell: News = _no_news) -> Warm:
        """The loaded contender of a checkpoint, from memory where possible. Raises ModelRefused or OutOfMemory.

        tell: takes news of a scheme that searches, and may raise to stop it.
        """
        load_scheme(spec.scheme)
        key = _key(spec, files)
        if key not in self._models:
            self._models[key] = self._load(spec, files, tell)
            self._forget(keep=key)
        self._models.move_to_end(key)
        warm = self._models[key]
        warm.model.batch_size = spec.batch_size
        return warm

    def holds(self, spec: RunSpec) -> bool:
        """Whether the contender of a checkpoint is in memory."""
        return isinstance(spec.model, Checkpoint) and _key(spec, self.find(spec.model)) in self._models

    def find(self, checkpoint: Checkpoint) -> Files:
        """The checked files of a checkpoint. Raises ModelRefused."""
        if checkpoint.trust_remote_code and not self.allow_code:
            raise ModelRefused(
                f"{checkpoint.location} brings code of its own, and this worker runs none.",
                field="trust_remote_code",
                remedy="An owner may allow it on a worker that was started for it.",
            )
        return loading.find(checkpoint)

    def contender(
        self, spec: RunSpec, *, log_likelihoods: bool, tell: News = _no_news
    ) -> tuple[Contender, dict[str, object]]:
        """What answers the requests of a run, and where it came from (hashes, sizes, types, what its scheme did)."""
        if isinstance(spec.model, Endpoint):
            from evaluation.inference.endpoints import RemoteModel

            remote = RemoteModel(spec.model, seed=spec.seed, log_likelihoods=log_likelihoods)
            return remote, {"endpoint": spec.model.base_url, "model": spec.model.model, "style": spec.model.style}
        files = self.find(spec.model)
        warm = self.model(spec, files, tell)
        model = warm.model
        about = files.description
        return model, {
            "weights_hash": files.weights_hash,
            "tokenizer_hash": files.tokenizer_hash,
            "chat_template_hash": files.chat_template_hash,
            "architecture": about.architecture,
            "parameters": about.parameters,
            "stored_dtype": about.dtype,
            "dtype": str(model.lm.model.dtype).removeprefix("torch."),
            "bytes_in_memory": warm.bytes,
            "context_length": model.lm.max_length,
            "scheme_report": warm.report.to_dict(),
        }

    @cached_property
    def _environment(self) -> Mapping[str, str]:
        found = {"python": platform.python_version(), "system": platform.platform(), "processor": platform.machine()}
        for package in PACKAGES:
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                continue
        found["threads"] = str(torch.get_num_threads())
        if torch.cuda.is_available():
            found["gpu"] = torch.cuda.get_device_name()
            found["cuda"] = str(torch.version.cuda)
        return MappingProxyType(found)

    def environment(self) -> Mapping[str, str]:
        """Versions of what the numbers depend on, and the hardware; recorded once."""
        return self._environment

    def _load(self, spec: RunSpec, files: Files, tell: News) -> Warm:
        """Read, change and measure. Outside of inference mode: some schemes learn, and others copy what it made."""
        _refuse_unfit(spec)
        scheme = load_scheme(spec.scheme)
        with torch.inference_mode(mode=False), loading.out_of_memory(spec.device):
            module, tokenizer, load_seconds = self._base(spec, files, scheme)
            began = time.perf_counter()
            report = apply_scheme(
                spec.scheme,
                module,
                tokens=_tokens(spec, files, tokenizer),
                bits=spec.bits,
                seed=spec.seed,
                bytes_on_disk=files.description.bytes,
                tell=tell,
            )
            apply_seconds = time.perf_counter() - began
        if files.tokenizer_hash not in self._encodings:
            self._encodings = {files.tokenizer_hash: Encodings()}  # of one tokenizer at a time
        model = LocalModel(module, tokenizer, self._encodings[files.tokenizer_hash])
        return Warm(model, bytes_held(module), report, load_seconds, apply_seconds)

    def _base(self, spec: RunSpec, files: Files, scheme: Scheme) -> tuple[Any, Any, float]:
        """The unchanged module, its tokenizer and the seconds of reading them: a copy of a warm reference of the same
        type, else from disk."""
        dtype = scheme.dtype_on(spec.device)
        if scheme.in_place:
            for key, warm in self._models.items():
                if key[0] == files.identity and key[2] == spec.device and load_scheme(str(key[1])).is_plain(dtype):
                    return copy.deepcopy(warm.model.lm.model), warm.model.lm.tokenizer, warm.load_seconds
        trust = isinstance(spec.model, Checkpoint) and spec.model.trust_remote_code
        self.loads += 1
        began = time.perf_counter()
        loaded = loading.load(files, device=spec.device, dtype=dtype, trust_remote_code=trust)
        return loaded.module, loaded.tokenizer, time.perf_counter() - began

    def _forget(self, *, keep: tuple[object, ...]) -> None:
        """Drop the models used longest ago until the rest fits."""
        while sum(warm.bytes for warm in self._models.values()) > self.memory and len(self._models) > 1:
            oldest = next(key for key in self._models if key != keep)
            del self._models[oldest]
            gc.collect()  # modules and their hooks hold each other
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _key(spec: RunSpec, files: Files) -> tuple[object, ...]:
    """What a loaded contender depends on; seed, calibration set and map only where the scheme uses them."""
    info = SCHEMES[spec.scheme]
    calibration = spec.calibration.hash if spec.calibration and info.needs_calibration else ""
    seed = None if info.family == REFERENCE else spec.seed
    bits = spec.bits.hash if spec.bits and info.needs_map else ""
    return (files.identity, spec.scheme, spec.device, seed, calibration, bits)


def _refuse_unfit(spec: RunSpec) -> None:
    """Raises ModelRefused where this worker, or this run, cannot do the scheme: before anything is loaded."""
    reason = unavailable(SCHEMES[spec.scheme], spec.device)
    if reason:
        raise ModelRefused(
            f"This worker cannot do the scheme {spec.scheme}. {reason}",
            field="scheme",
            remedy="Send the run to another worker, or install what is missing.",
        )
    refuse_without_calibration(spec.scheme, given=spec.calibration is not None)
    refuse_without_map(spec.scheme, given=spec.bits is not None)


def _tokens(spec: RunSpec, files: Files, tokenizer: Any) -> Tokens | None:
    if spec.calibration is None or not SCHEMES[spec.scheme].needs_calibration:
        return None
    return tokenise(spec.calibration, tokenizer, longest=files.description.context_length or LONGEST)
