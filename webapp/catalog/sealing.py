"""API keys of endpoints, at rest."""

from __future__ import annotations

from webapp.sealing import Sealing

KEYS = Sealing(
    "crosstable endpoint keys",
    what="The endpoint’s API key",
    remedy="register a new version of the entry with its key.",
)
seal, unseal = KEYS.seal, KEYS.unseal
