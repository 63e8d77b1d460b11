"""Lost runs are looked for by a thread of the analysis worker, not by a task: a task would wait behind long imports,
and reach nobody while the broker is away."""

from __future__ import annotations

import logging
import threading
import time

from django.conf import settings
from django.db import connection, connections

from webapp.jobs import leases
from webapp.jobs.models import Run
from webapp.leaderboards.services import run_landed
from workers.waiting import AWAY

log = logging.getLogger("crosstable.worker")
CONNECT_SECONDS = 5


class Sweeper(threading.Thread):
    """A daemon thread that goes on until its process has ended, also while that waits for its last tasks. Several at
    once, on any hosts, take no run twice."""

    def __init__(self) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.away = False
        self.rests_until = float("-inf")

    def run(self) -> None:
        leave_the_pool()
        while True:
            time.sleep(settings.SWEEP_SECONDS)
            self.look()

    def look(self) -> None:
        """A database that is away is in the log once, and asked again. When it is back nobody is lost for the length of
        a lease: living workers could not keep their runs, and do so as soon as they have noticed."""
        try:
            if self.away or time.monotonic() < self.rests_until:
                leases.ring_idle_workers()
            else:
                deal_with_lost_runs()
            if self.away:
                self.rests_until = time.monotonic() + settings.LEASE_SECONDS
            self.away = False
        except AWAY as error:
            if not self.away:
                log.warning("lost runs cannot be looked for (%s): trying again", str(error).partition("\n")[0])
            self.away = True
        except Exception:
            log.exception("lost runs could not be looked for")
        finally:
            connections.close_all()


def leave_the_pool() -> None:
    """From now on this thread connects by itself: a pool looks again the later, the longer its database was away."""
    options = {**connection.settings_dict["OPTIONS"], "connect_timeout": CONNECT_SECONDS}
    options.pop("pool", None)
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}


def deal_with_lost_runs() -> None:
    """Requeue them or give them up, ring for what waits, and let boards know."""
    for run in Run.objects.filter(pk__in=leases.sweep(landed=lambda run: run_landed(run=run))):
        log.warning("%s was lost and has been dealt with: %s", run, run.reason)
