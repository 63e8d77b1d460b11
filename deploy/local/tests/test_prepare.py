from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import LazySettings

from deploy.local.prepare import collect_static_files


def test_static_files_are_collected_again_only_after_a_change(
    settings: LazySettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "a.css").write_text("a { color: red }")
    settings.STATICFILES_DIRS = [sources]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "var/static"
    assert collect_static_files()
    assert not collect_static_files()
    (sources / "b.css").write_text("b { color: blue }")
    assert collect_static_files()
    manifest = json.loads((settings.STATIC_ROOT / "staticfiles.json").read_text())
    assert sorted(manifest["paths"]) == ["a.css", "b.css"]
    (settings.STATIC_ROOT / "staticfiles.json").unlink()  # somebody tidied up
    assert collect_static_files()
    assert "static files: done in" in capsys.readouterr().out
