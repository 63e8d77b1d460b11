"""Read one import as the analysis worker does, in a process that a test kills: `... reader PK`."""

from __future__ import annotations

import os
import sys

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()
    from webapp.imports import work

    work.work_on(import_id=int(sys.argv[1]))
