"""LLM-FP4 (Liu et al., EMNLP 2023, arXiv 2310.16836): 4-bit floats whose format and range are searched, layer by layer.

Weights: the exponent bits of the matrix and the clipping range of each output channel that disturb the layer's output
least, as second moments of its inputs weigh it. Activations: one format and range for the tensor. Channels of very
different size are first brought closer by powers of two, which move from the activations into the weights' exponents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens, batches, watched
from evaluation.schemes.floats import round_inputs
from evaluation.schemes.grids import by_block
from evaluation.schemes.minifloats import bias_for, minifloat
from evaluation.schemes.record import Record

FORMATS = ((3, 0), (2, 1), (1, 2))  # exponent and mantissa bits beside the sign
LARGEST_SHIFT = 3  # binary places that a channel may be moved by
KEPT = 1024  # tokens whose layer outputs judge the activations' format
SCALE_BITS = 16
SMALLEST = 1e-8

Format = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Search:
    """formats: that may be chosen. ratios: clipping ranges as shares of the largest number, tried for each channel.

    fine: distances from the best of them, tried after it. shift: whether channels are moved by powers of two.
    """

    formats: Sequence[Format]
    ratios: Sequence[float]
    fine: Sequence[float]
    shift: bool
    activations: bool


@dataclass(frozen=True, eq=False, slots=True)
class Inputs:
    """What a layer has seen: moments, mean of x x^T; largest, (channels,) absolute values; kept, (tokens, channels)."""

    moments: Tensor
    largest: Tensor
    kept: Tensor


def fit_weight(weight: Tensor, moments: Tensor, search: Search) -> tuple[Tensor, Format]:
    """The weight (rows, width) in the best format, and that format. moments: (width, width)."""
    tried = [(*_fit_ranges(weight, moments, form, search), form) for form in search.formats]
    found, _, form = min(tried, key=lambda one: float(one[1].sum()))
    return found, form


def _fit_ranges(weight: Tensor, moments: Tensor, form: Format, search: Search) -> tuple[Tensor, Tensor]:
    """The best clipping range of each row in one format: the weight (rows, width), and each row's error."""
    largest = weight.abs().amax(dim=1, keepdim=True).clamp_min(SMALLEST)
    found, errors = weight.clone(), torch.full_like(largest[:, 0], torch.inf)
    best = torch.ones_like(largest)

    def attempt(ratio: Tensor) -> None:
        candidate = minifloat(weight, *form, bias_for(largest * ratio, *form))
        apart = candidate - weight
        error = ((apart @ moments) * apart).sum(dim=1)
        better = error < errors
        errors[better], found[better], best[better] = error[better], candidate[better], ratio[better]

    for ratio in search.ratios:
        attempt(torch.full_like(largest, ratio))
    centre = best.clone()
    for distance in search.fine:
        attempt((centre + distance).clamp_min(min(search.ratios)))
    return found, errors


def fit_inputs(inputs: Tensor, weight: Tensor, rounded: Tensor, search: Search) -> tuple[Format, Tensor]:
    """Format and bias for the whole tensor of inputs (tokens, width), by the error of the layer's output."""
    wanted = inputs @ weight.T
    largest = inputs.abs().amax().clamp_min(SMALLEST)
    tried = [(form, bias_for(largest * ratio, *form)) for form in search.formats for ratio in search.ratios]

    def error(form: Format, bias: Tensor) -> float:
        return float((minifloat(inputs, *form, bias) @ rounded.T - wanted).square().sum())

    return min(tried, key=lambda one: error(*one))


def shifts(largest: Tensor, *, wanted: bool) -> Tensor:
    """(channels,) powers of two that bring channels' largest values towards their median."""
    if not wanted:
        return torch.ones_like(largest)
    apart = torch.log2(largest.clamp_min(SMALLEST) / largest.median().clamp_min(SMALLEST))
    return torch.exp2(-torch.round(apart).clamp(-LARGEST_SHIFT, LARGEST_SHIFT))


def _round_shifted(form: Format, bias: Tensor, shift: Tensor, values: Tensor) -> Tensor:
    """Activations (tokens, channels) in the shifted format, in their own scale again: exact, shifts are powers of 2."""
    return minifloat(values.float() * shift, *form, bias) / shift


def _seen(module: nn.Module, layers: Sequence[nn.Linear], tokens: Tokens) -> list[Inputs]:
    """What each layer sees on the calibration set."""
    widths = [(layer.in_features, layer.weight.device) for layer in layers]
    moments = [torch.zeros(width, width, device=device) for width, device in widths]
    largest = [torch.zeros(width, device=device) for width, device in widths]
    kept: list[list[Tensor]] = [[] for _ in layers]
    counts = [0] * len(layers)

    def see(number: int, inputs: Tensor) -> None:
        moments[number] += inputs.T @ inputs
        largest[number] = torch.maximum(largest[number], inputs.abs().amax(dim=0))
        if counts[number] < KEPT:
            kept[number].append(inputs[: KEPT - counts[number]].clone())
        counts[number] += len(inputs)

    with watched(layers, see):
        for batch in batches(tokens, module):
            module(batch)
    return [
        Inputs(moment / count, most, torch.cat(parts))
        if count
        else Inputs(torch.eye(width, device=device), torch.ones(width, device=device), torch.eye(width, device=device))
        for moment, most, parts, count, (width, device) in zip(moments, largest, kept, counts, widths, strict=True)
    ]


def _fit_layer(layer: nn.Linear, inputs: Inputs, search: Search) -> tuple[Tensor, str]:
    """Round the layer's inputs from now on, if asked; the weight as it multiplies unshifted inputs, and the formats."""
    shift = shifts(inputs.largest, wanted=search.shift)
    weight = layer.weight.float() / shift
    found, form = fit_weight(weight, inputs.moments * shift[:, None] * shift[None, :], search)
    chosen = f"E{form[0]}M{form[1]}"
    if search.activations:
        taken, bias = fit_inputs(inputs.kept * shift, weight, found, search)
        hook = partial(_round_shifted, taken, bias, shift)
        layer.register_forward_pre_hook(partial(round_inputs, hook))
        chosen += f", inputs E{taken[0]}M{taken[1]}"
    return found * shift, chosen


def _apply(search: Search, module: nn.Module, tokens: Tokens, record: Record) -> None:
    formats: dict[str, str] = {}
    blocks = list(by_block(record))
    for number, block in enumerate(blocks):
        for (name, layer), inputs in zip(block, _seen(module, [layer for _, layer in block], tokens), strict=True):
            found, formats[name] = _fit_layer(layer, inputs, search)
            record.note(name, layer.weight, found, 4 + SCALE_BITS / layer.in_features)
            layer.weight.copy_(found)
        record.tell({"step": number + 1, "of": len(blocks)})
    record.search["formats"] = formats


COARSE = (*(0.01 + 0.05 * step for step in range(24)), 1.2)  # 0.01 to 1.2 of the largest number
FINE = (-0.03, -0.02, -0.01, 0.01, 0.02, 0.03)


def _scheme(search: Search) -> Scheme:
    return Scheme(torch.float32, partial(_apply, search))


weights_and_activations = _scheme(Search(FORMATS, COARSE, FINE, shift=True, activations=True))
weights = _scheme(Search(FORMATS, COARSE, FINE, shift=False, activations=False))
plain = _scheme(Search(((2, 1),), (1.0,), (), shift=False, activations=True))
