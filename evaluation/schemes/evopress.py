"""EvoPress (Sieberling et al., ICML 2025, arXiv 2410.14649): how many bits each layer gets, found by evolution.

A (1 + lambda) search over maps `layer: bits` that all meet the same average exactly: a mutation takes a level from one
layer and gives it to another of equal size. Offspring are judged by the KL divergence from the unquantised module on
rows of the calibration set that no layer was fitted on, first on few rows, the survivors on more. Layers come from a
database that GPTQ fills once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.bit_maps import LEVELS, average
from evaluation.errors import BadParameter
from evaluation.schemes import gptq
from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import BATCH, Tokens, log_probabilities, mean_kl, second_moments
from evaluation.schemes.grids import by_block, grid_bits
from evaluation.schemes.record import News, Record

MEMORY = 2 << 30  # bytes for the reference's log-probabilities
Bits = dict[str, int]
Database = Mapping[str, Mapping[int, Tensor]]  # layer -> bits -> weight as it multiplies


@dataclass(frozen=True, slots=True)
class Effort:
    """generations, offspring in each, and selection: how many survive and on how many rows they are judged.

    The last stage takes many rows: on few, a lucky draw replaces a parent that is better.
    """

    generations: int = 20
    offspring: int = 16
    stages: tuple[tuple[int, int], ...] = ((4, 16), (2, 48), (1, 256))


@dataclass(frozen=True, slots=True)
class Found:
    """bits: the map. kl and uniform_kl: of it and of where the search began, on all development rows, in nats a token.

    history: best KL of each generation, on its own rows. judged: maps times rows.
    """

    bits: Bits
    average: Fraction
    kl: float
    uniform_kl: float
    history: tuple[float, ...]
    judged: int


def starting_map(sizes: Mapping[str, int], target: Fraction) -> Bits:
    """The most even map that meets the target exactly. Raises BadParameter where layers' sizes do not allow it."""
    if not LEVELS[0] <= target <= LEVELS[-1]:
        raise BadParameter(f"An average lies between {LEVELS[0]} and {LEVELS[-1]} bits.", field="bits")
    low = min(int(target), LEVELS[-1] - 1)
    bits = dict.fromkeys(sizes, low)
    missing = (target - low) * sum(sizes.values())
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if sizes[name] <= missing:
            bits[name] += 1
            missing -= sizes[name]
    if missing:
        raise BadParameter(f"Layers of these sizes cannot have {float(target):g} bits on average.", field="bits")
    return bits


def database(module: nn.Module, record: Record, tokens: Tokens) -> Database:
    """Every layer at every level, fitted on the inputs that it has in the unquantised module; kept on the host."""
    levels: dict[str, dict[int, Tensor]] = {}
    for block in by_block(record):
        moments = second_moments(module, [layer for _, layer in block], tokens)
        for (name, layer), moment in zip(block, moments, strict=True):
            levels[name] = {bits: gptq.fit(layer.weight, moment, bits).cpu() for bits in LEVELS}
    return levels


