"""Apply a scheme to a loaded module, and check that it did what its name says.

A scheme that changed nothing, left holes in the numbers or met a module that it does not fit is refused in words: the
run would otherwise score something else under its name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from evaluation.bit_maps import BitMap
from evaluation.errors import ModelRefused, NotFinite
from evaluation.schemes import SCHEMES, SchemeInfo, load_scheme
from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens
from evaluation.schemes.measuring import bytes_held
from evaluation.schemes.record import News, Record, linear_layers, replace_layer
from evaluation.schemes.report import SchemeReport

PROBE = 16  # tokens of the forward pass that must come out finite
SERVED_BITS = 16  # of what a scheme leaves as it is, as a server would store it


def apply_scheme(
    key: str,
    module: nn.Module,
    *,
    tokens: Tokens | None = None,
    bits: BitMap | None = None,
    seed: int = 0,
    output: bool = False,
    bytes_on_disk: int = 0,
    tell: News = lambda news: None,
) -> SchemeReport:
    """Change the module in place and report. output: quantise the output layer, too; a tied one is untied first.

    tokens: what to calibrate with. bits: the map of a scheme that takes one. seed: same seed, same module. tell: takes
    news of a search, may raise to stop it. Raises ModelRefused where the scheme does not fit or had no effect,
    BadParameter where the map does not, NotFinite for weights or logits that are no numbers. Works outside of inference
    mode, because some schemes learn.
    """
    info, scheme = SCHEMES[key], load_scheme(key)
    record = Record(module, seed=seed, output=output, tell=tell, bits=bits)
    with torch.inference_mode(mode=False), torch.no_grad():
        parameters = sum(parameter.numel() for parameter in module.parameters())
        if scheme.in_place:
            refuse_without_calibration(key, given=tokens is not None)
            refuse_without_map(key, given=bits is not None)
            rewrite_conv1d(record)
        _refuse_misfit(key, scheme, module)
        if scheme.in_place:
            _apply(scheme, tokens, record)
            _check_effect(key, record)
        _check_finite(key, module, tokens)
    used = tokens if tokens is not None and info.needs_calibration else None
    return SchemeReport(
        scheme=key,
        family=info.family,
        bits=_bits(info, record),
        parameters=parameters,
        share_changed=_changed(record) / parameters,
        nominal_bytes=_nominal_bytes(info, record, parameters),
        bytes_in_memory=bytes_held(module),
        bytes_on_disk=bytes_on_disk,
        matrices=tuple(record.matrices),
        kept=tuple(_kept(record)),
        emulated=info.emulated,
        seed=seed,
        calibration=used.name if used else "",
        calibration_hash=used.hash if used else "",
        notes=tuple(record.notes),
        search=record.search,
    )


def refuse_without_calibration(key: str, *, given: bool) -> None:
    """Raises ModelRefused when a scheme has to see texts and there are none."""
    if SCHEMES[key].needs_calibration and not given:
        raise ModelRefused(
            f"The scheme {key} has to see texts before it can be applied, and no calibration set was given.",
            field="calibration",
            remedy="Choose a calibration set for the benchmark or suite.",
        )


def refuse_without_map(key: str, *, given: bool) -> None:
    """Raises ModelRefused when a scheme takes a map of bits and there is none."""
    if SCHEMES[key].needs_map and not given:
        raise ModelRefused(
            f"The scheme {key} takes a map of bits per layer, and none was given.",
            field="bits",
            remedy="Give the map that a search has found.",
        )


def _apply(scheme: Scheme, tokens: Tokens | None, record: Record) -> None:
    module = record.module
    _check_weights(module)
    if record.output:
        _untie(module)
    scheme.apply(module, tokens, record)
    module.tie_weights = lambda *_, **__: None  # or a loader ties a changed output layer to the old embedding again


def _refuse_misfit(key: str, scheme: Scheme, module: nn.Module) -> None:
    """Raises ModelRefused, with the scheme's own reason, before anything is quantised."""
    if getattr(module.config, "quantization_config", None) and not scheme.stored:
        reason = "the checkpoint is quantised already; use the scheme “prequantised”."
    elif scheme.in_place and not scheme.stored and next(linear_layers(module), None) is None:
        reason = "the module has no linear layer."
    else:
        reason = scheme.check(module)
    if reason:
        raise ModelRefused(
            f"The scheme {key} cannot be applied: {reason}",
            field="scheme",
            remedy="Use another scheme for this entry.",
        )


