"""SCHEMES: the one registration. Listing loads nothing; `load_scheme` imports the file that a run needs."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.errors import ModelRefused

if TYPE_CHECKING:
    from evaluation.schemes.base import Scheme

REFERENCE = "reference"
TORCHAO, BITSANDBYTES = ("torchao",), ("bitsandbytes",)
GPU = ("cuda",)


@dataclass(frozen=True, slots=True)
class SchemeInfo:
    """How weights are stored and multiplied. bits: nominal bits per changed weight, scales included; 0: as stored, or
    as the map says.

    place: "module:attribute" of the Scheme; devices: kinds it runs on; packages: what a worker needs beside torch.
    needs_map: it takes bits per layer (`evaluation.bit_maps`), which a search has found.
    emulated: the numbers are those of the format, memory and speed are those of the reference.
    """

    key: str
    title: str
    family: str
    bits: float
    place: str
    devices: tuple[str, ...] = ("cpu", "cuda")
    packages: tuple[str, ...] = ()
    needs_calibration: bool = False
    needs_map: bool = False
    emulated: bool = False


def _listed() -> tuple[SchemeInfo, ...]:
    """All schemes, family by family; the first one is what a form offers unasked."""
    return (*_references(), *_integers(), *_floats(), *_searched(), *_rotated(), *_prequantised())


def _references() -> tuple[SchemeInfo, ...]:
    at = "evaluation.schemes.reference"
    return (
        SchemeInfo("fp32", "32-bit floating point", REFERENCE, 32, f"{at}:fp32"),
        SchemeInfo("bf16", "bfloat16", REFERENCE, 16, f"{at}:bf16"),
        SchemeInfo("fp16", "16-bit floating point", REFERENCE, 16, f"{at}:fp16"),
    )


def _integers() -> tuple[SchemeInfo, ...]:
    at, family = "evaluation.schemes.integers", "integer"
    also, normal = "evaluation.schemes.bitsandbytes", "bitsandbytes"
    return (
        SchemeInfo("int8", "8-bit integer weights, one scale a row", family, 8, f"{at}:int8", packages=TORCHAO),
        SchemeInfo(
            "int8_dynamic", "8-bit integer weights and activations", family, 8, f"{at}:int8_dynamic", packages=TORCHAO
        ),
        SchemeInfo("int4", "4-bit integer weights, groups of 32", family, 4.5, f"{at}:int4", packages=TORCHAO),
        SchemeInfo("int3", "3-bit integer weights, groups of 32", family, 3.5, f"{at}:int3", packages=TORCHAO),
        SchemeInfo("int2", "2-bit integer weights, groups of 32", family, 2.5, f"{at}:int2", packages=TORCHAO),
        SchemeInfo("w4a8", "4-bit weights, 8-bit activations", family, 4.5, f"{at}:w4a8", packages=TORCHAO),
        SchemeInfo(
            "int4_packed", "4-bit integer weights, packed for the GPU", family, 4.25, f"{at}:int4_packed", GPU, TORCHAO
        ),
        SchemeInfo("nf4", "4-bit NormalFloat, blocks of 64", normal, 4.5, f"{also}:nf4", packages=BITSANDBYTES),
        SchemeInfo(
            "nf4_double",
            "NormalFloat with quantised scales",
            normal,
            4.127,
            f"{also}:nf4_double",
            packages=BITSANDBYTES,
        ),
        SchemeInfo("llm_int8", "LLM.int8, outliers in 16 bits", normal, 8, f"{also}:llm_int8", packages=BITSANDBYTES),
    )


def _floats() -> tuple[SchemeInfo, ...]:
    at, family = "evaluation.schemes.floats", "floating point"
    rows = (
        ("fp8", "8-bit floating point weights (E4M3), one scale a row", 8),
        ("nvfp4", "NVFP4 weights: E2M1, blocks of 16", 4.5),
        ("nvfp4_w4a4", "NVFP4 weights and activations", 4.5),
        ("mxfp4", "MXFP4 weights: E2M1, blocks of 32", 4.25),
        ("mxfp4_w4a4", "MXFP4 weights and activations", 4.25),
        ("mxfp8", "MXFP8 weights: E4M3, blocks of 32", 8.25),
        ("mxfp8_w8a8", "MXFP8 weights and activations", 8.25),
        ("nf4_emulated", "4-bit NormalFloat without bitsandbytes", 4.5),
    )
    emulated = tuple(SchemeInfo(key, title, family, bits, f"{at}:{key}", emulated=True) for key, title, bits in rows)
    dynamic = "8-bit floating point weights and activations, multiplied as such"
    return (
        *emulated,
        SchemeInfo("fp8_dynamic", dynamic, family, 8, "evaluation.schemes.integers:fp8_dynamic", GPU, TORCHAO),
    )


def _searched() -> tuple[SchemeInfo, ...]:
    at, family = "evaluation.schemes", "searched"
    rows = (
        ("llm_fp4", "LLM-FP4: searched 4-bit floats, weights and activations", 4, "llm_fp4:weights_and_activations"),
        ("llm_fp4_weights", "LLM-FP4: searched 4-bit float weights", 4, "llm_fp4:weights"),
        ("e2m1_w4a4", "Plain 4-bit floats (E2M1), weights and activations", 4, "llm_fp4:plain"),
        ("gptq_int4", "GPTQ: 4-bit weights, groups of 32", 4.625, "gptq:int4"),
        ("gptq_int3", "GPTQ: 3-bit weights, groups of 32", 3.59375, "gptq:int3"),
        ("evopress_4", "EvoPress: bits per layer searched, 4.00 on average", 4.625, "evopress:bits_4"),
        ("evopress_3", "EvoPress: bits per layer searched, 3.00 on average", 3.59375, "evopress:bits_3"),
    )
    found = tuple(
        SchemeInfo(key, title, family, bits, f"{at}.{place}", needs_calibration=True, emulated=True)
        for key, title, bits, place in rows
    )
    title, place = "EvoPress: bits per layer from a map that was found before", f"{at}.evopress:imported"
    known = SchemeInfo("evopress_map", title, family, 0, place, needs_calibration=True, needs_map=True, emulated=True)
    return (*found, known)


def _rotated() -> tuple[SchemeInfo, ...]:
    at, family = "evaluation.schemes", "rotation"
    learned = "OSTQuant: learned rotation and scaling, then 4-bit weights and activations"
    return (
        SchemeInfo(
            "int4_w4a4", "4-bit integer weights and activations", family, 4, f"{at}.rotation:plain", emulated=True
        ),
        SchemeInfo(
            "rotation_w4a4",
            "Random Hadamard rotation, then 4-bit weights and activations",
            family,
            4,
            f"{at}.rotation:hadamard_rotation",
            emulated=True,
        ),
        SchemeInfo(
            "rotation_learned",
            learned,
            family,
            4,
            f"{at}.ostquant:learned",
            needs_calibration=True,
            emulated=True,
        ),
    )


def _prequantised() -> tuple[SchemeInfo, ...]:
    title = "As its author quantised it"
    return (SchemeInfo("prequantised", title, "prequantised", 0, "evaluation.schemes.prequantised:stored"),)


SCHEMES: dict[str, SchemeInfo] = {info.key: info for info in _listed()}


def unavailable(info: SchemeInfo, device: str) -> str:
    """Why a worker with this device cannot offer the scheme, in words; "" when it can. Imports nothing."""
    kind = device.partition(":")[0]
    if kind not in info.devices:
        return f"It runs on {' or '.join(info.devices)}, not on {kind}."
    missing = [package for package in info.packages if importlib.util.find_spec(package) is None]
    if missing:
        return f"It needs the package {' and '.join(missing)} (extra “quant”), which this worker does not have."
    return ""


def load_scheme(key: str) -> Scheme:
    """Import a scheme by its key. Raises ModelRefused for an unknown one."""
    if key not in SCHEMES:
        raise ModelRefused(f"There is no scheme {key!r}.", field="scheme", remedy=f"Use one of {', '.join(SCHEMES)}.")
    module, _, attribute = SCHEMES[key].place.partition(":")
    scheme: Scheme = getattr(importlib.import_module(module), attribute)
    return scheme
