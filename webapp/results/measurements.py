"""How fast and heavy contenders are by the fixed protocol: who may ask, what a worker claims and stores, what is shown.

A request is a row that a worker takes between two runs, leases while it measures, and never lets a run wait long for.
Every write is fenced with the claim: a worker that lost its request cannot disturb whoever has it now. What an idle
worker measures by itself becomes a finished row at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from evaluation.protocol import Efficiency
from evaluation.schemes import SCHEMES
from webapp.accounts.models import User
from webapp.accounts.selectors import May, Viewer, require
from webapp.accounts.services import record
from webapp.catalog.models import Contender, ModelEntry, Source
from webapp.catalog.selectors import contenders
from webapp.catalog.sources import refuse_outside
from webapp.celery import enqueue
from webapp.errors import Unprocessable
from webapp.jobs.leases import is_held
from webapp.jobs.models import Run, default_settings
from webapp.results.models import Measurement

State = Measurement.State
WAITING = frozenset({State.QUEUED, State.RUNNING})
ATTEMPTS = 3
LEASE = timedelta(minutes=15)  # without a sign of life; fetching and loading weights give none
BASIS = ("seed", "calibration", "bits")  # of a run's settings, what loaded weights depend on


def measurements(user: Viewer) -> QuerySet[Measurement]:
    """Of contenders whose entry the person may see, newest first."""
    rows = Measurement.objects.filter(contender__in=contenders(user))
    return rows.select_related("contender__version__entry__team", "asked_by").order_by("-pk")


def of_entry(user: Viewer, entry: ModelEntry) -> list[Measurement]:
    """All of an entry's contenders, newest first; one query."""
    return list(measurements(user).filter(contender__version__entry=entry))


def measurable(entry: ModelEntry) -> list[Contender]:
    """The contenders of its newest version, in the order in which schemes are listed."""
    rows = Contender.objects.filter(version__entry=entry).order_by("-version__number", "pk")
    mapped = [key for key, info in SCHEMES.items() if info.needs_map]
    found = list(rows.exclude(scheme__in=mapped, variant="").select_related("version"))  # of no map: nothing that runs
    places = {key: at for at, key in enumerate(SCHEMES)}
    newest = [one for one in found if one.version_id == found[0].version_id]
    return sorted(newest, key=lambda one: places.get(one.scheme, len(places)))


def newest(rows: Sequence[Measurement], contender: Contender) -> Measurement | None:
    """rows: newest first."""
    return next((row for row in rows if row.contender_id == contender.pk), None)


def by_device(rows: Sequence[Measurement]) -> list[tuple[str, str, list[tuple[Measurement, Efficiency]]]]:
    """(device, protocol, what was measured there), for tables within which numbers can be compared."""
    groups: dict[tuple[str, str], list[tuple[Measurement, Efficiency]]] = {}
    for row in sorted(rows, key=lambda row: (row.device.casefold(), row.contender.name)):
        if row.result is not None:
            groups.setdefault((row.device, row.protocol), []).append((row, Efficiency.from_dict(row.result)))
    return [(*key, found) for key, found in groups.items()]


@transaction.atomic
def request_measurement(*, actor: User, contender: Contender) -> Measurement:
    """Ask a worker to measure; one that waits already is the same request. Raises Unprocessable where it cannot be."""
    require(actor, contender.version.entry.team, May.SUBMIT)
    if contender.version.source == Source.IMPORTED:
        raise Unprocessable(
            f"{contender} is known from imported results alone: there is nothing here to measure.", field="contender"
        )
    refuse_outside([contender.version], field="contender")
    Contender.objects.select_for_update().get(pk=contender.pk)  # two who ask at once: the second one finds the row
    waiting = Measurement.objects.filter(contender=contender, state__in=WAITING).first()
    if waiting:
        return waiting
    made = Measurement.objects.create(contender=contender, asked_by=actor, settings=_basis(contender))
    record(actor=actor, team=contender.version.entry.team, verb="asked to measure", target=contender)
    enqueue("evaluate")
    return made


def _basis(contender: Contender) -> dict[str, Any]:
    """The settings of its newest finished run, so that the same weights are measured that were evaluated."""
    run = Run.objects.filter(contender=contender, state=Run.State.DONE).order_by("-pk").first()
    info = SCHEMES.get(contender.scheme)
    if run is None and info is not None and info.needs_calibration:
        raise Unprocessable(
            f"{contender.scheme} is fitted on texts, and {contender} has not been evaluated yet.",
            field="contender",
            remedy="Evaluate it once; it is then measured on what was fitted there.",
        )
    return basis(run.settings if run else default_settings())


