"""What happens while a scheme is applied: which layers are its, what became of each, how far a search has come."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.bit_maps import BitMap

News = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Matrix:
    """One weight matrix. bits: nominal bits per weight, scales included; snr_db: 10 log10(power / power of the error).

    changed: whether any weight has another value than before. snr_db is None where none has.
    """

    name: str
    shape: tuple[int, ...]
    bits: float
    snr_db: float | None
    changed: bool


@dataclass(slots=True)
class Record:
    """seed: of all that the scheme draws. output: whether the output layer is quantised, too.

    tell: takes news of a search (numbers, texts, maps; empty while there are none); it may raise, to stop it.
    bits: the map of a scheme that takes one.
    search: what a search found. layers: chosen before the scheme is applied; every changed one is noted.
    """

    module: nn.Module
    seed: int = 0
    output: bool = False
    tell: News = lambda news: None
    bits: BitMap | None = None
    matrices: list[Matrix] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    search: dict[str, Any] = field(default_factory=dict)

    def layers(self) -> Iterator[tuple[str, nn.Linear]]:
        """The linear layers that a scheme changes, by name, in the order of the module."""
        return linear_layers(self.module, output=self.output)

    def note(self, name: str, before: Tensor, after: Tensor, bits: float) -> None:
        """One matrix before and after, both as they multiply (dequantised, in the same basis)."""
        with torch.no_grad():
            reference, found = before.detach().float(), after.detach().float().to(before.device)
            snr = signal_to_noise(reference, found)
        changed = math.isfinite(snr)
        self.matrices.append(Matrix(name, tuple(before.shape), bits, snr if changed else None, changed))

    @property
    def generator(self) -> torch.Generator:
        """A fresh source of random numbers, always on the CPU, so that a GPU draws the same."""
        return torch.Generator().manual_seed(self.seed)


def linear_layers(module: nn.Module, *, output: bool = False) -> Iterator[tuple[str, nn.Linear]]:
    """Linear layers without the output layer, which is often tied to the embedding: changing one would undo or spoil
    the other."""
    head = module.get_output_embeddings() if hasattr(module, "get_output_embeddings") else None
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear) and (output or layer is not head):
            yield name, layer


def signal_to_noise(reference: Tensor, found: Tensor) -> float:
    """In dB; infinite for equal tensors."""
    noise = float((reference - found).square().sum(dtype=torch.float64))
    power = float(reference.square().sum(dtype=torch.float64))
    if noise == 0 or power == 0:
        return math.inf if noise == 0 else -math.inf
    return 10 * math.log10(power / noise)


def widths_divide(module: nn.Module, size: int, what: str) -> str:
    """Why a format with groups of `size` does not fit, naming the first layer in the way; "" when it does."""
    for name, layer in linear_layers(module):
        if layer.in_features % size:
            return f"{name} has {layer.in_features} inputs, which is no multiple of {size}: {what} needs that."
    return ""


def replace_layer(module: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer in the place of another."""
    parent, _, attribute = name.rpartition(".")
    setattr(module.get_submodule(parent), attribute, layer)
