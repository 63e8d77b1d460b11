"""The demo's checkpoints as fresh modules, calibration texts as tokens, and other texts to judge by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from deploy.demo.calibration import DEVELOPMENT_SEED, calibration
from deploy.demo.train import CHECKPOINTS
from evaluation.inference.loading import find, load
from evaluation.records import Checkpoint
from evaluation.schemes import load_scheme
from evaluation.schemes.applying import apply_scheme
from evaluation.schemes.calibration import Tokens, log_probabilities, mean_kl, tokenise

Fresh = Callable[..., Any]
HELD_OUT = 128  # rows


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would wait for each other on modules this small, and add up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def fresh() -> Fresh:
    """A new module of a size, in the type that a scheme asks for."""

    def fresh(size: str = "xs", key: str = "fp32") -> Any:
        files = find(Checkpoint(str(CHECKPOINTS / f"tiny-{size}")))
        return load(files, device="cpu", dtype=load_scheme(key).dtype).module

    return fresh


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    return _tokenised()


@pytest.fixture(scope="session")
def held_out() -> torch.Tensor:
    """(rows, length) tokens that no scheme has seen."""
    return _tokenised(DEVELOPMENT_SEED).ids[:HELD_OUT]


@pytest.fixture(scope="session")
def few(tokens: Tokens) -> Tokens:
    """As many rows as a quick test needs."""
    return replace(tokens, ids=tokens.ids[:64])


@pytest.fixture
def kl_of(fresh: Fresh, tokens: Tokens, held_out: torch.Tensor) -> Callable[[str, str], float]:
    """KL divergence from the reference on the held-out texts, of a scheme on a size."""

    def kl_of(key: str, size: str) -> float:
        module = fresh(size, key)
        apply_scheme(key, module, tokens=tokens, seed=1)
        return mean_kl(log_probabilities(fresh(size), held_out), log_probabilities(module, held_out))

    return kl_of


def _tokenised(*seed: int) -> Tokens:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINTS / "tiny-xs")
    return tokenise(calibration(*seed), tokenizer, longest=128)
