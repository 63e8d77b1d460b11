"""What holds for every registered scheme that this machine's CPU can do."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
import torch

from evaluation.bit_maps import BitMap
from evaluation.schemes import REFERENCE, SCHEMES, load_scheme, unavailable
from evaluation.schemes.applying import apply_scheme
from evaluation.schemes.calibration import Tokens, log_probabilities
from evaluation.schemes.record import linear_layers
from evaluation.schemes.report import SchemeReport
from evaluation.schemes.tests.conftest import Fresh

pytestmark = pytest.mark.engine
HERE = [key for key, info in SCHEMES.items() if not unavailable(info, "cpu") and info.family != "prequantised"]
CHANGING = [key for key in HERE if SCHEMES[key].family != REFERENCE]


@pytest.fixture(scope="module")
def applied(fresh: Fresh, few: Tokens) -> Any:
    """key, time -> (module, report); each scheme is applied twice at most, with the same seed, to two modules."""

    @cache
    def applied(key: str, time: int = 0) -> tuple[Any, SchemeReport]:
        module = fresh("xs", key)
        bits = BitMap({name: 3 for name, _ in linear_layers(module)}) if SCHEMES[key].needs_map else None
        return module, apply_scheme(key, module, tokens=few, bits=bits, seed=7, bytes_on_disk=1234)

    return applied


def test_all_but_the_gpu_schemes_run_here() -> None:
    assert {key for key in SCHEMES if key not in HERE} == {"int4_packed", "fp8_dynamic", "prequantised"}
    for name in ("bf16", "int8", "int4", "nf4", "fp8", "nvfp4", "mxfp4", "llm_fp4", "gptq", "evopress", "rotation"):
        assert any(name in key for key in HERE)


@pytest.mark.parametrize("key", HERE)
def test_logits_are_finite_and_of_the_same_shape_and_type(key: str, applied: Any, held_out: torch.Tensor) -> None:
    module, _ = applied(key)
    logits = module(held_out[:4]).logits
    assert logits.shape == (4, held_out.shape[1], 400)
    assert logits.dtype == load_scheme(key).dtype
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize("key", [key for key in CHANGING if key != "evopress_4"])  # the same search as evopress_3
def test_another_module_becomes_the_same(key: str, applied: Any, held_out: torch.Tensor) -> None:
    first, second = applied(key), applied(key, 1)
    assert first[1] == second[1]
    assert torch.equal(first[0](held_out[:4]).logits, second[0](held_out[:4]).logits)


@pytest.mark.parametrize("key", CHANGING)
def test_a_copy_computes_the_same(key: str, applied: Any, held_out: torch.Tensor) -> None:
    module, _ = applied(key)
    assert torch.equal(copy.deepcopy(module)(held_out[:2]).logits, module(held_out[:2]).logits)


@pytest.mark.parametrize("key", CHANGING)
def test_a_token_does_not_depend_on_the_rest_of_its_batch(key: str, applied: Any, held_out: torch.Tensor) -> None:
    module, _ = applied(key)
    together, alone = (log_probabilities(module, rows)[0] for rows in (held_out[:8], held_out[:1]))
    assert torch.allclose(together, alone, atol=0.05 if load_scheme(key).dtype == torch.float16 else 1e-3)


@pytest.mark.parametrize("key", HERE)
def test_the_report_is_complete_and_is_json(key: str, applied: Any) -> None:
    _, report = applied(key)
    info, data = SCHEMES[key], report.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False))["scheme"] == key
    assert report.parameters == 54_464
    assert (report.bytes_on_disk, report.seed) == (1234, 7)
    if not info.needs_map:  # there the map says how many
        assert report.bits == pytest.approx(info.bits, abs=0.5)
    assert 0 < report.nominal_bytes < report.parameters * 4 + 1
    assert report.bytes_in_memory >= report.parameters * info.bits / 8 * 0.5
    if info.family == REFERENCE:
        assert (report.changed, report.share_changed, report.kept) == (0, 0, ())
        return
    assert report.changed == len(report.matrices) == 7
    assert {matrix.name.rpartition(".")[2] for matrix in report.matrices} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    assert all(matrix.snr_db is not None and 0 < matrix.snr_db < 60 for matrix in report.matrices)
    assert 0.4 < report.share_changed < 0.6
    assert "model.embed_tokens.weight" in report.kept
    assert bool(report.calibration_hash) == info.needs_calibration


@pytest.mark.parametrize("key", CHANGING)
def test_embedding_and_output_layer_keep_full_precision(key: str, applied: Any, fresh: Fresh) -> None:
    """Rotation turns them, which is no rounding: norms of rows are kept."""
    module, plain = applied(key)[0], fresh("xs", key)
    for found, expected in (
        (module.get_input_embeddings().weight, plain.get_input_embeddings().weight),
        (module.lm_head.weight, plain.lm_head.weight * (plain.model.norm.weight if "rotation" in key else 1)),
    ):
        assert torch.allclose(found.norm(dim=1), expected.norm(dim=1), rtol=1e-4)
        assert torch.equal(found, expected) or "rotation" in key


@pytest.mark.parametrize("key", ["int8", "nf4", "nf4_double", "llm_int8"])
def test_memory_is_what_is_held_not_what_is_nominal(key: str, applied: Any) -> None:
    """Real storage is below 32 bits a weight; torchao keeps 4-bit weights as 8-bit integers."""
    _, report = applied(key)
    assert report.bytes_in_memory < applied("fp32")[1].bytes_in_memory * 0.75
    assert applied("int4")[1].bytes_in_memory >= applied("int8")[1].bytes_in_memory
    assert "8-bit integers" in " ".join(applied("int4")[1].notes)
