"""A full disk is the worker's trouble and not the run's: it is recognised wherever an error carries it."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
SMALLEST = 4096  # bytes that must be writable: one page


def is_full(error: BaseException | None) -> bool:
    """Whether the error, or one that led to it, says that no space is left."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def unwritable(folder: Path | None = None) -> str:
    """Why nothing can be written to the folder (else the temporary one), in words; "" when it can."""
    folder = folder or Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(SMALLEST))
            file.flush()
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror})"
    return ""
