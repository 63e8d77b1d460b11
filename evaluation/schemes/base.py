"""What a scheme is: a value that says in which type weights are loaded and what is then done to the module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


def _unchanged(module: torch.nn.Module) -> None:
    """A reference scheme: the type it is loaded in is all there is."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """dtype: type of the weights as loaded. apply: changes the module in place, on its device.

    in_place: whether `apply` changes anything; if so it works on a copy and the loaded weights stay as they are.
    """

    dtype: torch.dtype
    apply: Callable[[torch.nn.Module], None] = _unchanged

    @property
    def in_place(self) -> bool:
        """Whether the module is changed after loading."""
        return self.apply is not _unchanged
