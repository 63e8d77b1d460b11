"""What a checkpoint directory holds, read without torch: hashes and the header of its safetensors files.

The web registers entries with it and the worker checks them with it. Nothing is unpickled, no file outside of the
directory is opened, and a header that does not fit its file is a corrupt download.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evaluation.errors import ModelRefused

MAX_HEADER = 100_000_000  # bytes, as in the reference implementation of safetensors
MAX_JSON = 100_000_000  # bytes of a configuration or tokenizer file
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt",
)  # fmt: skip
_BITS = {"BOOL": 8, "F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16}
_BITS |= {"I16": 16, "U16": 16, "I8": 8, "U8": 8, "C64": 64, "F4": 4}


@dataclass(frozen=True, slots=True)
class Description:
    """What the files say. parameters: stored numbers (tied matrices once); bytes: of the weight files on disk.

    dtype: the most frequent type by number of parameters, as torch names it; context_length and vocabulary: 0 when
    the configuration does not say; quantization: method of a checkpoint that is quantised already, else "".
    """

    architecture: str
    model_type: str
    parameters: int
    bytes: int
    dtype: str
    files: tuple[str, ...]
    context_length: int
    vocabulary: int
    quantization: str


def describe(path: str | Path, *, inside: Path | None = None) -> Description:
    """Read configuration and weight headers. Raises ModelRefused with the reason and what to do.

    inside: folder that symbolic links may point into (a hub cache keeps its files beside the snapshot).
    """
    files = weight_files(path, inside=inside)
    config = read_json(path, "config.json", inside=inside)
    counts: Counter[str] = Counter()
    for file in files:
        counts.update(_count_parameters(file))
    architectures = config.get("architectures") or [""]
    return Description(
        architecture=str(architectures[0]),
        model_type=str(config.get("model_type", "")),
        parameters=counts.total(),
        bytes=sum(file.stat().st_size for file in files),
        dtype=_torch_name(counts.most_common(1)[0][0]) if counts else "",
        files=tuple(file.name for file in files),
        context_length=_first_number(config, ("max_position_embeddings", "n_positions", "n_ctx")),
        vocabulary=_first_number(config, ("vocab_size",)),
        quantization=str((config.get("quantization_config") or {}).get("quant_method", "")),
    )


def matrices(path: str | Path, *, inside: Path | None = None) -> frozenset[str]:
    """The layers whose weight is a matrix, as the weight headers name them. Raises ModelRefused."""
    headers = (_header(file)[0] for file in weight_files(path, inside=inside))
    return frozenset(
        name.removesuffix(".weight")
        for header in headers
        for name, tensor in header.items()
        if name.endswith(".weight") and len(tensor["shape"]) == 2
    )


def weights_hash(path: str | Path, *, inside: Path | None = None) -> str:
    """sha256 of what `sha256sum *.safetensors` prints in that directory. Unchanged files are read once a process."""
    lines = (f"{_file_hash(file)}  {file.name}\n" for file in weight_files(path, inside=inside))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def tokenizer_hash(path: str | Path, *, inside: Path | None = None) -> str:
    """sha256 over the tokenizer's files by name. Raises ModelRefused when there are none."""
    found = [file for name in TOKENIZER_FILES if (file := safe_file(path, name, inside=inside)) is not None]
    if not {file.name for file in found} & {"tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"}:
        raise ModelRefused(
            f"{_name(path)} has no tokenizer.",
            field="location",
            remedy="Put tokenizer.json and tokenizer_config.json beside the weights (`tokenizer.save_pretrained`).",
        )
    lines = (f"{_file_hash(file)}  {file.name}\n" for file in found)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def chat_template_hash(path: str | Path, *, inside: Path | None = None) -> str:
    """sha256 of the chat template, from its own file or the tokenizer's configuration; "" when there is none."""
    file = safe_file(path, "chat_template.jinja", inside=inside)
    if file is not None:
        return _file_hash(file)
    if safe_file(path, "tokenizer_config.json", inside=inside) is None:
        return ""
    template = read_json(path, "tokenizer_config.json", inside=inside).get("chat_template")
    if not template:
        return ""
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def weight_files(path: str | Path, *, inside: Path | None = None) -> list[Path]:
    """The safetensors files of a directory by name. Raises ModelRefused when there are none, or pickled ones only."""
    folder = Path(path)
    if not folder.is_dir():
        raise ModelRefused(f"There is no directory {folder}.", field="location", remedy="Check the path on the worker.")
    names = sorted(file.name for file in folder.iterdir() if file.suffix == ".safetensors")
    files = [file for name in names if (file := safe_file(folder, name, inside=inside)) is not None]
    if files:
        _check_shards(folder, set(names), inside)
        return files
    if any(file.suffix in PICKLED for file in folder.iterdir()):
        raise ModelRefused(
            f"{folder.name} holds pickled weights, and loading them would run code.",
            field="location",
            remedy="Convert them to safetensors (`model.save_pretrained(folder)` writes them so).",
        )
    raise ModelRefused(
        f"{folder.name} holds no weights.", field="location", remedy="Put model.safetensors into the directory."
    )


