"""What the web process loads."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "lm_eval", "transformers", "tokenizers", "datasets", "evaluation.inference")


def test_the_web_process_never_loads_the_engine():
    code = f"import sys, webapp.asgi, webapp.celery; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
