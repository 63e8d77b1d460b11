"""Formats bit for bit as torchao and bitsandbytes have them, on blocks that are hard: zeros, subnormals, outliers."""

from __future__ import annotations

import pytest
import torch

from evaluation.schemes import minifloats

BLOCKS = 10_000
pytestmark = pytest.mark.engine


def hard_blocks(width: int) -> torch.Tensor:
    """(BLOCKS, width): of very different sizes; every kind of number that formats treat apart."""
    generator = torch.Generator().manual_seed(width)
    powers = torch.randint(-20, 20, (BLOCKS, 1), generator=generator).float()
    values = torch.randn(BLOCKS, width, generator=generator) * torch.exp2(powers)
    values[:500] = 0
    values[500:1000] = values[500:1000] / values[500:1000].abs().amax(dim=1, keepdim=True) * 1e-39
    values[700:800] *= 1e-3
    values[1000:1500, 0] *= 1e6
    values[1500:2000, ::2] = 0
    ties = torch.randint(-12, 13, (500, width), generator=generator) / 4
    values[2000:2500] = ties * torch.exp2(powers[2000:2500] / 2)
    values[2500:2600] = -values[2500:2600].abs() * 1e-3
    assert 0 < values[500:1000].abs().max() < torch.finfo(torch.float32).tiny
    return values


def same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.equal(first.view(torch.int32), second.contiguous().view(torch.int32))


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "element"), [("mxfp4", "float4_e2m1fn_x2"), ("mxfp8", "float8_e4m3fn")])
def test_mx_formats_equal_torchao(name: str, element: str) -> None:
    from torchao.prototype.mx_formats.mx_tensor import MXTensor

    values = hard_blocks(32)
    expected = MXTensor.to_mx(values, getattr(torch, element), 32).dequantize(torch.float32)
    assert same_bits(getattr(minifloats, name)(values), expected)


@pytest.mark.oracle
def test_nvfp4_equals_torchao() -> None:
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale

    values = hard_blocks(16)
    scale = per_tensor_amax_to_scale(values.abs().max())
    expected = NVFP4Tensor.to_nvfp4(values, per_tensor_scale=scale).dequantize(torch.float32)
    assert same_bits(minifloats.nvfp4(values), expected)


@pytest.mark.oracle
def test_nf4_equals_bitsandbytes() -> None:
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    values = hard_blocks(64)
    stored, state = quantize_4bit(values, blocksize=64, quant_type="nf4")
    assert same_bits(minifloats.nf4(values), dequantize_4bit(stored, state))


def test_e2m1_holds_its_eight_sizes_and_ties_go_to_even() -> None:
    sizes = torch.tensor([0.0, 0.5, 1, 1.5, 2, 3, 4, 6])
    assert torch.equal(minifloats.e2m1(-sizes), -sizes)
    between = torch.tensor([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 7.0])
    assert minifloats.e2m1(between).tolist() == [0, 1, 1, 2, 2, 4, 4, 6]


def test_a_free_bias_moves_the_range_of_e2m1() -> None:
    """With the bias of the format it is E2M1 but for rounding ties; with another, the same times a power."""
    values = torch.linspace(-7, 7, 211)
    bias = minifloats.bias_for(torch.tensor(6.0), 2, 1)
    assert float(bias) == pytest.approx(1.0)
    assert torch.allclose(minifloats.minifloat(values, 2, 1, bias), minifloats.e2m1(values))
    wide = minifloats.bias_for(torch.tensor(24.0), 2, 1)
    assert torch.allclose(minifloats.minifloat(values * 4, 2, 1, wide), 4 * minifloats.e2m1(values))


def test_a_row_of_activations_does_not_depend_on_its_neighbours() -> None:
    values = torch.randn(4, 64, generator=torch.Generator().manual_seed(1)) * torch.tensor([[1.0], [1e3], [1e-3], [0]])
    assert torch.equal(minifloats.nvfp4_by_row(values)[1:2], minifloats.nvfp4_by_row(values[1:2]))
    assert torch.equal(minifloats.nvfp4_by_row(values)[3], torch.zeros(64))


def test_signal_to_noise_of_gaussian_weights_is_that_of_the_formats() -> None:
    """Orders of magnitude: each format's usual figure, in dB."""
    from evaluation.schemes.record import signal_to_noise

    values = torch.randn(256, 1024, generator=torch.Generator().manual_seed(2))
    usual = {"fp8": 31.6, "nf4": 20.7, "nvfp4": 20.4, "mxfp4": 18.6}
    found = {name: signal_to_noise(values, getattr(minifloats, name)(values)) for name in usual}
    assert found == pytest.approx(usual, abs=0.3)
