"""Rotate, then quantise weights and activations to 4 bits: outliers are spread over all channels first.

The residual stream of a Llama-shaped model may be turned by any orthogonal matrix without changing what it computes,
once the norms' weights are part of the matrices behind them (SliceGPT, arXiv 2401.15024; QuaRot, arXiv 2404.00456).
Here it is a random Hadamard matrix; `ostquant` learns one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens
from evaluation.schemes.floats import round_inputs
from evaluation.schemes.grids import rounded_rows
from evaluation.schemes.record import Record

BITS, SCALE_BITS = 4, 16
FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
HEAD, EMBEDDING = "lm_head", "model.embed_tokens"


@dataclass(frozen=True, eq=False, slots=True)
class Turn:
    """An equivalent change of a model. rotation: (hidden, hidden), orthogonal.

    up: a (feed-forward,) logarithm per block, of factors between the rows of up_proj and the columns of down_proj;
    value: a (key-value channels,) one, between v_proj and o_proj.
    """

    rotation: Tensor
    up: tuple[Tensor, ...]
    value: tuple[Tensor, ...]


def check(module: Any) -> str:
    """Why the residual stream cannot be turned, in words; "" when it can."""
    kind = getattr(module.config, "model_type", "")
    if kind not in FAMILIES:
        return f"its architecture is {kind or 'not known'}, and only {', '.join(FAMILIES)} can be turned safely."
    return ""


def hadamard(size: int, generator: torch.Generator) -> Tensor:
    """A random orthogonal matrix (size, size): Hadamard's for the power of two in `size`, a random one for the rest,
    with random signs of its rows (those of its columns would cancel in symmetric rounding)."""
    two = size & -size
    matrix = torch.ones(1, 1)
    while len(matrix) < two:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)]) / math.sqrt(2)
    if size > two:
        rest = torch.linalg.qr(torch.randn(size // two, size // two, generator=generator))[0]
        matrix = torch.kron(rest.contiguous(), matrix)
    signs = torch.randint(0, 2, (size,), generator=generator) * 2.0 - 1
    return signs[:, None] * matrix


def unscaled(module: Any) -> Turn:
    """The turn that changes nothing."""
    config, layers = module.config, module.model.layers
    weight = module.model.embed_tokens.weight
    return Turn(
        torch.eye(config.hidden_size, dtype=weight.dtype, device=weight.device),
        tuple(weight.new_zeros(layer.mlp.up_proj.out_features) for layer in layers),
        tuple(weight.new_zeros(layer.self_attn.v_proj.out_features) for layer in layers),
    )


def fold_norms(module: Any) -> None:
    """Move the norms' weights into the matrices behind them; the output layer becomes one of its own."""
    module.lm_head.weight = nn.Parameter(module.lm_head.weight * module.model.norm.weight, requires_grad=False)
    module.config.tie_word_embeddings = False
    module.model.norm.weight.fill_(1)
    for layer in module.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for norm, behind in (
            (layer.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj)),
            (layer.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj)),
        ):
            for one in behind:
                one.weight *= norm.weight
            norm.weight.fill_(1)


def turned(module: Any, turn: Turn) -> Iterator[tuple[str, Tensor]]:
    """Parameters by name after the turn, of a module with folded norms; gradients reach the turn."""
    rotation = turn.rotation
    yield f"{EMBEDDING}.weight", module.model.embed_tokens.weight @ rotation
    yield f"{HEAD}.weight", module.lm_head.weight @ rotation
    for number, layer in enumerate(module.model.layers):
        at, attention, mlp = f"model.layers.{number}", layer.self_attn, layer.mlp
        up, value = turn.up[number].exp(), turn.value[number].exp()
        output = _over_heads(module.config, value)
        for name, one in (("self_attn.q_proj", attention.q_proj), ("self_attn.k_proj", attention.k_proj)):
            yield f"{at}.{name}.weight", one.weight @ rotation
        yield f"{at}.mlp.gate_proj.weight", mlp.gate_proj.weight @ rotation
        yield from _scaled(f"{at}.self_attn.v_proj", attention.v_proj, rotation, value)
        yield from _scaled(f"{at}.mlp.up_proj", mlp.up_proj, rotation, up)
        yield from _back(f"{at}.self_attn.o_proj", attention.o_proj, rotation, output)
        yield from _back(f"{at}.mlp.down_proj", mlp.down_proj, rotation, up)


def _scaled(name: str, layer: nn.Linear, rotation: Tensor, factors: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Reads the turned stream, writes channels that are multiplied by `factors`."""
    yield f"{name}.weight", (layer.weight @ rotation) * factors[:, None]
    if layer.bias is not None:
        yield f"{name}.bias", layer.bias * factors


def _back(name: str, layer: nn.Linear, rotation: Tensor, factors: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Reads channels that were multiplied by `factors`, writes into the turned stream."""
    yield f"{name}.weight", rotation.T @ (layer.weight / factors)
    if layer.bias is not None:
        yield f"{name}.bias", layer.bias @ rotation


def _over_heads(config: Any, value: Tensor) -> Tensor:
    """Factors of key-value channels for all query heads that share them: (key-value channels,) -> (channels,)."""
    heads = value.reshape(config.num_key_value_heads, -1)
    shared = config.num_attention_heads // config.num_key_value_heads
    return heads.repeat_interleave(shared, dim=0).reshape(-1)


def install(module: Any, turn: Turn) -> None:
    """Put the turned parameters in place."""
    for name, value in list(turned(module, turn)):
        module.get_parameter(name).copy_(value)


def quantise(record: Record) -> None:
    """Weights by row and activations by token, both to 4 bits."""
    for name, layer in record.layers():
        found = rounded_rows(layer.weight.float(), BITS)
        record.note(name, layer.weight, found, BITS + SCALE_BITS / layer.in_features)
        layer.weight.copy_(found)
        layer.register_forward_pre_hook(partial(round_inputs, partial(rounded_rows, bits=BITS)))


def _apply_plain(module: nn.Module, tokens: Tokens | None, record: Record) -> None:
    quantise(record)


def _apply_hadamard(module: Any, tokens: Tokens | None, record: Record) -> None:
    fold_norms(module)
    still = unscaled(module)
    rotation = hadamard(module.config.hidden_size, record.generator).to(still.rotation)
    install(module, Turn(rotation, still.up, still.value))
    quantise(record)


plain = Scheme(torch.float32, _apply_plain)
hadamard_rotation = Scheme(torch.float32, _apply_hadamard, check)
