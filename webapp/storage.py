"""Static files with content hashes in their names, so that browsers may keep them for ever."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    # Tests and `manage.py` commands run before collectstatic: fall back to the plain name.
    manifest_strict = False
    # Imports between our own modules get the hashed names, too: a module that a page loads by its tag and another one
    # imports by its plain name would run twice.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "js/*.js",
            (
                (r"""(?P<matched>from "(?P<url>\./[^"]+)";)""", 'from "%(url)s";'),
                (r"""(?P<matched>import "(?P<url>\./[^"]+)";)""", 'import "%(url)s";'),
            ),
        ),
    )
