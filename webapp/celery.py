"""The Celery application. The web rings workers by name and never imports their code."""

from __future__ import annotations

import logging
import os
import warnings
from functools import partial
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning
from django.db import transaction
from kombu.exceptions import OperationalError

from webapp.bells import Belfry, Bell

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

app = Celery("crosstable")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workers"], related_name="tasks")

# Containers and the one-machine demo run as root; messages are JSON, so the danger it warns of (pickle) is not there.
warnings.filterwarnings("ignore", category=SecurityWarning)
log = logging.getLogger("crosstable.doorbell")


@signals.celeryd_init.connect
def say_nothing_beside_the_log(**_: Any) -> None:
    """A worker that is asked to stop would print so: one line that is no JSON."""
    from celery.apps import worker

    worker.safe_say = lambda *_: None  # type: ignore[attr-defined]


def enqueue(task: str, *args: Any, queue: str | None = None, joined: bool = False) -> None:
    """Ring `workers.<task>` once the transaction has committed. queue, joined: see `Bell`.

    A broker that is down loses only the bell: the rows say what is to be done, and the sweep rings again.
    """
    transaction.on_commit(partial(belfry.put, Bell(task, args, queue, joined)))


def _ring(bell: Bell) -> None:
    try:
        app.send_task(f"workers.{bell.task}", args=bell.args, queue=bell.queue)
    except (OperationalError, OSError) as error:
        log.warning("the broker cannot be reached (%s); the sweep will ring %s again", error, bell.task)


belfry = Belfry(_ring)
