"""Every scheme is listed without loading anything, and loads what the list says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evaluation.errors import ModelRefused
from evaluation.schemes import SCHEMES, load_scheme


def test_listing_loads_nothing() -> None:
    code = "import sys; from evaluation.schemes import SCHEMES; print(len(SCHEMES), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(SCHEMES)), "False"]


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(ModelRefused, match="bf16"):
        load_scheme("int99")


@pytest.mark.engine
@pytest.mark.parametrize("key", SCHEMES)
def test_every_entry_loads_and_tells_itself_apart(key: str) -> None:
    info = SCHEMES[key]
    assert info.key == key
    assert 0 < info.bits <= 32 or info.family == "prequantised" or info.needs_map
    assert load_scheme(key).dtype.is_floating_point


def test_no_scheme_needs_a_library_that_is_asleep() -> None:
    """hqq fails with transformers 5, and optimum-quanto has no releases: neither is a dependency of anything."""
    assert {package for info in SCHEMES.values() for package in info.packages} == {"torchao", "bitsandbytes"}
