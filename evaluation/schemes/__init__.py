"""SCHEMES: the one registration. Listing loads nothing; `load_scheme` imports the file that a run needs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.errors import ModelRefused

if TYPE_CHECKING:
    from evaluation.schemes.base import Scheme


@dataclass(frozen=True, slots=True)
class SchemeInfo:
    """How weights are stored and multiplied. bits: nominal bits per weight, scales included.

    place: "module:attribute" of the Scheme; devices: kinds it runs on; packages: what a worker needs beside torch.
    """

    key: str
    title: str
    family: str
    bits: float
    place: str
    devices: tuple[str, ...] = ("cpu", "cuda")
    packages: tuple[str, ...] = ()
    needs_calibration: bool = False


SCHEMES: dict[str, SchemeInfo] = {
    info.key: info
    for info in (
        SchemeInfo("fp32", "32-bit floating point", "reference", 32, "evaluation.schemes.reference:fp32"),
        SchemeInfo("bf16", "bfloat16", "reference", 16, "evaluation.schemes.reference:bf16"),
    )
}


def load_scheme(key: str) -> Scheme:
    """Import a scheme by its key. Raises ModelRefused for an unknown one."""
    if key not in SCHEMES:
        raise ModelRefused(f"There is no scheme {key!r}.", field="scheme", remedy=f"Use one of {', '.join(SCHEMES)}.")
    module, _, attribute = SCHEMES[key].place.partition(":")
    scheme: Scheme = getattr(importlib.import_module(module), attribute)
    return scheme
