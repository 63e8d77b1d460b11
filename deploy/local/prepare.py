"""`python -m deploy.local.prepare`: migrations, demo and static files.

One process for all of them, because each start of Django costs a second.
"""

from __future__ import annotations

import os
import sys
import time

import django
from django.core.management import call_command


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()
    _step("migrations", "migrate", interactive=False, verbosity=0)
    if os.environ.get("CROSSTABLE_DEMO") == "1":
        _step("demo", "demo")
    _step("static files", "collectstatic", interactive=False, verbosity=0)
    return 0


def _step(title: str, command: str, **options: object) -> None:
    began = time.monotonic()
    call_command(command, **options)
    print(f"{title}: done in {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
