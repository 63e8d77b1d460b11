"""What Prometheus is told of queue, runs and workers: read from Postgres, so that every process says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Count
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from webapp.jobs.endings import EDGES, Ended, endings
from webapp.jobs.models import Ending, Run
from webapp.jobs.queue import depths
from webapp.jobs.selectors import alive_workers
from webapp.operations.sizes import by_kind

LOST = Ending.Kind.LOST


class RowsCollector(Collector):
    """Five queries a scrape. They read what waits and runs now, and a few totals: never what is over."""

    def collect(self) -> Iterable[Metric]:
        yield from _queue()
        ended = endings()
        yield _lease_losses(ended)
        yield _durations(ended)
        workers = GaugeMetricFamily("crosstable_workers", "Worker processes that live.")
        workers.add_metric([], alive_workers().count())
        yield workers
        yield _bytes()

    def describe(self) -> Iterable[Metric]:
        """Registering asks no database."""
        return []


def _queue() -> Iterable[Metric]:
    depth = GaugeMetricFamily(
        "crosstable_runs", "Runs that wait or run, by class of resources.", labels=["resource", "state"]
    )
    age = GaugeMetricFamily("crosstable_oldest_queued_seconds", "Since when the oldest run waits.", labels=["resource"])
    now = timezone.now()
    for waiting in depths():
        depth.add_metric([waiting.resource, Run.State.QUEUED], waiting.waiting)
        age.add_metric([waiting.resource], max(0.0, (now - waiting.oldest).total_seconds()))
    running = Run.objects.filter(state=Run.State.RUNNING).values_list("resource").order_by("resource")
    for resource, count in running.annotate(count=Count("pk")):
        depth.add_metric([resource, Run.State.RUNNING], count)
    return [depth, age]


def _lease_losses(ended: Mapping[str, Ended]) -> Metric:
    found = CounterMetricFamily("crosstable_lease_losses", "Runs whose worker went silent.")
    found.add_metric([], ended[LOST].count if LOST in ended else 0)
    return found


def _bytes() -> Metric:
    found = GaugeMetricFamily("crosstable_database_bytes", "Tables with their indexes, by kind.", labels=["kind"])
    for kind, size in by_kind().items():
        found.add_metric([kind], size)
    return found


def _durations(ended: Mapping[str, Ended]) -> Metric:
    found = HistogramMetricFamily("crosstable_run_seconds", "How long runs took, by how they ended.", labels=["state"])
    edges = [*(f"{edge:g}" for edge in EDGES[:-1]), "+Inf"]
    for state, one in ended.items():
        if state != LOST:
            found.add_metric([state], list(zip(edges, one.within, strict=True)), one.seconds)
    return found
