"""Which versions compute: what another attempt at a run must have in common with the one before, or say so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import evaluation

LIBRARIES = ("lm_eval", "torch", "transformers", "tokenizers", "torchao", "bitsandbytes")
LETTERS = 12  # of the hash of the code


def software(environment: Mapping[str, object]) -> dict[str, str]:
    """The part of an engine's environment that can change scores, and a hash of our own code that makes them."""
    return {**{name: str(environment[name]) for name in LIBRARIES if name in environment}, "evaluation": code_hash()}


@cache
def code_hash() -> str:
    """Of every file of the science, in the order of their names: a deploy that changes none of them changes nothing."""
    root = Path(evaluation.__path__[0])
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if "tests" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:LETTERS]
