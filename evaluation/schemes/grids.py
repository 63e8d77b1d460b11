"""Integer grids, and the order in which layers are fitted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn

from evaluation.schemes.record import Record

GROUP = 32  # weights of a row that share a scale
SCALE_BITS = 16
RANGES = tuple(1 - 0.05 * step for step in range(10))  # shares of a group's range that are tried
SMALLEST = 1e-12


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """2^bits numbers at equal distances, one of them 0. step and zero (its place): (rows, 1) each."""

    bits: int
    step: Tensor
    zero: Tensor

    def nearest(self, values: Tensor) -> Tensor:
        """The nearest numbers of the grid to (rows, any), saturating."""
        places = torch.round(values / self.step) + self.zero
        return (places.clamp(0, 2**self.bits - 1) - self.zero) * self.step


def grid_bits(bits: int) -> float:
    """Nominal bits per weight: with a 16-bit step and a place of 0 for each group."""
    return bits + (SCALE_BITS + bits) / GROUP


def fitted_grid(group: Tensor, bits: int, importance: Tensor) -> Grid:
    """For each row of (rows, group) the range with the least squared error, weighted by importance (group,)."""
    low = group.amin(dim=1, keepdim=True).clamp(max=0)
    high = group.amax(dim=1, keepdim=True).clamp(min=0)
    best_step, best_zero = torch.ones_like(low), torch.zeros_like(low)
    least = torch.full_like(low, torch.inf)
    for share in RANGES:
        step = ((high - low) * share / (2**bits - 1)).clamp_min(SMALLEST)
        grid = Grid(bits, step, torch.round(-low * share / step))
        error = ((grid.nearest(group) - group).square() * importance).sum(dim=1, keepdim=True)
        better = error < least
        least = torch.where(better, error, least)
        best_step, best_zero = torch.where(better, step, best_step), torch.where(better, grid.zero, best_zero)
    return Grid(bits, best_step, best_zero)


def rounded(weight: Tensor, bits: int) -> Tensor:
    """Round to nearest on the same grids: (rows, width), with a width that the group divides."""
    groups = weight.float().reshape(-1, GROUP)
    return fitted_grid(groups, bits, torch.ones(GROUP, device=weight.device)).nearest(groups).reshape(weight.shape)


def rounded_rows(values: Tensor, bits: int) -> Tensor:
    """Round to nearest with one scale a row, to -(2^(b-1) - 1) .. 2^(b-1) - 1: the largest number is exact."""
    most = 2 ** (bits - 1) - 1
    scale = values.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12) / most
    return torch.round(values / scale).clamp(-most, most) * scale


def by_block(record: Record) -> Iterator[list[tuple[str, nn.Linear]]]:
    """Layers of one transformer block at a time, in the order of the module: what comes before it is fitted already."""
    for _, members in groupby(record.layers(), key=lambda item: _block(item[0])):
        yield list(members)


def _block(name: str) -> str:
    """ "model.layers.3" of "model.layers.3.mlp.up_proj"; the name itself where no number is in it."""
    found = re.match(r"(.*?\.\d+)\.", name)
    return found.group(1) if found else name
