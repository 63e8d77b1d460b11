"""The warm state of a worker: loaded models by how recently they were used, lm_eval's index, the environment."""

from __future__ import annotations

import copy
import platform
import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

import torch

from evaluation.errors import ModelRefused
from evaluation.inference import loading
from evaluation.inference.encoding import Encodings
from evaluation.inference.harness import Contender, LocalModel, NamedTasks
from evaluation.inference.loading import Files
from evaluation.records import Checkpoint, Endpoint, RunSpec
from evaluation.schemes import load_scheme

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
        self._models: OrderedDict[tuple[object, ...], tuple[LocalModel, int]] = OrderedDict()

    def model(self, spec: RunSpec, files: Files) -> LocalModel:
        """The loaded contender of a checkpoint, from memory where possible. Raises ModelRefused or OutOfMemory."""
        key = (files.identity, spec.scheme, spec.device)
        if key not in self._models:
            model, size = self._load(spec, files)
            self._models[key] = (model, size)
            self._forget(keep=key)
        self._models.move_to_end(key)
        model, _ = self._models[key]
        model.batch_size = spec.batch_size
        return model

    def find(self, checkpoint: Checkpoint) -> Files:
        """The checked files of a checkpoint. Raises ModelRefused."""
        if checkpoint.trust_remote_code and not self.allow_code:
            raise ModelRefused(
                f"{checkpoint.location} brings code of its own, and this worker runs none.",
                field="trust_remote_code",
                remedy="An owner may allow it on a worker that was started for it.",
            )
        return loading.find(checkpoint)

    def contender(self, spec: RunSpec, *, log_likelihoods: bool) -> tuple[Contender, dict[str, object]]:
        """What answers the requests of a run, and where it came from (hashes, sizes, types)."""
        if isinstance(spec.model, Endpoint):
            from evaluation.inference.endpoints import RemoteModel

            remote = RemoteModel(spec.model, seed=spec.seed, log_likelihoods=log_likelihoods)
            return remote, {"endpoint": spec.model.base_url, "model": spec.model.model, "style": spec.model.style}
        files = self.find(spec.model)
        model = self.model(spec, files)
        about = files.description
        return model, {
            "weights_hash": files.weights_hash,
            "tokenizer_hash": files.tokenizer_hash,
            "chat_template_hash": files.chat_template_hash,
            "architecture": about.architecture,
            "parameters": about.parameters,
            "stored_dtype": about.dtype,
            "dtype": str(model.lm.model.dtype).removeprefix("torch."),
            "bytes_in_memory": loading.memory(model.lm.model),
            "context_length": model.lm.max_length,
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

    def _load(self, spec: RunSpec, files: Files) -> tuple[LocalModel, int]:
        scheme = load_scheme(spec.scheme)
        trust = isinstance(spec.model, Checkpoint) and spec.model.trust_remote_code
        loaded = loading.load(files, device=spec.device, dtype=scheme.dtype, trust_remote_code=trust)
        self.loads += 1
        module = loaded.module
        if scheme.in_place:
            module = copy.deepcopy(module)
            with loading.out_of_memory(spec.device):
                scheme.apply(module)
            module.tie_weights = lambda *_, **__: None  # lm_eval would tie a changed output layer to the old embedding
        if files.tokenizer_hash not in self._encodings:
            self._encodings = {files.tokenizer_hash: Encodings()}  # of one tokenizer at a time
        return LocalModel(module, loaded.tokenizer, self._encodings[files.tokenizer_hash]), loading.memory(module)

    def _forget(self, *, keep: tuple[object, ...]) -> None:
        """Drop the models used longest ago until the rest fits."""
        while sum(size for _, size in self._models.values()) > self.memory and len(self._models) > 1:
            oldest = next(key for key in self._models if key != keep)
            del self._models[oldest]
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
