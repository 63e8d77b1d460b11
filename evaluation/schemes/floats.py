"""Floating-point formats on any hardware: weights, or weights and activations, become what the format would hold.

The numbers are exactly those of the format (see `minifloats`); they are kept and multiplied in float32, so memory and
speed are not the format's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from evaluation.schemes import minifloats
from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens
from evaluation.schemes.record import Record, widths_divide

Rounding = Callable[[Tensor], Tensor]  # (rows, width) -> the same shape


@dataclass(frozen=True, slots=True)
class Format:
    """block: weights that share a scale (0: a row). bits: of one number; scale_bits: of one scale.

    inputs: the rounding of activations, where it is another one than that of weights.
    """

    name: str
    weights: Rounding
    bits: int
    block: int
    scale_bits: int
    inputs: Rounding | None = None

    def bits_of(self, weight: Tensor) -> float:
        """Nominal bits per weight, scales included."""
        return self.bits + self.scale_bits / (self.block or weight.shape[1])


def round_inputs(rounding: Rounding, layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A hook before a linear layer: its first input (..., channels) becomes what the format would hold, row by row."""
    first = inputs[0]
    return (rounding(first.reshape(-1, first.shape[-1])).reshape(first.shape).to(first.dtype), *inputs[1:])


def _apply(kind: Format, activations: bool, module: nn.Module, tokens: Tokens | None, record: Record) -> None:
    for name, layer in record.layers():
        found = kind.weights(layer.weight)
        record.note(name, layer.weight, found, kind.bits_of(layer.weight))
        layer.weight.copy_(found)
        if activations:
            layer.register_forward_pre_hook(partial(round_inputs, kind.inputs or kind.weights))


def _check(kind: Format, module: nn.Module) -> str:
    return widths_divide(module, kind.block, kind.name) if kind.block else ""


def _scheme(kind: Format, *, activations: bool = False) -> Scheme:
    return Scheme(torch.float32, partial(_apply, kind, activations), partial(_check, kind))


FP8 = Format("FP8", minifloats.fp8, 8, 0, 32)
NVFP4 = Format("NVFP4", minifloats.nvfp4, 4, minifloats.NVFP4_BLOCK, 8, minifloats.nvfp4_by_row)
MXFP4 = Format("MXFP4", minifloats.mxfp4, 4, minifloats.MX_BLOCK, 8)
MXFP8 = Format("MXFP8", minifloats.mxfp8, 8, minifloats.MX_BLOCK, 8)
NF4 = Format("NF4", minifloats.nf4, 4, minifloats.NF4_BLOCK, 32)

fp8 = _scheme(FP8)
nvfp4, nvfp4_w4a4 = _scheme(NVFP4), _scheme(NVFP4, activations=True)
mxfp4, mxfp4_w4a4 = _scheme(MXFP4), _scheme(MXFP4, activations=True)
mxfp8, mxfp8_w8a8 = _scheme(MXFP8), _scheme(MXFP8, activations=True)
nf4_emulated = _scheme(NF4)
