"""What quantisation libraries say about themselves when they are imported: once, at INFO, and as a fact of the machine.

torchao and bitsandbytes warn of every kernel that does not fit this machine. Nothing is wrong then: the schemes that
need it are listed as unavailable, and the others run. A warning that nobody can act on hides those that matter.
"""

from __future__ import annotations

import logging
import re

# logger -> what its warnings mean here; "" where they tell a person nothing
SPEAKERS = {
    "torchao": "a kernel is not available here",
    "torchao.kernel.intmm": "kernels that need Triton are not available here",
    "bitsandbytes.backends.cpu.ops": "a faster kernel is not installed",
    "torch.utils._pytree": "",  # a library that torch itself is to change
}
FILE = re.compile(r"(?:/[^\s/:]+)+/([^\s/:]+)")  # a path, which says where and not what
log = logging.getLogger("crosstable.engine")


class Remark(logging.Filter):
    """Turns a library's warnings into remarks of ours; anything graver passes."""

    def __init__(self, means: str) -> None:
        super().__init__()
        self.means = means
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        why = FILE.sub(r"\1", record.getMessage()).split(". ")[0]
        if self.means and why not in self.said:
            self.said.add(why)
            log.info("%s: %s (%s)", record.name.partition(".")[0], self.means, why)
        return False


def listen() -> None:
    """Before the libraries are imported; a second call changes nothing."""
    for name, means in SPEAKERS.items():
        speaker = logging.getLogger(name)
        if not any(isinstance(known, Remark) for known in speaker.filters):
            speaker.addFilter(Remark(means))
