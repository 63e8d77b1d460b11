"""What is the host's trouble and not the run's: models that are not mounted here, and another platform's settings.

A worker that failed its runs for that would fail everybody's queue within seconds. The rule is the same for everybody:
a folder that is missing below a root that is there is its author's trouble; a root that is not there is the host's. The
web refuses what lies below none of its roots (`catalog.sources`), so what lies below none of ours is the host's, too. A
secret that does not open is the host's unless we open what was sealed last: then its own key is lost, for all hosts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from webapp.catalog.models import EntryVersion
from webapp.catalog.sealing import KEYS
from webapp.catalog.sources import folder_of, roots_above
from webapp.jobs import leases
from webapp.operations.rotation import has_present_key

log = logging.getLogger("crosstable.worker")


def root_problems() -> Iterator[str]:
    """An empty root is none yet: that of a new platform is."""
    for root in settings.MODEL_ROOTS:
        why = _unreadable(root)
        if why:
            yield f"CROSSTABLE_MODEL_ROOTS names {root}, which cannot be read ({why}). Mount it, or name another one."


def key_problems() -> Iterator[str]:
    if not has_present_key():
        yield (
            "SECRET_KEY does not open what was sealed last: endpoints and webhooks would fail. Set it as the other "
            "hosts have it. If that one is lost, give an endpoint or a webhook a new secret, then start again."
        )


def trouble(version: EntryVersion) -> str:
    """Why this host cannot load a model that others may be able to, and what to do; "" where nothing is wrong here."""
    folder = folder_of(version)
    return (_root_trouble(folder) if folder else "") or _key_trouble(version)


def stand_aside(worker: str, trouble: str) -> None:
    """The worker takes nothing more until an operator has looked at its host."""
    log.error("this worker takes no more runs. %s", trouble)
    leases.pause_myself(name=worker, reason=f"Paused itself. {trouble}, then resume it.")


def _root_trouble(folder: str) -> str:
    roots = roots_above(folder)
    if not roots:
        return (
            f"{folder} lies below none of this host's CROSSTABLE_MODEL_ROOTS. Set them as the web has them, start the "
            "worker again"
        )
    for root in roots:
        # What is mounted nowhere leaves an empty folder behind; there was a model in it, or nobody could name one.
        why = _unreadable(root) or ("it is empty" if _is_empty(root) else "")
        if why:
            return f"The model root {root} of this host cannot be read ({why}). Mount it"
    return ""


def _key_trouble(version: EntryVersion) -> str:
    if KEYS.opens(version.sealed_key) or has_present_key():
        return ""
    return "This host has another SECRET_KEY than the one that seals. Set it as the web has it, start the worker again"


def _unreadable(root: Path) -> str:
    try:
        os.scandir(root).close()
    except OSError as error:
        return str(error.strerror)
    return ""


def _is_empty(root: Path) -> bool:
    with os.scandir(root) as found:
        return next(found, None) is None
