"""Texts drawn at a temperature: every attempt has its own random numbers, so a run can stop, resume and change its
batches without changing an answer.

A token is the one whose slice of the cumulative distribution holds the attempt's next uniform number. The numbers of an
attempt depend on seed, sample and attempt only; a batch adds the rounding of its logits, as it does to greedy texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor

SEEDS = 2**31  # what every server takes for a seed
OWN = (
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
)  # a task's own sampling, which a job's temperature replaces


@dataclass(frozen=True, slots=True)
class Sampling:
    """temperature: above 0. seeds: one per request, in their order."""

    temperature: float
    seeds: tuple[int, ...]


def seed_of(seed: int, sample: int, attempt: int) -> int:
    """The seed of one attempt, in 0..2^31 - 1; attempts at the same sample never share one."""
    digest = hashlib.sha256(f"{seed}/{sample}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") + attempt) % SEEDS


def without_own(options: Mapping[str, Any]) -> dict[str, Any]:
    """Generation arguments of a task without its own way of sampling."""
    return {name: value for name, value in options.items() if name not in OWN}


class Drawn(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped here
    """Leaves one token of each row: the one drawn for it. seeds: one per row; prompt: length of the padded prompts."""

    def __init__(
        self, temperature: float, seeds: Sequence[int], *, prompt: int, most: int, device: torch.device
    ) -> None:
        self.temperature, self.prompt = temperature, prompt
        numbers = np.stack([np.random.default_rng(seed).random(most) for seed in seeds])  # (row, step)
        self.numbers = torch.from_numpy(numbers).to(device)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """scores: logits (row, token); returned the same with all but the drawn token at minus infinity."""
        step = input_ids.shape[1] - self.prompt
        cumulated = torch.softmax(scores.double() / self.temperature, dim=-1).cumsum(dim=-1)
        wanted = self.numbers[:, step : step + 1] * cumulated[:, -1:]
        token = torch.searchsorted(cumulated, wanted, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, token, 0.0)
