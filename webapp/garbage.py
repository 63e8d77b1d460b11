"""How often a process that answers requests stops to look for garbage."""

from __future__ import annotations

import gc

# New containers until the youngest are looked at. A drawing of a large board makes 100,000 that live for a while:
# with Python's own 700 all that is loaded would be searched several times meanwhile, 100 ms each.
YOUNG, MIDDLE, OLD = 50_000, 20, 50


def settle() -> None:
    """Call it once all code is loaded: what is there by now stays, and is never searched again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
