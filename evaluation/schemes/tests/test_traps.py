"""Ways in which a scheme can do nothing, or something else, under its own name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from deploy.demo.train import CHECKPOINTS
from evaluation import schemes
from evaluation.errors import ModelRefused, NotEnoughData, NotFinite
from evaluation.inference.harness import LocalModel
from evaluation.inference.loading import find, load
from evaluation.records import Calibration, Checkpoint
from evaluation.schemes import SCHEMES, SchemeInfo, load_scheme, unavailable
from evaluation.schemes.applying import apply_scheme
from evaluation.schemes.calibration import Tokens, refuse_leaks, tokenise
from evaluation.schemes.tests.conftest import Fresh

pytestmark = pytest.mark.engine


def llama(hidden: int = 64, feed_forward: int = 128, **options: Any) -> LlamaForCausalLM:
    torch.manual_seed(3)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96, "max_position_embeddings": 64}
    config = LlamaConfig(hidden_size=hidden, intermediate_size=feed_forward, **(shape | options))
    return LlamaForCausalLM(config).eval().requires_grad_(requires_grad=False)


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(4)
    config = GPT2Config(n_layer=2, n_head=2, n_embd=64, vocab_size=96, n_positions=64)
    return GPT2LMHeadModel(config).eval().requires_grad_(requires_grad=False)


def test_conv1d_layers_are_quantised_like_linear_ones() -> None:
    """GPT-2's layers are no nn.Linear: a library passes them over without a word."""
    ids = torch.arange(20)[None]
    module = gpt2()
    before = module(ids).logits
    report = apply_scheme("int8", module)
    assert (report.changed, len(report.matrices)) == (8, 8)
    assert "8 Conv1D layers" in report.notes[0]
    after = module(ids).logits
    assert 0 < float((after - before).abs().max()) < 0.1
    coarse = gpt2()
    apply_scheme("int2", coarse)
    assert float((coarse(ids).logits - before).abs().max()) > 3 * float((after - before).abs().max())


@pytest.mark.parametrize("key", ["int4", "llm_int8", "fp8"])
def test_a_quantised_output_layer_is_not_tied_back(key: str, fresh: Fresh) -> None:
    """lm_eval ties weights when it takes a module over; the tied embedding would replace the quantised layer."""
    from transformers import AutoTokenizer

    module = fresh("xs", key)
    assert module.lm_head.weight is module.model.embed_tokens.weight
    embedding = module.model.embed_tokens.weight.clone()
    report = apply_scheme(key, module, output=True)
    assert "lm_head" in {matrix.name for matrix in report.matrices if matrix.changed}
    ids = torch.arange(20)[None]
    before = module(ids).logits
    LocalModel(module, AutoTokenizer.from_pretrained(CHECKPOINTS / "tiny-xs"))
    module.tie_weights()
    assert torch.equal(module(ids).logits, before)
    assert torch.equal(module.model.embed_tokens.weight, embedding)


def test_a_nan_weight_is_named() -> None:
    module = llama()
    module.model.layers[1].mlp.up_proj.weight[3, 2] = torch.nan
    with pytest.raises(NotFinite, match=r"model\.layers\.1\.mlp\.up_proj\.weight holds NaN"):
        apply_scheme("int8", module)


def test_logits_that_overflow_are_refused() -> None:
    module = llama()
    module.lm_head.weight *= 1e38
    module.model.norm.weight *= 1e30
    with pytest.raises(NotFinite, match="logits are not finite"):
        apply_scheme("fp8", module)


def test_a_scheme_without_effect_is_refused() -> None:
    module = llama()
    for name, weight in module.named_parameters():
        if "proj" in name:
            weight.zero_()
    with pytest.raises(ModelRefused, match="changed none of the 14 matrices"):
        apply_scheme("nvfp4", module)


