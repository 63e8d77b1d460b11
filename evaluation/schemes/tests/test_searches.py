"""Searched schemes against what they must beat, on texts that neither has seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch

from evaluation import bit_maps
from evaluation.bit_maps import BitMap
from evaluation.errors import BadParameter, ModelRefused
from evaluation.schemes import evopress, gptq, grids
from evaluation.schemes.applying import apply_scheme
from evaluation.schemes.calibration import Tokens, log_probabilities, mean_kl
from evaluation.schemes.evopress import Effort, Evolution, database, starting_map
from evaluation.schemes.record import Record
from evaluation.schemes.tests.conftest import Fresh

pytestmark = pytest.mark.engine
KL = Callable[[str, str], float]


@pytest.mark.parametrize("size", ["s", "m"])
def test_llm_fp4_is_closer_than_plain_e2m1(size: str, kl_of: KL) -> None:
    assert kl_of("llm_fp4", size) < 0.5 * kl_of("e2m1_w4a4", size)


@pytest.mark.parametrize("size", ["s", "m"])
def test_gptq_halves_the_divergence_of_rounding_to_nearest(size: str, kl_of: KL, fresh: Fresh, held_out: Any) -> None:
    """On the same grid with 3 bits, fitted the same way."""
    module = fresh(size)
    reference = log_probabilities(module, held_out)
    for _, layer in Record(module).layers():
        layer.weight.copy_(grids.rounded(layer.weight, 3))
    nearest = mean_kl(reference, log_probabilities(module, held_out))
    assert kl_of("gptq_int3", size) < 0.5 * nearest


def test_gptq_of_uncorrelated_inputs_is_rounding_to_nearest() -> None:
    weight = torch.randn(16, 96, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(gptq.fit(weight, torch.eye(96), 3), grids.rounded(weight, 3), atol=1e-6)


def test_gptq_lowers_the_error_that_it_is_about() -> None:
    generator = torch.Generator().manual_seed(2)
    weight, mixed = torch.randn(32, 64, generator=generator), torch.randn(64, 64, generator=generator)
    moments = mixed @ mixed.T / 64
    moments[5] = moments[:, 5] = 0  # an input that is always 0

    def error(found: torch.Tensor) -> float:
        return float((((found - weight) @ moments) * (found - weight)).sum())

    assert error(gptq.fit(weight, moments, 3)) < 0.6 * error(grids.rounded(weight, 3))


def test_a_grid_of_four_bits_holds_zero_and_sixteen_numbers() -> None:
    group = torch.linspace(-1, 3, 32)[None]
    grid = grids.fitted_grid(group, 4, torch.ones(32))
    assert grid.nearest(torch.zeros(1, 1)).item() == 0
    assert len(grid.nearest(torch.linspace(-9, 9, 500)[None]).unique()) == 16


@pytest.fixture(scope="module")
def evolved(fresh: Fresh, tokens: Tokens) -> tuple[Evolution, evopress.Found, list[dict[str, Any]]]:
    """A search on tiny-s with less effort than a run makes, and its news."""
    module = fresh("s")
    layers = list(Record(module).layers())
    fit, judge = tokens.split()
    effort = Effort(generations=8, offspring=12)
    evolution = Evolution(module, dict(layers), database(module, Record(module), fit), judge.ids, 3, effort)
    news: list[dict[str, Any]] = []
    return evolution, evolution.run(Fraction(3), lambda one: news.append(dict(one))), news


def test_evopress_meets_its_budget_exactly_and_beats_the_uniform_map(
    evolved: tuple[Evolution, evopress.Found, Any], fresh: Fresh, held_out: torch.Tensor
) -> None:
    evolution, found, _ = evolved
    assert found.average == bit_maps.average(found.bits, evolution.sizes) == 3
    assert len(set(found.bits.values())) > 1
    reference = log_probabilities(fresh("s"), held_out)
    kl = mean_kl(reference, log_probabilities(evolution.module, held_out))
    evolution.load(dict.fromkeys(found.bits, 3))
    uniform = mean_kl(reference, log_probabilities(evolution.module, held_out))
    evolution.load(found.bits)
    assert kl < 0.95 * uniform
    assert found.kl < found.uniform_kl


def test_a_large_vocabulary_is_judged_on_fewer_rows(fresh: Fresh, few: Tokens, monkeypatch: Any) -> None:
    monkeypatch.setattr(evopress, "MEMORY", 4 * 400 * 64 * 5)
    assert len(Evolution(fresh("xs"), {}, {}, few.ids, 1).ids) == 5


def test_evopress_tells_of_every_generation(evolved: tuple[Evolution, evopress.Found, Any]) -> None:
    evolution, found, news = evolved
    last = {one["step"]: one for one in news if one}
    assert list(last) == list(range(1, 9))
    assert all(bit_maps.average(one["bits"], evolution.sizes) == 3 for one in last.values())
    assert [one["kl"] for one in last.values()] == list(found.history)


def test_a_map_that_was_found_gives_the_same_weights_again(
    evolved: tuple[Evolution, evopress.Found, Any], fresh: Fresh, tokens: Tokens
) -> None:
    evolution, found, _ = evolved
    module = fresh("s")
    shapes = {name: tuple(layer.weight.shape) for name, layer in Record(module).layers()}
    given = bit_maps.read(json.loads(json.dumps(BitMap(found.bits, shapes).to_json())))
    assert given.average == 3
    report = apply_scheme("evopress_map", module, tokens=tokens, bits=given)
    assert (report.search["bits"], report.search["map_hash"]) == (found.bits, given.hash)
    assert report.search["average_bits"] == 3
    assert {matrix.name: matrix.bits for matrix in report.matrices} == {
        name: grids.grid_bits(level) for name, level in found.bits.items()
    }
    assert all(torch.equal(layer.weight, evolution.layers[name].weight) for name, layer in Record(module).layers())


def test_a_map_of_another_model_is_refused_before_anything_changes(fresh: Fresh, few: Tokens) -> None:
    module, other = fresh("xs"), fresh("s")
    before = {name: weight.clone() for name, weight in module.named_parameters()}
    given = BitMap({name: 3 for name, _ in Record(other).layers()})
    with pytest.raises(BadParameter, match="which the model does not have"):
        apply_scheme("evopress_map", module, tokens=few, bits=given)
    shapes = {name: (8, 8) for name, _ in Record(module).layers()}
    with pytest.raises(BadParameter, match=r"with the shape 8 × 8; the model’s is") as refused:
        apply_scheme("evopress_map", module, tokens=few, bits=BitMap(dict.fromkeys(shapes, 3), shapes))
    assert refused.value.field == "shape"
    with pytest.raises(ModelRefused, match="takes a map of bits per layer, and none was given"):
        apply_scheme("evopress_map", module, tokens=few)
    assert all(torch.equal(weight, before[name]) for name, weight in module.named_parameters())


def test_a_start_meets_any_average_that_the_sizes_allow() -> None:
    sizes = {"a": 4, "b": 4, "c": 2, "d": 2}
    for target in (Fraction(3), Fraction(7, 2), Fraction(19, 6), Fraction(6)):
        assert bit_maps.average(starting_map(sizes, target), sizes) == target
    with pytest.raises(BadParameter, match=r"cannot have 3\.01 bits"):
        starting_map(sizes, Fraction(301, 100))
    with pytest.raises(BadParameter, match="between 2 and 6"):
        starting_map(sizes, Fraction(7))


def test_a_search_can_be_stopped(fresh: Fresh, few: Tokens) -> None:
    class Stopped(Exception):
        pass

    def stop(news: Any) -> None:
        raise Stopped

    for key in ("evopress_3", "rotation_learned", "llm_fp4", "gptq_int4"):
        with pytest.raises(Stopped):
            apply_scheme(key, fresh("xs"), tokens=few, tell=stop)


def test_learning_the_rotation_helps(kl_of: KL) -> None:
    learned = kl_of("rotation_learned", "s")
    assert learned < kl_of("rotation_w4a4", "s")
    assert learned < kl_of("int4_w4a4", "s")