@dataclass(slots=True)
class Evolution:
    """The search over one module, whose weights it overwrites. ids: (rows, length) development rows."""

    module: nn.Module
    layers: dict[str, nn.Linear]
    levels: Database
    ids: Tensor
    seed: int
    effort: Effort = field(default_factory=Effort)
    judged: int = 0
    _news: dict[str, Any] = field(init=False, default_factory=dict)
    _tell: News = field(init=False, default=lambda news: None)
    _reference: Tensor = field(init=False)
    _loaded: Bits = field(init=False, default_factory=dict)
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - a search, not a secret
        self.ids = self.ids[: self._affordable()]
        self._reference = torch.cat([log_probabilities(self.module, rows) for rows in self.ids.split(BATCH)])

    def _affordable(self) -> int:
        """Rows whose reference log-probabilities are worth their memory: large vocabularies have to do with fewer."""
        vocabulary = log_probabilities(self.module, self.ids[:1, :1]).shape[-1]
        return max(1, MEMORY // int(4 * vocabulary * self.ids.shape[1]))

    @property
    def sizes(self) -> dict[str, int]:
        """Weights of each layer."""
        return {name: layer.weight.numel() for name, layer in self.layers.items()}

    def run(self, target: Fraction, tell: News) -> Found:
        """Search, and leave the module with the best map. tell hears of every generation, more than once."""
        start = parent = starting_map(self.sizes, target)
        self._tell = tell
        history: list[float] = []
        for generation in range(self.effort.generations):
            parent, kl = self._generation(parent)
            history.append(kl)
            self._news = {"step": generation + 1, "of": self.effort.generations, "kl": kl, "bits": parent}
            tell(self._news)
        everything = list(range(len(self.ids)))
        uniform_kl, kl = self.kl(start, everything), self.kl(parent, everything)
        if uniform_kl <= kl:  # few rows can mislead; where evolution began is always on offer
            parent, kl = start, uniform_kl
        self.load(parent)
        return Found(parent, average(parent, self.sizes), kl, uniform_kl, tuple(history), self.judged)

    def load(self, bits: Mapping[str, int]) -> None:
        """Put a map's weights in place."""
        for name, layer in self.layers.items():
            if self._loaded.get(name) != bits[name]:
                layer.weight.copy_(self.levels[name][bits[name]])
                self._loaded[name] = bits[name]

    def kl(self, bits: Mapping[str, int], rows: Sequence[int]) -> float:
        """Mean KL divergence of a map from the unquantised module over these rows, in nats a token."""
        self._tell(self._news)  # often, because it is also what stops a search
        self.load(bits)
        self.judged += len(rows)
        total = 0.0
        for start in range(0, len(rows), BATCH):
            part = torch.tensor(rows[start : start + BATCH], device=self.ids.device)
            total += len(part) * mean_kl(self._reference[part], log_probabilities(self.module, self.ids[part]))
        return total / len(rows)

    def _generation(self, parent: Bits) -> tuple[Bits, float]:
        """The survivor of all stages; the parent joins the last one, so that nothing is lost."""
        candidates = self._offspring(parent)
        kl = 0.0
        for survivors, wanted in self.effort.stages:
            if survivors == 1 and parent not in candidates:
                candidates.append(parent)
            rows = self._random.sample(range(len(self.ids)), min(wanted, len(self.ids)))
            judged = [self.kl(one, rows) for one in candidates]
            order = sorted(range(len(candidates)), key=judged.__getitem__)[:survivors]
            candidates, kl = [candidates[place] for place in order], judged[order[0]]
        return candidates[0], kl

    def _offspring(self, parent: Bits) -> list[Bits]:
        """Different maps with the parent's average; fewer than asked for where there are not as many."""
        found: list[Bits] = []
        for _ in range(20 * self.effort.offspring):
            child = dict(parent)
            for _ in range(min(self._random.randint(1, 3), self._random.randint(1, 3))):
                self._switch(child)
            if child != parent and child not in found:
                found.append(child)
            if len(found) == self.effort.offspring:
                break
        return found

    def _switch(self, bits: Bits) -> None:
        """Move a level from one layer to another of equal size, where both stay within the levels."""
        first = self._random.choice(list(bits))
        equal = [name for name in bits if self.sizes[name] == self.sizes[first] and name != first]
        if not equal:
            return
        second = self._random.choice(equal)
        if bits[first] < LEVELS[-1] and bits[second] > LEVELS[0]:
            bits[first] += 1
            bits[second] -= 1


def _apply_imported(module: nn.Module, tokens: Tokens, record: Record) -> None:
    """Layers at the bits of a known map, fitted by GPTQ on all texts; nothing is searched."""
    given = record.bits
    assert given is not None  # noqa: S101 - refused before, in words
    given.check({name: tuple(layer.weight.shape) for name, layer in record.layers()})
    levels = database(module, record, tokens.split()[0])
    for name, layer in record.layers():
        found = levels[name][given.bits[name]]
        record.note(name, layer.weight, found, grid_bits(given.bits[name]))
        layer.weight.copy_(found)
    sizes = {name: layer.weight.numel() for name, layer in record.layers()}
    record.search |= {
        "bits": dict(given.bits),
        "map_hash": given.hash,
        "average_bits": float(average(given.bits, sizes)),
    }


def _apply(target: int, module: nn.Module, tokens: Tokens, record: Record) -> None:
    layers = list(record.layers())
    before = {name: layer.weight.detach().clone() for name, layer in layers}
    fit, judge = tokens.split()
    ids = judge.ids.to(next(module.parameters()).device)
    evolution = Evolution(module, dict(layers), database(module, record, fit), ids, record.seed)
    found = evolution.run(Fraction(target), record.tell)
    for name, layer in layers:
        record.note(name, before[name], layer.weight, grid_bits(found.bits[name]))
    record.search |= {
        "bits": found.bits,
        "average_bits": float(found.average),
        "kl": found.kl,
        "uniform_kl": found.uniform_kl,
        "history": list(found.history),
        "judged": found.judged,
    }


bits_4, bits_3 = (Scheme(torch.float32, partial(_apply, bits), gptq.check) for bits in (4, 3))
imported = Scheme(torch.float32, _apply_imported, gptq.check)