@pytest.mark.parametrize(
    ("key", "module", "reason"),
    [
        ("nf4", llama(96, 192), r"q_proj has 96 inputs, which is no multiple of 64: bitsandbytes"),
        ("nf4", llama(64, 192, num_key_value_heads=1), r"k_proj has 16 outputs, which is no multiple of 32"),
        ("int4", llama(80, 160), r"q_proj has 80 inputs, which is no multiple of 32: groups of 32"),
        ("mxfp4", llama(48, 96), r"multiple of 32: MXFP4"),
        ("nvfp4", llama(40, 80), r"multiple of 16: NVFP4"),
        ("gptq_int3", llama(80, 160), "groups of 32"),
        ("rotation_w4a4", gpt2(), "architecture is gpt2"),
        ("rotation_learned", gpt2(), "architecture is gpt2"),
        ("prequantised", llama(), "no quantization_config"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(key: str, module: Any, reason: str, few: Tokens) -> None:
    weights = {name: weight.clone() for name, weight in module.state_dict().items()}
    with pytest.raises(ModelRefused, match=reason):
        apply_scheme(key, module, tokens=few)
    if key != "rotation_learned" and "gpt2" not in reason:
        assert all(torch.equal(weight, weights[name]) for name, weight in module.state_dict().items())


def test_a_scheme_that_must_see_texts_says_so() -> None:
    for key, info in SCHEMES.items():
        if info.needs_calibration:
            with pytest.raises(ModelRefused, match=r"calibration set was given\. Choose a calibration set"):
                apply_scheme(key, llama())


def test_missing_packages_and_devices_are_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unavailable(SCHEMES["int4_packed"], "cpu") == "It runs on cuda, not on cpu."
    assert unavailable(SCHEMES["int8"], "cuda:1") == ""
    absent = SchemeInfo("x", "x", "integer", 8, "x:x", packages=("no_such_package",))
    assert "no_such_package" in unavailable(absent, "cpu")
    monkeypatch.setattr(schemes.importlib.util, "find_spec", lambda name: None)
    assert {key for key, info in SCHEMES.items() if unavailable(info, "cuda")} == {
        key for key, info in SCHEMES.items() if info.packages
    }


def test_gpu_configurations_can_be_made_here() -> None:
    """What needs a GPU to run is built at least, so that a renamed option shows."""
    from evaluation.schemes import integers

    assert integers._int4_packed().group_size == integers.PACKED_GROUP
    assert integers._fp8_dynamic() is not None
    with pytest.raises(ModelRefused, match=r"compute capability 8\.9"):
        apply_scheme("fp8_dynamic", llama())


def test_grouped_heads_and_biases_survive_the_rotation(few: Tokens) -> None:
    """Qwen-like: biases, and two query heads for each key head. In exact arithmetic the turn changes nothing."""
    from evaluation.schemes import rotation

    module = llama(96, 160, num_attention_heads=6, num_key_value_heads=3, attention_bias=True, mlp_bias=True)
    for name, weight in module.named_parameters():
        if "bias" in name or "norm" in name:
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))), alpha=0.3)
    ids = torch.arange(30)[None]
    before = module(ids).logits
    rotation.fold_norms(module)
    still = rotation.unscaled(module)
    generator = torch.Generator().manual_seed(1)
    factors = [torch.randn(len(one), generator=generator) * 0.2 for one in (*still.up, *still.value)]
    turn = rotation.hadamard(96, generator)
    assert torch.allclose(turn @ turn.T, torch.eye(96), atol=1e-5)
    rotation.install(module, rotation.Turn(turn, tuple(factors[:2]), tuple(factors[2:])))
    assert torch.allclose(module(ids).logits, before, atol=2e-5)
    assert apply_scheme("rotation_w4a4", module).changed == 14


def test_calibration_texts_become_whole_rows(fresh: Fresh) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINTS / "tiny-xs")
    found = tokenise(Calibration("a", ("Q: 1+2\nA: 3\n",) * 200), tokenizer, longest=40)
    assert found.ids.shape[1] == 40
    assert int((found.ids == tokenizer.eos_token_id).sum()) > len(found.ids)
    with pytest.raises(NotEnoughData, match="tokens, less than a row"):
        tokenise(Calibration("a", ("Q",)), tokenizer, longest=40)
    with pytest.raises(NotEnoughData, match="a search needs two"):
        replace(found, ids=found.ids[:1]).split()


def test_the_hash_of_a_calibration_set_is_that_of_its_texts() -> None:
    first = Calibration("a", ("x", "y"))
    assert first.hash == Calibration("b", ("x", "y")).hash
    assert len({first.hash, Calibration("a", ("y", "x")).hash, Calibration("a", ("xy",)).hash}) == 3


def test_calibration_texts_that_hold_a_question_are_refused() -> None:
    texts = Calibration("mine", ("Q: 1+2\nA: 3\n", "Q: 4+5\nA: 9\n"))
    refuse_leaks(texts, ["Q: 2+2\nA:", "", 3])
    with pytest.raises(ModelRefused, match=r"mine holds a question of the benchmark \('Q: 4\+5"):
        refuse_leaks(texts, ["Q: 2+2\nA:", "Q: 4+5\nA:"])


def test_a_checkpoint_that_is_quantised_already_is_taken_as_it_is(tmp_path: Any) -> None:
    """Written by bitsandbytes through transformers, read back, and refused by every other scheme."""
    import shutil

    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    source = CHECKPOINTS / "tiny-xs"
    wanted = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    module = AutoModelForCausalLM.from_pretrained(source, quantization_config=wanted, dtype=torch.bfloat16)
    module.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, tmp_path)
    files = find(Checkpoint(str(tmp_path)))
    assert files.description.quantization == "bitsandbytes"
    loaded = load(files, device="cpu", dtype=load_scheme("prequantised").dtype).module
    report = apply_scheme("prequantised", loaded)
    assert (report.bits, report.changed) == (4.5, 7)
    assert report.bytes_in_memory < 54_464 * 2
    for key in ("int8", "fp8", "bf16"):
        with pytest.raises(ModelRefused, match="quantised already"):
            apply_scheme(key, load(files, device="cpu", dtype=torch.bfloat16).module)


@pytest.mark.parametrize(
    ("config", "bits"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, 4.125),
        ({"quant_method": "awq", "bits": 4, "group_size": 64}, 4.25),
        ({"quant_method": "fp8"}, 8),
        ({"quant_method": "mxfp4"}, 4.25),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 8),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8}}}}, 8),
        ({"quant_method": "unheard-of"}, None),
    ],
)
def test_bits_are_read_from_the_configuration(config: dict[str, Any], bits: float | None) -> None:
    from evaluation.schemes.prequantised import bits_of

    assert bits_of(config) == bits
