"""Static files with content hashes in their names, so that browsers may keep them for ever."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    # Tests and `manage.py` commands run before collectstatic: fall back to the plain name.
    manifest_strict = False
