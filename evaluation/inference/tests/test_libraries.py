"""What libraries say of themselves when they are imported: facts of the machine, once, and no warnings."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from evaluation.inference.libraries import SPEAKERS, Remark, listen

IMPORTED = """
import logging
import os
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
import evaluation.inference.engine, torchao.quantization, bitsandbytes
"""


@pytest.mark.engine
def test_importing_the_engine_and_its_libraries_warns_of_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    ours = [line for line in lines if line.startswith("INFO crosstable.engine")]
    assert [line for line in lines if "WARNING" in line or line.startswith("W1") or "Failed" in line] == [
        line for line in ours if "Failed" in line
    ]
    assert len(ours) == len(set(ours))


def test_a_warning_is_said_once_without_its_path_and_an_error_passes(caplog: pytest.LogCaptureFixture) -> None:
    remark, speaker = Remark("a kernel is not available here"), logging.getLogger("torchao.test")
    speaker.addFilter(remark)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            speaker.warning("Failed to load %s: no GPU. More of it.", "/usr/lib/torchao/_C_mxfp8.so")
        speaker.error("broken")
    speaker.removeFilter(remark)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "torchao: a kernel is not available here (Failed to load _C_mxfp8.so: no GPU)"),
        ("ERROR", "broken"),
    ]


def test_listening_twice_hears_once() -> None:
    listen()
    for name in SPEAKERS:
        assert sum(isinstance(known, Remark) for known in logging.getLogger(name).filters) == 1


@pytest.mark.engine
@pytest.mark.parametrize(("given", "kept"), [({}, "false"), ({"TOKENIZERS_PARALLELISM": "true"}, "true")])
def test_the_engine_forks_nothing_unless_an_operator_says_so(given: dict[str, str], kept: str) -> None:
    """Set before transformers and lm_eval are imported, which read them once."""
    names = ("TOKENIZERS_PARALLELISM", "DISABLE_MULTIPROC")
    code = f"import evaluation.inference, os, sys; print([os.environ[n] for n in {names}], 'lm_eval' in sys.modules)"
    clean = {name: value for name, value in os.environ.items() if name not in names} | given
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean)
    assert done.stdout.strip() == f"['{kept}', '1'] False"
