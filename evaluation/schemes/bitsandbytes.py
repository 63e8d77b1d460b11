"""NormalFloat (QLoRA, arXiv 2305.14314) and LLM.int8 (arXiv 2208.07339) by bitsandbytes: real storage and kernels.

On processors with AVX-512 for bfloat16, bitsandbytes repacks 4-bit layers on first use: scales and products are then
bfloat16, so that numbers differ a little between kinds of processors.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from evaluation.errors import ModelRefused
from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens
from evaluation.schemes.record import Record, linear_layers, replace_layer, widths_divide

BLOCK = 64
CPU_ROWS = 32  # of outputs that its kernel multiplies together
OUTLIER = 6.0  # inputs larger than it are multiplied in 16 bits
DOUBLE_BLOCK = 256  # scales that share a scale


def _apply_nf4(double: bool, module: nn.Module, tokens: Tokens | None, record: Record) -> None:
    import bitsandbytes as bnb

    for name, layer in list(record.layers()):
        if reason := _rows_misfit(name, layer):
            raise ModelRefused(reason, field="scheme")
        weight, device = layer.weight.detach(), layer.weight.device
        found = bnb.nn.Linear4bit(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            compute_dtype=weight.dtype,
            compress_statistics=double,
            quant_type="nf4",
            device="meta",
        )
        found.weight = bnb.nn.Params4bit(
            weight.cpu().clone(), requires_grad=False, quant_type="nf4", compress_statistics=double, blocksize=BLOCK
        )
        _take_over(found, layer, device)
        after = bnb.functional.dequantize_4bit(found.weight.data, found.weight.quant_state)
        record.note(name, weight, after, 4 + (8 + 32 / DOUBLE_BLOCK if double else 32) / BLOCK)
        replace_layer(module, name, found)


def _apply_int8(module: nn.Module, tokens: Tokens | None, record: Record) -> None:
    import bitsandbytes as bnb

    for name, layer in list(record.layers()):
        weight, device = layer.weight.detach(), layer.weight.device
        found = bnb.nn.Linear8bitLt(
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            has_fp16_weights=False,
            threshold=OUTLIER,
            device="meta",
        )
        found.weight = bnb.nn.Int8Params(weight.cpu().clone(), requires_grad=False, has_fp16_weights=False)
        _take_over(found, layer, device)
        after: Tensor = found.weight.data.float() * found.weight.SCB.float()[:, None] / 127
        record.note(name, weight, after, 8 + 32 / layer.in_features)
        replace_layer(module, name, found)


def _take_over(found: nn.Module, layer: nn.Linear, device: torch.device) -> None:
    """The bias and the place of the old layer; moving to its device is what quantises the weight."""
    found.bias = layer.bias
    found.to(device).eval()


def _rows_misfit(name: str, layer: nn.Linear) -> str:
    if layer.weight.device.type != "cpu" or layer.out_features % CPU_ROWS == 0:
        return ""
    return f"{name} has {layer.out_features} outputs, which is no multiple of {CPU_ROWS}: its CPU kernel needs that."


def _check(module: nn.Module) -> str:
    rows = (_rows_misfit(name, layer) for name, layer in linear_layers(module))
    return widths_divide(module, BLOCK, "bitsandbytes") or next(filter(None, rows), "")


nf4 = Scheme(torch.float32, partial(_apply_nf4, False), _check, gpu_dtype=torch.bfloat16)
nf4_double = Scheme(torch.float32, partial(_apply_nf4, True), _check, gpu_dtype=torch.bfloat16)
llm_int8 = Scheme(torch.float16, _apply_int8)
