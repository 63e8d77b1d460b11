"""GPTQ (Frantar et al., ICLR 2023, arXiv 2210.17323): round column by column, and let the columns that
are still to come make up for the error, as far as second moments of the layer's inputs say that they can.

Blocks are fitted in order, each on the inputs that the blocks before it give after their own quantisation.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens, second_moments
from evaluation.schemes.grids import GROUP, by_block, fitted_grid, grid_bits
from evaluation.schemes.record import Record, widths_divide

DAMPING = 0.01  # of the mean second moment, added to each: keeps the inverse stable


def fit(weight: Tensor, moments: Tensor, bits: int) -> Tensor:
    """The weight (rows, width) on the integer grid, in groups of 32. moments: (width, width) mean of x x^T."""
    left = weight.float().clone()
    found = torch.empty_like(left)
    upper = _inverse_root(moments)
    for start in range(0, left.shape[1], GROUP):
        span = slice(start, start + GROUP)
        grid = fitted_grid(left[:, span], bits, upper.diagonal()[span] ** -2)
        errors = torch.empty_like(left[:, span])
        for column in range(start, start + GROUP):
            found[:, column] = grid.nearest(left[:, column, None])[:, 0]
            error = (left[:, column] - found[:, column]) / upper[column, column]
            left[:, column : start + GROUP] -= error[:, None] * upper[column, column : start + GROUP]
            errors[:, column - start] = error
        left[:, start + GROUP :] -= errors @ upper[span, start + GROUP :]
    return found


def _inverse_root(moments: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse of the damped moments, in float32; an input that is always 0 counts as 1."""
    damped = moments.double().clone()
    diagonal = damped.diagonal()
    diagonal[diagonal == 0] = 1.0
    diagonal += DAMPING * diagonal.mean()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True).float()


def _apply(bits: int, module: nn.Module, tokens: Tokens, record: Record) -> None:
    blocks = list(by_block(record))
    for number, block in enumerate(blocks):
        moments = second_moments(module, [layer for _, layer in block], tokens)
        for (name, layer), moment in zip(block, moments, strict=True):
            found = fit(layer.weight, moment, bits)
            record.note(name, layer.weight, found, grid_bits(bits))
            layer.weight.copy_(found)
        record.tell({"step": number + 1, "of": len(blocks)})


def check(module: nn.Module) -> str:
    """Why it does not fit a module; "" when it does."""
    return widths_divide(module, GROUP, f"groups of {GROUP}")


int4, int3 = (Scheme(torch.float32, partial(_apply, bits), check) for bits in (4, 3))
