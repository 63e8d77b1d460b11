"""Integers (and, on a GPU, 8-bit floats) by torchao: real storage and real kernels, one layer at a time.

torchao keeps the 4-, 3- and 2-bit weights of its Intx configurations as int8, so nominal bits are not memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens
from evaluation.schemes.record import Record, widths_divide

GROUP, PACKED_GROUP = 32, 128
SCALE_BITS = 16
FLOAT8_CAPABILITY = (8, 9)


def _int8() -> Any:
    from torchao.quantization import Int8WeightOnlyConfig

    return Int8WeightOnlyConfig()


def _int8_dynamic() -> Any:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig

    return Int8DynamicActivationInt8WeightConfig()


def _intx(bits: int) -> Any:
    from torchao.quantization import IntxWeightOnlyConfig
    from torchao.quantization.granularity import PerGroup

    return IntxWeightOnlyConfig(weight_dtype=getattr(torch, f"int{bits}"), granularity=PerGroup(GROUP))


def _w4a8() -> Any:
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig
    from torchao.quantization.granularity import PerGroup

    return Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int4, weight_granularity=PerGroup(GROUP))


def _int4_packed() -> Any:
    from torchao.quantization import Int4WeightOnlyConfig

    return Int4WeightOnlyConfig(group_size=PACKED_GROUP, int4_packing_format="tile_packed_to_4d")


def _fp8_dynamic() -> Any:
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow

    return Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())


def _apply(
    config: Callable[[], Any], bits: int, group: int, module: nn.Module, tokens: Tokens | None, record: Record
) -> None:
    """group: weights that share a scale; 0: a row."""
    from torchao.quantization import quantize_

    for name, layer in record.layers():
        before = layer.weight.detach().clone()
        quantize_(layer, config(), filter_fn=lambda *_: True)
        record.note(name, before, _as_multiplied(layer, before), bits + SCALE_BITS / (group or layer.in_features))
    if bits < 8 and group == GROUP:
        record.notes.append(f"torchao keeps these {bits}-bit weights as 8-bit integers: they take 8 bits in memory.")


def _as_multiplied(layer: nn.Linear, before: Tensor) -> Tensor:
    """The weight as a matrix; a packed one that cannot be unpacked is read off by multiplying it with unit vectors."""
    if type(layer.weight).dequantize is not torch.Tensor.dequantize:
        found: Tensor = layer.weight.dequantize()
        return found
    units = torch.eye(before.shape[1], dtype=before.dtype, device=before.device)
    return nn.functional.linear(units, layer.weight).T


def _divisible(group: int, module: nn.Module) -> str:
    return widths_divide(module, group, f"groups of {group}")


def _has_float8(module: nn.Module) -> str:
    if torch.cuda.is_available() and torch.cuda.get_device_capability() >= FLOAT8_CAPABILITY:
        return ""
    return "Multiplying 8-bit floats needs a GPU of compute capability 8.9 or higher (Ada, Hopper or newer)."


def _scheme(config: Callable[[], Any], bits: int, group: int = 0) -> Scheme:
    apply = partial(_apply, config, bits, group)
    return Scheme(torch.float32, apply, partial(_divisible, group or 1), gpu_dtype=torch.bfloat16)


int8 = _scheme(_int8, 8)
int8_dynamic = _scheme(_int8_dynamic, 8)
int4, int3, int2 = (_scheme(partial(_intx, bits), bits, GROUP) for bits in (4, 3, 2))
w4a8 = _scheme(_w4a8, 4, GROUP)
int4_packed = _scheme(_int4_packed, 4, PACKED_GROUP)
fp8_dynamic = Scheme(torch.bfloat16, partial(_apply, _fp8_dynamic, 8, 0), _has_float8)
