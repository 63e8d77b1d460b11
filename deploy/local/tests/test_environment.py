"""A small repository with a hand-made wheel: the real venv and the real pip work on it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.local.environment import Environment, EnvironmentBroken, Progress, main


def make_wheel(folder: Path, name: str) -> Path:
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "word = 'found'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return wheel


def write_project(root: Path, extra: str) -> None:
    base = make_wheel(root, "tinybase")
    (root / "pyproject.toml").write_text(
        f'[project]\nname = "p"\ndependencies = ["tinybase @ {base.as_uri()}"]\n[project.optional-dependencies]\n'
        f'more = ["{extra}"]\nnothing = []\n'
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, list[str]]:
    """Built over what another Python has left: its stamp, and a link that now leads to this Python."""
    root = tmp_path_factory.mktemp("repository")
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".venv/bin/python").symlink_to(sys.executable)
    (root / ".venv/crosstable.json").write_text('{"python": "3.9", "base": "as it was"}')
    write_project(root, "tinybase")
    (root / "constraints.txt").write_text("")
    said: list[str] = []
    environment = Environment(root)
    environment.ensure([], said.append)
    return environment, said


def test_the_first_call_builds_and_the_second_does_nothing(built: tuple[Environment, list[str]]) -> None:
    environment, said = built
    assert said[0].startswith("making ")
    assert json.loads((environment.folder / "crosstable.json").read_text())["python"] != "3.9"
    assert said[-1].startswith("installed base in ")
    assert list(environment.folder.glob("lib/*/site-packages/__pycache__/tinybase.*.pyc"))
    code = "import tinybase, sys; print(tinybase.word, sys.prefix, sys.path[-1])"
    done = subprocess.run([environment.python, "-c", code], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["found", str(environment.folder), str(environment.root)]
    again: list[str] = []
    environment.ensure([], again.append)
    assert again == []


def test_only_what_changed_is_outdated(built: tuple[Environment, list[str]]) -> None:
    environment, _ = built
    environment.ensure(["nothing"], lambda _line: None)
    assert environment.outdated(["nothing", "more"]) == ["more"]
    write_project(environment.root, "tinybase==1.0")
    assert environment.outdated(["nothing", "more"]) == ["more"]
    (environment.root / "constraints.txt").write_text("# another\n")
    assert environment.outdated(["nothing", "more"]) == ["base", "nothing", "more"]
    environment.ensure(["nothing", "more"], lambda _line: None)
    assert environment.outdated(["nothing", "more"]) == []


def test_a_failed_install_leaves_no_stamp(built: tuple[Environment, list[str]]) -> None:
    environment, _ = built
    missing = (environment.root / "absent-1.0-py3-none-any.whl").as_uri()
    write_project(environment.root, f"absent @ {missing}")
    with pytest.raises(EnvironmentBroken, match=r"(?s)absent.*pip failed"):
        environment.ensure(["more"], lambda _line: None)
    assert environment.outdated(["more"]) == ["more"]
    write_project(environment.root, "tinybase")
    environment.ensure(["more"], lambda _line: None)
    assert environment.outdated(["more"]) == []


def test_a_broken_stamp_is_no_stamp(built: tuple[Environment, list[str]]) -> None:
    environment, _ = built
    (environment.folder / "crosstable.json").write_text('{"base": ')
    assert environment.outdated([]) == ["base"]


def test_an_unknown_extra_is_named(built: tuple[Environment, list[str]]) -> None:
    with pytest.raises(EnvironmentBroken, match=r"no extra 'wroker'. It has: more, nothing"):
        built[0].outdated(["wroker"])


def test_progress_is_always_whole_json(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "var/worker-install.json")
    for state in ("installing", "ready"):
        progress.write(state, "Collecting torch")
        shown = json.loads(progress.path.read_text())
        assert (shown["state"], shown["line"]) == (state, "Collecting torch")
        assert shown["started"].endswith("+00:00")
    assert [path.name for path in progress.path.parent.iterdir()] == ["worker-install.json"]


def test_the_command_reports_a_failure_in_words_and_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wroker", "--progress", str(tmp_path / "p.json")]) == 1
    assert "no extra 'wroker'" in capsys.readouterr().err
    assert json.loads((tmp_path / "p.json").read_text())["state"] == "failed"