def safe_file(path: str | Path, name: str, *, inside: Path | None = None) -> Path | None:
    """A file of the directory, or None. Raises ModelRefused for a link that leaves the directory (or `inside`)."""
    file = Path(path) / name
    if not file.exists():
        return None
    real = file.resolve()
    roots = [Path(path).resolve(), *([inside.resolve()] if inside else [])]
    if not real.is_file() or not any(real.is_relative_to(root) for root in roots):
        raise ModelRefused(
            f"{name} in {_name(path)} points outside of its directory.", field="location", remedy="Copy the file there."
        )
    return file


def read_json(path: str | Path, name: str, *, inside: Path | None = None) -> dict[str, Any]:
    """One JSON object of the directory. Raises ModelRefused when it is missing or broken."""
    file = safe_file(path, name, inside=inside)
    if file is None:
        raise ModelRefused(f"{_name(path)} has no {name}.", field="location", remedy="Copy the whole checkpoint.")
    try:
        if file.stat().st_size > MAX_JSON:
            raise ValueError
        value = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelRefused(f"{name} in {_name(path)} is not a JSON object.", field="location", remedy="Copy it again.")
    return value


def _check_shards(folder: Path, present: set[str], inside: Path | None) -> None:
    if safe_file(folder, "model.safetensors.index.json", inside=inside) is None:
        return
    index = read_json(folder, "model.safetensors.index.json", inside=inside).get("weight_map")
    missing = set(index.values()) - present if isinstance(index, dict) else set()
    if missing:
        raise ModelRefused(
            f"{folder.name} lacks {len(missing)} of its weight files, {min(missing)} for one.",
            field="location",
            remedy="Copy or download the missing files.",
        )


def _count_parameters(file: Path) -> Counter[str]:
    """Numbers by stored type."""
    return _header(file)[1]


def _header(file: Path) -> tuple[dict[str, Any], Counter[str]]:
    """What a file says of its tensors, and their numbers by stored type.

    Layout: 8 bytes of length, JSON of {name: {dtype, shape, data_offsets}}, then data.
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER, size - 8):
                raise ValueError("its header is longer than the file")
            header = json.loads(stream.read(length))
        return header, _check_tensors(header, size - 8 - length)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else "its header cannot be read"
        raise ModelRefused(
            f"{file.name} is not a complete safetensors file: {reason}.",
            field="location",
            remedy="Copy or download it again.",
        ) from None


def _check_tensors(header: dict[str, Any], room: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    end = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        start, stop = tensor["data_offsets"]
        count = math.prod(tensor["shape"])
        bits = _BITS.get(tensor["dtype"], 8)
        if not 0 <= start <= stop or stop - start != count * bits // 8:
            raise ValueError(f"the tensor {name} does not fit its shape")
        counts[tensor["dtype"]] += count
        end = max(end, stop)
    if end != room:
        raise ValueError(f"it holds {room:,} bytes of data where its header names {end:,}")
    return counts


def _torch_name(dtype: str) -> str:
    names = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn"}
    return names.get(dtype, dtype.lower())


def _first_number(config: dict[str, Any], names: Iterable[str]) -> int:
    nested = config.get("text_config")
    for source in (nested if isinstance(nested, dict) else {}, config):
        for name in names:
            if type(source.get(name)) is int:
                return int(source[name])
    return 0


def _file_hash(file: Path) -> str:
    status = file.stat()
    return _hash_once(str(file), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash_once(file: str, size: int, modified: int) -> str:
    """size and modified are part of the key only: a file that changed is read again."""
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _name(path: str | Path) -> str:
    return Path(path).name or str(path)
