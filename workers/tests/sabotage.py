"""What a test does to a worker process from inside: `sitecustomize` modules that Python imports at its start."""

from __future__ import annotations

from pathlib import Path

# A module that is patched as soon as somebody has imported it.
ONCE_IMPORTED = """
import sys, threading, time

def wait_for(name, patch):
    def look():
        while not hasattr(sys.modules.get(name), "{attribute}"):
            time.sleep(0.01)
        patch(sys.modules[name])
    threading.Thread(target=look, daemon=True).start()
"""
MODEL = "evaluation.inference.harness"
HANG = """
def hang(module):
    honest = module.LocalModel.answers
    def answers(self, *a, **k):
        if self.batch_size == 13:
            time.sleep(3600)
        yield from honest(self, *a, **k)
    module.LocalModel.answers = answers
wait_for("evaluation.inference.harness", hang)
"""
POISON = """
import os, signal
def poison(module):
    honest = module.LocalModel.answers
    def answers(self, *a, **k):
        if self.batch_size == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return honest(self, *a, **k)
    module.LocalModel.answers = answers
wait_for("evaluation.inference.harness", poison)
"""
# In mid-run the disk is full: no file of this process may grow any more, not even its log, and the kernel says so.
DISK = """
import resource, tempfile
def fill(module):
    honest = module.LocalModel.answers
    def answers(self, *a, **k):
        for at, answer in enumerate(honest(self, *a, **k)):
            if at == 20 and self.batch_size == 13:
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
                with tempfile.TemporaryFile() as cache:
                    cache.write(bytes(4096))
            yield answer
    module.LocalModel.answers = answers
wait_for("evaluation.inference.harness", fill)
"""
# A run with a batch size of 13 waits in its middle for a file; one of 7 takes its time for each sample.
SLOW = """
import os
def slow(module):
    honest = module.LocalModel.answers
    def answers(self, *a, **k):
        for at, answer in enumerate(honest(self, *a, **k)):
            while at == 20 and self.batch_size == 13 and not os.path.exists(os.environ["GATE"]):
                time.sleep(0.05)
            time.sleep(0.3 if self.batch_size == 7 else 0)
            yield answer
    module.LocalModel.answers = answers
wait_for("evaluation.inference.harness", slow)
"""
MEMORY = """
import torch
def fill(module):
    honest = module.LocalModel.answers
    def answers(self, *a, **k):
        for at, answer in enumerate(honest(self, *a, **k)):
            if at == 20 and self.batch_size in (6, 13):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            yield answer
    module.LocalModel.answers = answers
wait_for("evaluation.inference.harness", fill)
"""
CLOCK = """
import datetime, os, time
shift, real = float(os.environ["CLOCK_SHIFT"]), time.time
time.time = lambda: real() + shift
import django.utils.timezone as zone
honest = zone.now
zone.now = lambda: honest() + datetime.timedelta(seconds=shift)
"""


def sabotage(folder: Path, what: str) -> dict[str, str]:
    """The environment under which Python processes do it."""
    source = what if what == CLOCK else ONCE_IMPORTED.replace("{attribute}", "LocalModel") + what
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(source)
    return {"PYTHONPATH": str(folder)}