def basis(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's settings a measurement is made with."""
    return {key: settings[key] for key in BASIS if settings.get(key) is not None}


@transaction.atomic
def claim(*, worker: str, schemes: Sequence[str]) -> Measurement | None:
    """The oldest request that this worker can do, or None; two workers never get the same one, and one that was paused
    gets none."""
    if is_held(worker):
        return None
    late = Q(state=State.RUNNING) & (Q(leased_until__lt=Now()) | Q(leased_until=None))
    given_up = Measurement.objects.filter(late, attempts__gte=ATTEMPTS)
    given_up.update(state=State.FAILED, reason=f"Given up: {ATTEMPTS} workers did not come back from it.")
    waiting = Measurement.objects.filter(late | Q(state=State.QUEUED), contender__scheme__in=schemes)
    found = waiting.select_for_update(skip_locked=True, of=("self",)).order_by("pk").first()
    if found is None:
        return None
    Measurement.objects.filter(pk=found.pk).update(
        state=State.RUNNING,
        worker=worker,
        started_at=Now(),
        leased_until=Now() + LEASE,
        attempts=F("attempts") + 1,
        reason=f"Measured by {worker}.",
    )
    return Measurement.objects.select_related("contender__version__entry__team").get(pk=found.pk)


def _held(measurement: Measurement) -> QuerySet[Measurement]:
    """The request while it is still what this worker claimed. measurement: as `claim` returned it."""
    claimed = {name: getattr(measurement, name) for name in ("pk", "worker", "attempts", "started_at")}
    return Measurement.objects.filter(**claimed, state=State.RUNNING)


def keep(*, measurement: Measurement) -> bool:
    """A sign of life. False: it was lost, and another worker may have it."""
    return _held(measurement).update(leased_until=Now() + LEASE) > 0


def give_back(*, measurement: Measurement, reason: str) -> None:
    """Return what could not be measured now, without counting the attempt."""
    _held(measurement).update(state=State.QUEUED, reason=reason, leased_until=None, attempts=F("attempts") - 1)


def fail(*, measurement: Measurement, reason: str) -> None:
    """End a request with the reason that people will read; one that another worker has taken meanwhile stays."""
    _held(measurement).update(state=State.FAILED, reason=reason, leased_until=None, measured_at=Now())


def store(
    *,
    contender_id: int,
    device: str,
    versions: str,
    worker: str,
    found: Efficiency,
    settings: Mapping[str, Any],
    measurement: Measurement | None = None,
) -> Measurement | None:
    """Keep what was found in the place of an older measurement of the same kind. measurement: the request, if any.

    Returns None, and writes nothing, where the request was lost, or where another worker has stored the same in the
    same moment and nobody asked.
    """
    key = {"contender_id": contender_id, "device": device, "protocol": found.protocol, "versions": versions}
    row = measurement or Measurement(contender_id=contender_id, settings=dict(settings))
    with transaction.atomic():
        if measurement is not None and _held(measurement).select_for_update().first() is None:
            return None
        row.device, row.protocol, row.versions, row.worker = device, found.protocol, versions, worker
        row.state, row.reason, row.result, row.measured_at = State.DONE, "", found.to_dict(), timezone.now()
        row.leased_until = None
        return row if _take_place(row, key) or (measurement is not None and _take_place(row, key)) else None


def _take_place(row: Measurement, key: Mapping[str, Any]) -> bool:
    """False: another worker did in the same moment. What it stored is seen by the next try."""
    try:
        with transaction.atomic():
            Measurement.objects.filter(**key, state=State.DONE).delete()
            row.save()
    except IntegrityError:
        return False
    return True


def is_measured(*, contender_id: int, device: str, protocol: str, versions: str) -> bool:
    """Whether there is nothing left to measure by oneself."""
    known = Measurement.objects.filter(contender_id=contender_id, device=device, protocol=protocol, versions=versions)
    return known.filter(state=State.DONE).exists()


def runs_wait(schemes: Sequence[str]) -> bool:
    """Whether a worker that offers these schemes has something better to do."""
    return Run.objects.filter(state=Run.State.QUEUED, contender__scheme__in=schemes).exists()


def ring_again() -> None:
    """A doorbell can be lost: requests that wait ring once more."""
    if Measurement.objects.filter(state=State.QUEUED).exists():
        with transaction.atomic():
            enqueue("evaluate")


@dataclass(frozen=True)
class Comparable:
    """The newest measurement of each contender on one device by one version of the protocol; no others compare."""

    device: str
    protocol: str
    by_contender: Mapping[int, Efficiency]
    others: int  # contenders that were measured elsewhere only


def comparable(contender_ids: Iterable[int]) -> Comparable | None:
    """On the device and by the protocol that most of them were measured with; None where none was. One query."""
    rows = Measurement.objects.filter(contender__in=set(contender_ids), state=State.DONE).order_by("measured_at")
    kept = {(row.device, row.protocol, row.contender_id): row for row in rows}
    if not kept:
        return None
    counts = Counter((device, protocol) for device, protocol, _ in kept)
    device, protocol = max(counts, key=lambda one: (counts[one], one))
    found = {
        pk: Efficiency.from_dict(row.result or {}) for (*kind, pk), row in kept.items() if kind == [device, protocol]
    }
    return Comparable(device, protocol, found, len({pk for *_, pk in kept} - set(found)))
