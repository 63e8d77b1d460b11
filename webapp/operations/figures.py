"""What Prometheus is told of queue, runs and workers: counted from rows, so that every process says the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from django.db import connection
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from webapp.jobs.leases import LOST
from webapp.jobs.models import Run, RunEvent
from webapp.jobs.selectors import alive_workers

WAITING = (Run.State.QUEUED, Run.State.RUNNING)
OVER = (Run.State.DONE, Run.State.FAILED, Run.State.CANCELLED)
# Seconds: from a hundred questions on a small model to the longest run that the settings allow by default.
BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 14400)


class RowsCollector(Collector):
    """Five queries a scrape; the longest reads one row per finished run."""

    def collect(self) -> Iterable[Metric]:
        yield from _queue()
        yield _lease_losses()
        yield _durations()
        workers = GaugeMetricFamily("crosstable_workers", "Worker processes that live.")
        workers.add_metric([], alive_workers().count())
        yield workers

    def describe(self) -> Iterable[Metric]:
        """Registering asks no database."""
        return []


def _queue() -> Iterable[Metric]:
    depth = GaugeMetricFamily(
        "crosstable_runs", "Runs that wait or run, by class of resources.", labels=["resource", "state"]
    )
    age = GaugeMetricFamily("crosstable_oldest_queued_seconds", "Since when the oldest run waits.", labels=["resource"])
    now = timezone.now()
    rows = Run.objects.filter(state__in=WAITING).values_list("resource", "state").order_by("resource", "state")
    for resource, state, count, oldest in rows.annotate(count=Count("pk"), oldest=Min("queued_at")):
        depth.add_metric([resource, state], count)
        if state == Run.State.QUEUED:
            age.add_metric([resource], max(0.0, (now - oldest).total_seconds()))
    return [depth, age]


def _lease_losses() -> Metric:
    found = CounterMetricFamily("crosstable_lease_losses", "Runs whose worker went silent.")
    # The diary repeats the reason when somebody else claims the run.
    losses = RunEvent.objects.filter(text__contains=LOST).exclude(state=Run.State.RUNNING)
    found.add_metric([], losses.count())
    return found


def _durations() -> Metric:
    found = HistogramMetricFamily("crosstable_run_seconds", "How long runs took, by how they ended.", labels=["state"])
    for state, counts, total in _counted_durations():
        edges = [*map(str, BUCKETS), "+Inf"]
        found.add_metric([state], list(zip(edges, accumulate(counts), strict=True)), total)
    return found


def _counted_durations() -> Iterable[tuple[str, Sequence[int], float]]:
    """(state, runs per bucket and one beyond, sum of seconds); a run is in the first bucket that it does not exceed."""
    query = """
        SELECT state, width_bucket(-seconds, %s::float8[]) AS bucket, count(*), sum(seconds)
        FROM (SELECT state, extract(epoch FROM finished_at - started_at)::float8 AS seconds FROM jobs_run
              WHERE state = ANY(%s) AND started_at IS NOT NULL AND finished_at >= started_at) AS over
        GROUP BY state, bucket ORDER BY state
    """
    by_state: dict[str, tuple[list[int], float]] = {}
    with connection.cursor() as cursor:
        cursor.execute(query, [[-edge for edge in reversed(BUCKETS)], list(OVER)])
        for state, bucket, count, seconds in cursor.fetchall():
            counts, total = by_state.get(state, ([0] * (len(BUCKETS) + 1), 0.0))
            counts[len(BUCKETS) - bucket] += count
            by_state[state] = counts, total + seconds
    return [(state, counts, total) for state, (counts, total) in by_state.items()]
