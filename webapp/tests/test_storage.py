"""Static files: every name that a browser asks for carries the hash of its content."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from django.conf import settings

from webapp.storage import StaticStorage


def test_modules_import_each_other_by_their_hashed_names(tmp_path: Path) -> None:
    shutil.copytree(settings.BASE_DIR / "static" / "js", tmp_path / "js")
    storage = StaticStorage(location=str(tmp_path))
    paths = {f"js/{path.name}": (storage, f"js/{path.name}") for path in (tmp_path / "js").glob("*.js")}

    assert not [error for _, _, error in storage.post_process(paths) if isinstance(error, Exception)]

    imports = re.compile(r'^import (?:.* from )?"(\./[^"]+)";', re.MULTILINE)
    hashed = [tmp_path / storage.hashed_files[name] for name in paths]
    asked = [name for path in hashed for name in imports.findall(path.read_text())]
    assert asked, "some modules import others"
    for name in asked:
        assert re.search(r"\.[0-9a-f]{12}\.js$", name), name
        assert (tmp_path / "js" / name).exists()
