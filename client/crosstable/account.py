"""Which site, and whose token: flags before the environment before the file that `crosstable login` writes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from crosstable.errors import CrosstableError

URL, TOKEN = "CROSSTABLE_URL", "CROSSTABLE_TOKEN"


def file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "crosstable" / "account.json"


def find(url: str, token: str) -> tuple[str, str]:
    """Raises CrosstableError that says how to name the site."""
    stored = _stored()
    found = url or os.environ.get(URL, "") or stored.get("url", "")
    if not found:
        raise CrosstableError(f"Which site? Set {URL}, or run: crosstable login --url https://...")
    # A stored token is for the site that it was stored with, and for no other.
    kept = stored.get("token", "") if found.rstrip("/") == stored.get("url", "").rstrip("/") else ""
    return found, token or os.environ.get(TOKEN, "") or kept


def store(url: str, token: str) -> Path:
    """Readable by its owner only."""
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump({"url": url, "token": token}, out)
    part.replace(path)
    return path


def _stored() -> dict[str, str]:
    try:
        found = json.loads(file().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
