"""What a scheme is: a value that says in which type weights are loaded and what is then done to the module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from evaluation.schemes.record import Record

# (module, tokens to calibrate with or None, record): changes the module in place
Apply = Callable[[Any, Any, Record], None]


def _unchanged(module: Any, tokens: Any, record: Record) -> None:
    """A reference scheme: the type it is loaded in is all there is."""


def _fits(module: Any) -> str:
    """No reason against it."""
    return ""


@dataclass(frozen=True, slots=True)
class Scheme:
    """dtype: type of the weights as loaded, gpu_dtype: the same on a GPU, where it differs.

    check: why it cannot be applied to a module, in words; "" when it can. Changes nothing.
    apply: changes the module in place, on its device, and notes every matrix in the record. Its
    Tokens are given whenever the scheme is listed with `needs_calibration`.
    stored: the checkpoint brings its own quantisation, and is refused by every other scheme.
    """

    dtype: torch.dtype
    apply: Apply = _unchanged
    check: Callable[[Any], str] = _fits
    gpu_dtype: torch.dtype | None = None
    stored: bool = False

    @property
    def in_place(self) -> bool:
        """Whether the module is changed after loading."""
        return self.apply is not _unchanged

    def dtype_on(self, device: str) -> torch.dtype:
        """Type of the weights as loaded on this device."""
        return self.gpu_dtype if self.gpu_dtype is not None and device.startswith("cuda") else self.dtype

    def is_plain(self, dtype: torch.dtype) -> bool:
        """Whether a module loaded for this scheme is the unchanged one in this type."""
        return not self.in_place and self.dtype == dtype
