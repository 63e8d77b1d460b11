"""Checkpoint directories, read without torch."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation.checkpoints import chat_template_hash, describe, tokenizer_hash, weights_hash
from evaluation.errors import ModelRefused


def write_safetensors(file: Path, tensors: dict[str, tuple[str, list[int], int]], tail: bytes = b"") -> None:
    """A file of zeros by hand. tensors: name -> (dtype, shape, bytes)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end) + tail)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small checkpoint of two files."""
    path = tmp_path / "entry"
    path.mkdir()
    write_safetensors(path / "b.safetensors", {"w": ("BF16", [4, 8], 64), "n": ("F32", [4], 16)})
    write_safetensors(path / "a.safetensors", {"e": ("BF16", [10], 20)})
    config = {
        "architectures": ["TinyForCausalLM"],
        "model_type": "tiny",
        "max_position_embeddings": 32,
        "vocab_size": 9,
    }
    (path / "config.json").write_text(json.dumps(config))
    (path / "tokenizer.json").write_text("{}")
    return path


def test_a_description_comes_from_headers_and_configuration(folder: Path) -> None:
    found = describe(folder)
    assert (found.architecture, found.model_type, found.context_length) == ("TinyForCausalLM", "tiny", 32)
    assert (found.parameters, found.dtype, found.files) == (46, "bfloat16", ("a.safetensors", "b.safetensors"))
    assert found.bytes == sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    assert (found.vocabulary, found.quantization) == (9, "")


def test_the_weights_hash_is_what_the_shell_says(folder: Path) -> None:
    command = "sha256sum *.safetensors | sha256sum"
    shell = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True)
    assert weights_hash(folder) == shell.stdout.split()[0]


def test_hashes_change_with_the_files_and_only_with_them(folder: Path) -> None:
    before = weights_hash(folder), tokenizer_hash(folder)
    (folder / "README.md").write_text("words")
    assert (weights_hash(folder), tokenizer_hash(folder)) == before
    write_safetensors(folder / "a.safetensors", {"f": ("BF16", [10], 20)})
    assert weights_hash(folder) != before[0]
    (folder / "tokenizer_config.json").write_text("{}")
    assert tokenizer_hash(folder) != before[1]


def test_a_chat_template_is_found_in_either_place(folder: Path) -> None:
    assert chat_template_hash(folder) == ""
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    expected = hashlib.sha256(b"{{ messages }}").hexdigest()
    assert chat_template_hash(folder) == expected
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "tokenizer_config.json").write_text("{}")
    assert chat_template_hash(folder) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "longer than the file"),
        (b"\xff" * 8 + b"{}", "longer than the file"),
        ((2).to_bytes(8, "little") + b"{x", "header cannot be read|complete safetensors"),
        ((2).to_bytes(8, "little") + b"{}" + b"rest", "4 bytes of data"),
    ],
)
def test_a_broken_file_is_refused(content: bytes, words: str, folder: Path) -> None:
    (folder / "a.safetensors").write_bytes(content)
    with pytest.raises(ModelRefused, match=words):
        describe(folder)


def test_a_file_that_ends_early_or_late_is_refused(folder: Path) -> None:
    write_safetensors(folder / "a.safetensors", {"e": ("BF16", [10], 20)}, tail=b"xx")
    with pytest.raises(ModelRefused, match="22 bytes of data where its header names 20"):
        describe(folder)
    content = (folder / "b.safetensors").read_bytes()
    write_safetensors(folder / "a.safetensors", {"e": ("BF16", [10], 20)})
    (folder / "b.safetensors").write_bytes(content[:-1])
    with pytest.raises(ModelRefused, match="79 bytes"):
        describe(folder)


def test_a_tensor_that_does_not_fit_its_shape_is_refused(folder: Path) -> None:
    write_safetensors(folder / "a.safetensors", {"e": ("BF16", [11], 20)})
    with pytest.raises(ModelRefused, match="tensor e"):
        describe(folder)


def test_pickled_weights_are_refused_and_beside_good_ones_ignored(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    assert describe(folder).parameters == 46
    for file in folder.glob("*.safetensors"):
        file.unlink()
    with pytest.raises(ModelRefused, match="pickled"):
        describe(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ModelRefused, match="no weights"):
        describe(folder)


def test_links_that_leave_the_directory_are_refused_unless_told(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "blobs"
    outside.mkdir()
    (folder / "a.safetensors").rename(outside / "a")
    (folder / "a.safetensors").symlink_to(outside / "a")
    with pytest.raises(ModelRefused, match="outside"):
        describe(folder)
    assert describe(folder, inside=tmp_path).parameters == 46
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/etc/passwd")
    with pytest.raises(ModelRefused, match="outside"):
        describe(folder, inside=tmp_path)


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"e": "a.safetensors", "w": "b.safetensors", "z": "c.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelRefused, match=r"c\.safetensors"):
        describe(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_missing_files_are_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelRefused, match="no tokenizer" if name == "tokenizer.json" else r"no config\.json"):
        (tokenizer_hash if name == "tokenizer.json" else describe)(folder)


def test_a_configuration_that_is_no_object_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("[]")
    with pytest.raises(ModelRefused, match="not a JSON object"):
        describe(folder)
    with pytest.raises(ModelRefused, match="no directory"):
        describe(folder / "elsewhere")


def test_unchanged_files_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = weights_hash(folder)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert weights_hash(folder) == first


def test_what_the_web_imports_loads_no_torch() -> None:
    modules = (
        "evaluation.benchmarks, evaluation.checkpoints, evaluation.endpoints, evaluation.schemes, evaluation.records"
    )
    code = (
        f"import sys, {modules}; print([m for m in ('torch', 'transformers', 'lm_eval', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
