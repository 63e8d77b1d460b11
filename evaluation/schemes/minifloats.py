"""Small number formats, exactly: what a tensor becomes when it is stored in one and read back, in plain torch.

E2M1 holds 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; ties go to the even mantissa. NVFP4 and MXFP4/MXFP8 equal
torchao's tensors bit for bit, NF4 bitsandbytes'; a test compares them. Every function takes finite (rows, width)
tensors, with a width that the block divides, and returns float32 of the same shape.
Sources: OCP Microscaling Formats (MX) v1.0; Pretraining Large Language Models with NVFP4, arXiv 2509.25149; QLoRA,
arXiv 2305.14314.
"""

from __future__ import annotations

import torch
from torch import Tensor

E2M1_MAX, E2M1_EXPONENT = 6.0, 2
E4M3_MAX, E4M3_EXPONENT, E4M3_SMALLEST = 448.0, 8, 2.0**-6  # the smallest normal number
NVFP4_BLOCK, MX_BLOCK, NF4_BLOCK = 16, 32, 64
BIAS, MANTISSA = 127, 23  # of float32
SMALLEST_NORMAL = 2.0**-126
TINY = 2.0**-80  # below it a scale's reciprocal leaves float32

# Quantiles of the normal distribution, eight below and eight above 0 and 0 itself, scaled to -1..1.
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip


def e2m1(values: Tensor) -> Tensor:
    """The nearest E2M1 number, saturating."""
    size = values.abs().clamp(max=E2M1_MAX)
    step = torch.where(size < 2, 0.5, torch.where(size < 4, 1.0, 2.0))
    return torch.copysign(torch.round(size / step) * step, values)


def e4m3(values: Tensor) -> Tensor:
    """The nearest E4M3 number, saturating."""
    return values.clamp(-E4M3_MAX, E4M3_MAX).to(torch.float8_e4m3fn).float()


def fp8(values: Tensor) -> Tensor:
    """E4M3 with one float32 scale a row."""
    values = values.float()
    scale = values.abs().amax(dim=-1, keepdim=True).clamp_min(TINY) / E4M3_MAX
    return e4m3(values / scale) * scale


def nvfp4(values: Tensor, *, by_row: bool = False) -> Tensor:
    """E2M1 in blocks of 16 with an E4M3 scale each, under one float32 scale of the tensor, or of each row.

    By row is meant for activations: what a token becomes must not depend on what else is in its batch.
    """
    blocks = _blocks(values, NVFP4_BLOCK)
    largest = blocks.abs().amax(dim=(1, 2) if by_row else None, keepdim=True)
    outer = largest.clamp_min(TINY) / (E4M3_MAX * E2M1_MAX)
    inner = blocks.abs().amax(dim=-1, keepdim=True) / E2M1_MAX / outer
    scale = inner.clamp(E4M3_SMALLEST, E4M3_MAX).to(torch.float8_e4m3fn).float()
    found = e2m1(blocks * ((1.0 / outer) / scale)) * (outer * scale)
    return found.reshape(values.shape)


def nvfp4_by_row(values: Tensor) -> Tensor:
    """See `nvfp4`."""
    return nvfp4(values, by_row=True)


def mxfp4(values: Tensor) -> Tensor:
    """E2M1 in blocks of 32 with a power of two each (E8M0), taken from the largest number by rounding down."""
    blocks = _blocks(values, MX_BLOCK)
    divisor, factor = _shared_powers(blocks, E2M1_EXPONENT)
    return (e2m1(blocks / divisor) * factor).reshape(values.shape)


def mxfp8(values: Tensor) -> Tensor:
    """E4M3 in blocks of 32 with a power of two each (E8M0)."""
    blocks = _blocks(values, MX_BLOCK)
    divisor, factor = _shared_powers(blocks, E4M3_EXPONENT)
    return (e4m3(blocks / divisor) * factor).reshape(values.shape)


def nf4(values: Tensor) -> Tensor:
    """NormalFloat in blocks of 64 with a float32 scale each."""
    blocks = _blocks(values, NF4_BLOCK)
    scale = blocks.abs().amax(dim=-1, keepdim=True)
    scaled = (blocks * (1.0 / scale.clamp_min(1e-38))).clamp(-1, 1)
    levels = torch.tensor(NF4, device=values.device)
    codes = torch.bucketize(scaled, (levels[:-1] + levels[1:]) / 2)
    return (levels[codes] * scale).reshape(values.shape)


def minifloat(values: Tensor, exponent_bits: int, mantissa_bits: int, bias: Tensor) -> Tensor:
    """The nearest number of a format with a sign, subnormals and a bias that need not be whole, saturating.

    bias: broadcasts with the values. Largest number: (2 - 2^-m) 2^(2^e - 1 - bias); every code is a number.
    """
    largest = (2 - 2.0**-mantissa_bits) * torch.exp2(2**exponent_bits - 1 - bias)
    clipped = torch.minimum(torch.maximum(values, -largest), largest)
    power = torch.floor(torch.log2(clipped.abs().clamp_min(SMALLEST_NORMAL)) + bias).clamp_min(1.0)
    step = torch.exp2(power - mantissa_bits - bias)
    return torch.round(clipped / step) * step


def bias_for(largest: Tensor, exponent_bits: int, mantissa_bits: int) -> Tensor:
    """The bias with which `largest` is the largest number of the format: how LLM-FP4 writes a clipping range."""
    return 2**exponent_bits - 1 - torch.log2(largest / (2 - 2.0**-mantissa_bits))


def _blocks(values: Tensor, size: int) -> Tensor:
    """(rows, blocks, size) in float32."""
    return values.float().reshape(len(values), -1, size)


def _shared_powers(blocks: Tensor, exponent: int) -> tuple[Tensor, Tensor]:
    """What each block is divided by and multiplied with: the power of two below its largest number, less `exponent`.

    They differ for blocks of subnormal numbers only: 2^-127 is a scale, but torchao divides by 2^-126 at least.
    """
    largest = blocks.abs().amax(dim=-1, keepdim=True)
    found = (largest.view(torch.int32) >> MANTISSA) - BIAS
    stored = (found - exponent).clamp(-BIAS, BIAS + 1) + BIAS
    power = (stored << MANTISSA).view(torch.float32)
    return power.clamp_min(SMALLEST_NORMAL), torch.where(stored == 0, SMALLEST_NORMAL / 2, power)
