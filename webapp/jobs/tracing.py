"""From a request to the lines of the workers: which job it made or queued again, and how many runs."""

from __future__ import annotations

import logging
from functools import partial

from django.db import transaction

from webapp import logs
from webapp.jobs.models import Job

log = logging.getLogger("crosstable.request")


def tell(job: Job, text: str, **counts: int) -> None:
    """A line of the request, when what it did is committed; its runs carry its id to their workers."""
    transaction.on_commit(partial(_say, job.pk, text, counts))


def _say(job: int, text: str, counts: dict[str, int]) -> None:
    with logs.bound(job=job):
        counted = ", ".join(f"{count} {name}" for name, count in counts.items())
        log.info("job %s %s%s", job, text, counted and f": {counted}", extra={"measured": counts})
