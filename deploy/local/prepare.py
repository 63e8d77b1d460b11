"""`python -m deploy.local.prepare`: migrations, demo and static files.

One process for all of them, because each start of Django costs a second.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import django
import psycopg
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import connection

PATIENCE = 900.0  # seconds


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()
    wait_for_database()
    refuse_bad_database()
    _step("migrations", "migrate", interactive=False, verbosity=0)
    if os.environ.get("CROSSTABLE_DEMO") == "1":
        _step("demo", "demo")
    collect_static_files()
    return 0


def wait_for_database(patience: float = PATIENCE, pause: float = 2) -> None:
    """Return when the database takes connections: after a power cut its host may come back long after this one.

    Raises psycopg.OperationalError when it does not within `patience` seconds. Says why it waits, once per reason.
    """
    until, told = time.monotonic() + patience, ""
    parameters = connection.get_connection_params() | {"connect_timeout": 5}
    for name in ("pool", "cursor_factory", "context"):
        parameters.pop(name, None)
    while True:
        try:
            psycopg.connect(**parameters).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > until:
                raise
            told = _tell(str(error), told)
            time.sleep(pause)
        else:
            return


def refuse_bad_database() -> None:
    """As `manage.py migrate` does by itself."""
    found = [problem.msg for problem in run_checks(tags=[Tags.database], databases=["default"]) if problem.is_serious()]
    if found:
        raise SystemExit("\n".join(found))


def _tell(reason: str, told: str) -> str:
    if reason != told:
        print(f"waiting for the database: {reason}", flush=True)
    return reason


def collect_static_files() -> bool:
    """Copy, hash and compress them, unless they are those of the last time (5 s against 0.1 s). True when done."""
    root = Path(settings.STATIC_ROOT)
    mark = root.with_name("static.sha256")  # beside the folder: what lies in it is served
    found = _fingerprint()
    if mark.is_file() and mark.read_text() == found and (root / "staticfiles.json").is_file():
        return False
    mark.unlink(missing_ok=True)
    _step("static files", "collectstatic", interactive=False, clear=True, verbosity=0)
    mark.write_text(found)
    return True


def _fingerprint() -> str:
    """Of every source file's name, size and time, and of how they are stored."""
    digest = hashlib.sha256(repr((django.VERSION, settings.STORAGES, settings.STATIC_URL)).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _step(title: str, command: str, **options: object) -> None:
    began = time.monotonic()
    call_command(command, **options)
    print(f"{title}: done in {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
