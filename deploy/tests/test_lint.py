"""The lint reads our files without a word, and finds what is broken in each kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy import lint
from deploy.local.environment import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the deployment files that may be broken."""
    copy = tmp_path / "deploy"
    for name in ("Dockerfile", "compose.yaml", "env.example"):
        copy.mkdir(exist_ok=True)
        shutil.copy(ROOT / "deploy" / name, copy)
    for name in ("kubernetes", "proxy", "systemd"):
        shutil.copytree(ROOT / "deploy" / name, copy / name)
    return copy


def test_our_files_are_read_without_a_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSTABLE_REQUIRE_LINT", "1")
    assert lint.main() == 0, capsys.readouterr().out


OF_THE_MACHINE = {"systemd": "systemd-analyze", "kustomize": "kubectl"}
BREAKAGES = [
    ("Dockerfile", "python:3.11.14-slim-bookworm", "python:latest", "dockerfile", "DL3007"),
    ("Dockerfile", "\nUSER 10001:10001", "\nUSER root", "dockerfile", "DL3002"),
    ("compose.yaml", "  read_only: true", "  reed_only: true", "compose", "reed_only"),
    ("compose.yaml", "{prepare: {condition", "{prepaid: {condition", "compose", "prepaid"),
    ("kubernetes/web.yaml", "readinessProbe", "readynessProbe", "kubernetes", "readynessProbe"),
    ("kubernetes/worker-gpu.yaml", "replicas: 1", "replicas: one", "kubernetes", "one"),
    ("kubernetes/kustomization.yaml", "- web.yaml", "- wep.yaml", "kustomize", "wep.yaml"),
    ("kubernetes/kustomization.yaml", "newTag", "newTug", "kustomize", "newTug"),
    ("kubernetes/kustomization.yaml", "namespace: crosstable", "namespace: [crosstable]", "kustomize", "namespace"),
    ("proxy/Caddyfile", "reverse_proxy", "revers_proxy", "caddy", "revers_proxy"),
    ("proxy/nginx.conf", "proxy_http_version 1.1;", "proxy_http_version 1.1", "nginx", "nginx.conf"),
    ("systemd/crosstable-web.service", "Restart=always", "Restart=sometimes", "systemd", "sometimes"),
    ("systemd/crosstable-web.service", "bin/uvicorn", "bin/ovicorn", "systemd", "ovicorn"),
]


@pytest.mark.parametrize(("name", "good", "bad", "check", "words"), BREAKAGES)
def test_what_is_broken_is_found(folder: Path, name: str, good: str, bad: str, check: str, words: str) -> None:
    path = folder / name
    text = path.read_text()
    assert good in text
    path.write_text(text.replace(good, bad))
    if (program := OF_THE_MACHINE.get(check)) and shutil.which(program) is None:
        assert isinstance(dict(lint.problems(folder))[check], lint.ProgramMissing)
        return
    with pytest.raises(lint.Unreadable, match=words):
        getattr(lint, check)(folder)


def test_a_missing_program_is_named_and_not_taken_for_a_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lint, "_folders", lambda: iter([str(tmp_path)]))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CROSSTABLE_REQUIRE_LINT", "1")
    assert lint.main() == 1
    assert "dockerfile: NOT READ, hadolint is not installed" in capsys.readouterr().out
