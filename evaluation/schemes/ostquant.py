"""OSTQuant (Hu et al., ICLR 2025, arXiv 2501.13987): rotation and scaling learned before 4-bit quantisation.

The rotation of the residual stream and the factors between pairs of layers are trained through the rounding
(straight-through), so that the 4-bit model's most probable tokens keep the reference's probabilities (KL-Top loss).
The rotation stays orthogonal by Cayley's transform of a skew matrix, and starts from a random Hadamard matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.schemes.base import Scheme
from evaluation.schemes.calibration import Tokens, log_probabilities
from evaluation.schemes.grids import rounded_rows
from evaluation.schemes.record import Record, linear_layers
from evaluation.schemes.rotation import BITS, Turn, check, fold_norms, hadamard, install, quantise, turned, unscaled

STEPS, BATCH = 120, 16
TOP = 32  # tokens whose probabilities count
ROTATION_RATE, FACTOR_RATE = 2e-3, 1e-2


def straight_through(values: Tensor) -> Tensor:
    """Rounded values whose gradient is that of the values."""
    return values + (rounded_rows(values.detach(), BITS) - values.detach())


def kl_top(reference: Tensor, logits: Tensor) -> Tensor:
    """Mean KL divergence over the reference's most probable tokens, renormalised. Both (..., vocabulary)."""
    top, places = reference.topk(min(TOP, reference.shape[-1]), dim=-1)
    wanted = torch.log_softmax(top, dim=-1)
    found = torch.log_softmax(logits.gather(-1, places), dim=-1)
    return (wanted.exp() * (wanted - found)).sum(dim=-1).mean()


def learn(module: Any, tokens: Tokens, record: Record) -> Turn:
    """The learned turn of a module with folded norms. Raises what `record.tell` raises."""
    still = unscaled(module)
    start = hadamard(module.config.hidden_size, record.generator).to(still.rotation)
    skew = torch.zeros_like(start, requires_grad=True)
    factors = [one.clone().requires_grad_() for one in (*still.up, *still.value)]
    blocks = len(still.up)
    identity = torch.eye(len(start), dtype=start.dtype, device=start.device)

    def turn() -> Turn:
        odd = skew - skew.T
        rotation = start @ torch.linalg.solve(identity + odd, identity - odd)
        return Turn(rotation, tuple(factors[:blocks]), tuple(factors[blocks:]))

    rates = [{"params": [skew], "lr": ROTATION_RATE}, {"params": factors, "lr": FACTOR_RATE}]
    _descend(module, tokens, record, turn, torch.optim.Adam(rates))
    with torch.no_grad():
        return turn()


def _descend(
    module: Any, tokens: Tokens, record: Record, turn: Callable[[], Turn], optimizer: torch.optim.Optimizer
) -> None:
    ids = tokens.ids.to(module.lm_head.weight.device)
    quantised = {f"{name}.weight" for name, _ in record.layers()}
    generator = record.generator
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / STEPS)  # a straight fall to 0
    for step in range(STEPS):
        batch = ids[torch.randint(len(ids), (BATCH,), generator=generator)]
        reference = log_probabilities(module, batch)
        with torch.enable_grad():
            weights = {
                name: straight_through(value) if name in quantised else value for name, value in turned(module, turn())
            }
            with _rounding_inputs(module):
                loss = kl_top(reference, torch.func.functional_call(module, weights, (batch,)).logits.float())
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        schedule.step()
        record.tell({"step": step + 1, "of": STEPS, "kl": float(loss.detach())})
    record.search["kl_top"] = float(loss.detach())


@contextmanager
def _rounding_inputs(module: nn.Module) -> Iterator[None]:
    """Round what the linear layers read, with gradients passing through."""
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: (straight_through(inputs[0]), *inputs[1:]))
        for _, layer in linear_layers(module)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _apply(module: Any, tokens: Tokens, record: Record) -> None:
    fold_norms(module)
    install(module, learn(module, tokens, record))
    quantise(record)


learned = Scheme(torch.float32, _apply, check)
