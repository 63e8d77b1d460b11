"""`python -m workers`: evaluation workers for this host, one process per device."""

from __future__ import annotations

import argparse
import logging.config
import os
import signal
import threading

from django.conf import settings

from workers.devices import devices
from workers.supervisor import supervise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--devices", default="auto", help='"auto", "cpu", or a list such as "cuda:0,cuda:1"')
    chosen = devices(parser.parse_args().devices)
    logging.config.dictConfig(settings.LOGGING)
    logging.getLogger("crosstable.supervisor").info("workers on %s", ", ".join(chosen))
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    supervise(chosen, over)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    main()