def _check_weights(module: nn.Module) -> None:
    for name, weight in module.named_parameters():
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            raise NotFinite(
                f"The weight {name} holds NaN or infinite values.",
                field="location",
                remedy="Copy or download the checkpoint again.",
            )


def rewrite_conv1d(record: Record) -> None:
    """GPT-2's transposed layers become linear ones with the same outputs; schemes would pass them over."""
    found = [(name, layer) for name, layer in record.module.named_modules() if isinstance(layer, Conv1D)]
    for name, layer in found:
        rows, columns = layer.weight.shape
        linear = nn.Linear(rows, columns, device="meta")
        linear.weight = nn.Parameter(layer.weight.detach().T.contiguous(), requires_grad=False)
        linear.bias = nn.Parameter(layer.bias.detach(), requires_grad=False)
        replace_layer(record.module, name, linear.eval())
    if found:
        record.notes.append(f"{len(found)} Conv1D layers were rewritten as linear layers with the same outputs.")


def _untie(module: nn.Module) -> None:
    head = module.get_output_embeddings()
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    module.config.tie_word_embeddings = False


def _check_effect(key: str, record: Record) -> None:
    """Whether it changed anything, judged by the weights before and after."""
    if record.matrices and any(matrix.changed for matrix in record.matrices):
        return
    raise ModelRefused(
        f"The scheme {key} changed none of the {len(record.matrices)} matrices that it met.",
        field="scheme",
        remedy="Use a reference scheme: the scores would be those of the unchanged model.",
    )


def _check_finite(key: str, module: nn.Module, tokens: Tokens | None) -> None:
    """One short forward pass. A reference is left to the samples, whose errors name the question."""
    if SCHEMES[key].family == "reference":
        return
    device = next(module.parameters()).device
    rows = module.get_input_embeddings().weight.shape[0]
    ids = torch.arange(min(PROBE, rows))[None] if tokens is None else tokens.ids[:1, :PROBE]
    if not bool(torch.isfinite(module(ids.to(device)).logits).all()):
        raise NotFinite(
            f"With the scheme {key} the model's logits are not finite.",
            field="scheme",
            remedy="Use a scheme with a wider range, such as bf16 or int8.",
        )


def _changed(record: Record) -> int:
    return sum(math.prod(matrix.shape) for matrix in record.matrices if matrix.changed)


def _stored_bits(record: Record) -> float:
    return sum(math.prod(matrix.shape) * matrix.bits for matrix in record.matrices)


def _bits(info: SchemeInfo, record: Record) -> float:
    weights = sum(math.prod(matrix.shape) for matrix in record.matrices)
    return _stored_bits(record) / weights if weights else info.bits


def _nominal_bytes(info: SchemeInfo, record: Record, parameters: int) -> int:
    weights = sum(math.prod(matrix.shape) for matrix in record.matrices)
    rest = SERVED_BITS if record.matrices else info.bits
    return math.ceil((_stored_bits(record) + (parameters - weights) * rest) / 8)


def _kept(record: Record) -> Iterator[str]:
    """Matrices that the scheme left as they were: embeddings, the output layer, and whatever is no linear layer."""
    if not record.matrices:
        return
    noted = {matrix.name for matrix in record.matrices}
    for name, weight in record.module.named_parameters(remove_duplicate=False):
        if weight.ndim > 1 and name.removesuffix(".weight") not in noted:
            yield name
