"""Bytes that a module really holds, whatever wraps its weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def bytes_held(module: nn.Module) -> int:
    """Bytes of parameters, buffers and what quantisation keeps beside them; memory that is shared counts once."""
    parts: dict[tuple[object, int], int] = {}
    for tensor in (*module.parameters(), *module.buffers(), *_states(module)):
        for part in _plain(tensor):
            parts[(part.device, part.data_ptr())] = part.numel() * part.element_size()
    return sum(parts.values())


def _plain(tensor: Tensor) -> Iterator[Tensor]:
    """The tensors that hold the data: those inside of torchao's wrappers, scales included."""
    if hasattr(tensor, "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from _plain(getattr(tensor, name))
        return
    yield tensor
    if hasattr(tensor, "quant_state"):
        yield from _inside(tensor.quant_state)
    if isinstance(getattr(tensor, "SCB", None), Tensor):
        yield tensor.SCB


def _states(module: nn.Module) -> Iterator[Tensor]:
    """What the 8-bit layers of bitsandbytes move out of their parameters on first use."""
    for layer in module.modules():
        scales = getattr(getattr(layer, "state", None), "SCB", None)
        if isinstance(scales, Tensor):
            yield scales


def _inside(state: Any) -> Iterator[Tensor]:
    """Scales, code book and offset of a bitsandbytes state, and those of its scales."""
    if state is None:
        return
    for name in ("absmax", "code", "offset"):
        value = getattr(state, name, None)
        if isinstance(value, Tensor):
            yield value
    yield from _inside(getattr(state, "state2", None))
