"""Checkpoints that must not be loaded are refused in words, and never become a plausible score."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from deploy.demo.train import CHECKPOINTS
from evaluation.checkpoints import weights_hash
from evaluation.errors import ModelRefused, OutOfMemory
from evaluation.inference.engine import Engine
from evaluation.inference.loading import find, load, out_of_memory
from evaluation.inference.tests.conftest import BENCHMARKS, Runner, spec_of
from evaluation.records import Checkpoint
from evaluation.schemes import SCHEMES, load_scheme
from evaluation.schemes.measuring import bytes_held

pytestmark = pytest.mark.engine


def change_config(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))


def load_folder(folder: Path) -> object:
    return load(find(Checkpoint(str(folder))), device="cpu", dtype=torch.float32)


def test_a_sound_checkpoint_loads_with_its_memory(broken: Path) -> None:
    loaded = load(find(Checkpoint(str(broken))), device="cpu", dtype=torch.bfloat16)
    assert loaded.module.dtype == torch.bfloat16
    assert not loaded.module.training
    # rotary frequencies stay in fp32 beside 2 bytes a parameter; the tied output layer counts once
    assert loaded.bytes == bytes_held(loaded.module)
    assert 2 * 54_464 <= loaded.bytes < 2 * 54_464 + 1_000


def test_pickled_weights_are_refused_unread(broken: Path) -> None:
    (broken / "model.safetensors").unlink()
    (broken / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(ModelRefused, match="pickled"):
        load_folder(broken)


def test_corrupt_weights_are_refused(broken: Path) -> None:
    content = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelRefused, match="not a complete safetensors file"):
        load_folder(broken)


def test_an_unknown_architecture_is_refused(broken: Path) -> None:
    change_config(broken, model_type="no_such_model", architectures=["NoSuchModel"])
    with pytest.raises(ModelRefused, match="no_such_model"):
        load_folder(broken)


def test_code_of_a_checkpoint_does_not_run(broken: Path, engine: Engine, evaluate: Runner) -> None:
    change_config(broken, model_type="mine", auto_map={"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Mine"})
    (broken / "mine.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelRefused, match="does not load"):
        load_folder(broken)
    with pytest.raises(ModelRefused, match="code of its own"):
        evaluate(spec_of(BENCHMARKS["series"]), Checkpoint(str(broken), trust_remote_code=True))


def test_missing_weights_are_not_drawn_at_random(broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelRefused, match="up_proj"):
        load_folder(broken)


def test_weights_of_another_shape_are_refused(broken: Path) -> None:
    change_config(broken, intermediate_size=128)
    with pytest.raises(ModelRefused):
        load_folder(broken)


@pytest.mark.parametrize("missing", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_missing_file_is_named(missing: str, broken: Path) -> None:
    (broken / missing).unlink()
    with pytest.raises(ModelRefused, match=r"no tokenizer|no config\.json|no weights"):
        load_folder(broken)


def test_a_tokenizer_of_another_model_is_refused(broken: Path) -> None:
    tokenizer = json.loads((broken / "tokenizer.json").read_text())
    for number in range(5):
        extra = {"id": 400 + number, "content": f"<|extra{number}|>", "special": True}
        extra |= {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        tokenizer["added_tokens"].append(extra)
    (broken / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelRefused, match="405 tokens and the weights 400"):
        load_folder(broken)


def test_other_weights_than_registered_are_refused(broken: Path) -> None:
    registered = weights_hash(broken)
    assert find(Checkpoint(str(broken), weights_hash=registered)).weights_hash == registered
    shutil.copy(CHECKPOINTS / "tiny-s" / "model.safetensors", broken)
    with pytest.raises(ModelRefused, match="not the registered ones"):
        find(Checkpoint(str(broken), weights_hash=registered))


def test_only_pinned_places_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelRefused, match="absolute path"):
        find(Checkpoint("tiny-xs"))
    with pytest.raises(ModelRefused, match="not a commit"):
        find(Checkpoint("someone/model", revision="main"))


def test_a_hub_repository_offline_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelRefused, match="offline"):
        find(Checkpoint("someone/model", revision="0" * 40))


def test_running_out_of_memory_is_an_error_of_its_own() -> None:
    with pytest.raises(OutOfMemory, match="cpu"), out_of_memory("cpu"):
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory("cpu"):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_reference_schemes_are_floating_point() -> None:
    for key, info in SCHEMES.items():
        if info.family == "reference":
            scheme = load_scheme(key)
            assert torch.finfo(scheme.dtype).bits == info.bits
            assert not scheme.in_place
