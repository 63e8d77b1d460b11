"""A checkpoint that its author has quantised: loaded as it is, with the bits that its configuration states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens
from evaluation.schemes.record import Matrix, Record

SCALE_BITS = 16
NAMES = ("weight_bits", "bits", "w_bit", "num_bits", "nbits")


def bits_of(config: Mapping[str, Any]) -> float | None:
    """Bits per weight that a quantization_config states, scales included where it says how many share one.

    None where it states none.
    """
    method = _method(config)
    if method == "bitsandbytes":
        block = 8 / 64 + 32 / 64 / 256 if config.get("bnb_4bit_use_double_quant") else 32 / 64
        return 8.0 if config.get("load_in_8bit") else 4 + block
    if method == "fp8":
        return 8.0
    if method == "mxfp4":
        return 4.25
    found = _stated(config)
    return None if found is None else found[0] + (SCALE_BITS / found[1] if found[1] > 0 else 0)


def _method(config: Mapping[str, Any]) -> str:
    """Its name; transformers turns some into members of an enumeration."""
    found = config.get("quant_method", "")
    return str(getattr(found, "value", found))


def _stated(config: Mapping[str, Any]) -> tuple[float, int] | None:
    """(bits, weights that share a scale or 0), also from the groups of compressed-tensors."""
    for name in NAMES:
        if isinstance(config.get(name), int):
            return float(config[name]), int(config.get("group_size") or 0)
    inner = config.get("weights") or next(iter((config.get("config_groups") or {}).values()), None)
    return _stated(inner) if isinstance(inner, Mapping) else None


def _config(module: Any) -> Mapping[str, Any]:
    found = getattr(module.config, "quantization_config", None) or {}
    return found if isinstance(found, Mapping) else found.to_dict()


def _check(module: nn.Module) -> str:
    return "" if _config(module) else "the checkpoint has no quantization_config; choose a scheme to quantise it with."


def _apply(module: nn.Module, tokens: Tokens | None, record: Record) -> None:
    config = _config(module)
    bits = bits_of(config)
    record.notes.append(f"Quantised by its author with {_method(config) or 'a method that it does not name'}.")
    if bits is None:
        record.notes.append("Its configuration does not state its bits; they are taken from the memory it holds.")
    for name, layer in record.layers():
        shape = (layer.out_features, layer.in_features)
        if _is_packed(layer):
            held = 8 * layer.weight.numel() * layer.weight.element_size() / (shape[0] * shape[1])
            record.matrices.append(Matrix(name, shape, held if bits is None else bits, None, changed=True))


def _is_packed(layer: nn.Linear) -> bool:
    """Whether a layer's weight is stored otherwise than as plain 16- or 32-bit numbers."""
    return type(layer) is not nn.Linear or hasattr(layer.weight, "__tensor_flatten__")


stored = Scheme(torch.bfloat16, _apply, _check, stored=True)
