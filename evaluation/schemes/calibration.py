"""Calibration texts as token ids, and what a module does with them: statistics of layers' inputs, logits.

Everything runs in small batches in evaluation mode, without gradients, on the module's own device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.errors import ModelRefused, NotEnoughData
from evaluation.records import Calibration

LENGTH = 64  # tokens a row: contexts of questions are short, and rows of one length need no mask
ROWS = 512  # enough for second moments of layers some thousand wide
BATCH = 32
SEPARATOR = "\x00"  # in no text


@dataclass(frozen=True, eq=False)
class Tokens:
    """ids: (rows, length) token ids without padding. name and hash: of the calibration set that they come from."""

    name: str
    hash: str
    ids: Tensor

    def split(self) -> tuple[Tokens, Tokens]:
        """Two halves that share no row: to fit with, and to judge with. Raises NotEnoughData below two rows."""
        rows = len(self.ids)
        if rows < 2:
            raise NotEnoughData(
                f"The calibration set {self.name} gives {rows} row of {LENGTH} tokens; a search needs two.",
                field="calibration",
                remedy="Use a larger calibration set.",
            )
        return replace(self, ids=self.ids[: rows // 2]), replace(self, ids=self.ids[rows // 2 :])


def tokenise(calibration: Calibration, tokenizer: Any, *, longest: int) -> Tokens:
    """Texts one after the other, an end token between them, cut into rows; a last row that is not full is dropped.

    longest: the most tokens that the model reads. Raises NotEnoughData where the texts do not fill one row.
    """
    length = min(LENGTH, longest)
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    stream: list[int] = []
    for ids in tokenizer(list(calibration.texts), add_special_tokens=False)["input_ids"]:
        stream += [*ids, *end]
        if len(stream) >= ROWS * length:
            break
    rows = min(len(stream) // length, ROWS)
    if rows == 0:
        raise NotEnoughData(
            f"The calibration set {calibration.name} holds {len(stream)} tokens, less than a row of {length}.",
            field="calibration",
            remedy="Use a larger calibration set.",
        )
    ids = torch.tensor(stream[: rows * length]).reshape(rows, length)
    return Tokens(calibration.name, calibration.hash, ids)


def refuse_leaks(calibration: Calibration, prompts: Iterable[object]) -> None:
    """Raises ModelRefused where a calibration text holds one of the prompts that are to be scored."""
    everything = SEPARATOR.join(calibration.texts)
    for prompt in prompts:
        text = prompt.strip() if isinstance(prompt, str) else ""
        if text and text in everything:
            raise ModelRefused(
                f"The calibration set {calibration.name} holds a question of the benchmark ({text[:60]!r}).",
                field="calibration",
                remedy="Use a calibration set of other texts: weights fitted on the test say nothing about it.",
            )


def batches(tokens: Tokens, module: nn.Module) -> Iterator[Tensor]:
    """Rows in batches, on the module's device."""
    device = next(module.parameters()).device
    for batch in tokens.ids.split(BATCH):
        yield batch.to(device)


def log_probabilities(module: nn.Module, ids: Tensor) -> Tensor:
    """(rows, length, vocabulary) in float32."""
    return torch.log_softmax(module(ids).logits.float(), dim=-1)


def mean_kl(reference: Tensor, found: Tensor) -> float:
    """Mean over tokens of KL(reference || found) in nats, from log-probabilities (..., vocabulary)."""
    return float((reference.exp() * (reference - found)).sum(dim=-1).mean())


class _Enough(Exception):  # no error: the layers that were asked for have been passed
    pass


@contextmanager
def watched(layers: Sequence[nn.Module], see: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Hand every input of the layers to `see` as (number of the layer, (tokens, channels) in float32)."""

    def hook(number: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: see(number, inputs[0].reshape(-1, inputs[0].shape[-1]).float())

    handles = [layer.register_forward_pre_hook(hook(number)) for number, layer in enumerate(layers)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def second_moments(module: nn.Module, layers: Sequence[nn.Linear], tokens: Tokens) -> list[Tensor]:
    """Mean of x x^T over all tokens, (channels, channels), of the inputs of each layer in turn.

    Each pass ends when all layers have been seen. A layer that no token reached (an expert that was never chosen)
    gets the identity: then all its weights count the same.
    """
    found: dict[int, Tensor] = {}
    counts = [0] * len(layers)
    passed: set[int] = set()

    def see(number: int, inputs: Tensor) -> None:
        found[number] = found.get(number, 0) + inputs.T @ inputs
        counts[number] += len(inputs)
        passed.add(number)
        if len(passed) == len(layers):
            raise _Enough

    with watched(layers, see):
        for batch in batches(tokens, module):
            passed.clear()
            with suppress(_Enough):
                module(batch)
    return [
        found[number] / count if count else torch.eye(layer.in_features, device=layer.weight.device)
        for number, (layer, count) in enumerate(zip(layers, counts, strict=True))
    ]
