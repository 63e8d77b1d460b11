"""Reads of the catalog, each for a person."""

from __future__ import annotations

from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery

from webapp.accounts.selectors import Viewer, visible
from webapp.catalog.models import (
    Benchmark,
    BenchmarkVersion,
    Contender,
    EntryVersion,
    ModelEntry,
    Sample,
    Suite,
    SuiteItem,
)


def entries(user: Viewer, search: str = "") -> QuerySet[ModelEntry]:
    rows = visible(ModelEntry.objects.all(), user).select_related("team", "created_by")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(title__icontains=search) | Q(tags__contains=[search]))
    return rows.prefetch_related("versions").order_by("name", "id")


def entry_versions(user: Viewer) -> QuerySet[EntryVersion]:
    return EntryVersion.objects.filter(entry__in=visible(ModelEntry.objects.all(), user)).select_related("entry__team")


def latest_versions(user: Viewer) -> QuerySet[EntryVersion]:
    """The newest version of each entry that the person may see, by name of the entry."""
    newest = EntryVersion.objects.filter(entry=OuterRef("entry")).order_by("-number").values("id")[:1]
    return entry_versions(user).filter(id=Subquery(newest)).order_by("entry__name", "id")


def contenders(user: Viewer) -> QuerySet[Contender]:
    return Contender.objects.filter(version__entry__in=visible(ModelEntry.objects.all(), user))


def benchmarks(user: Viewer, search: str = "") -> QuerySet[Benchmark]:
    rows = visible(Benchmark.objects.all(), user).select_related("team", "created_by")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(title__icontains=search))
    return rows.prefetch_related("versions").order_by("name", "id")


def benchmark_versions(user: Viewer) -> QuerySet[BenchmarkVersion]:
    mine = visible(Benchmark.objects.all(), user)
    return BenchmarkVersion.objects.filter(benchmark__in=mine).select_related("benchmark__team")


def latest_benchmark_versions(user: Viewer) -> QuerySet[BenchmarkVersion]:
    newest = BenchmarkVersion.objects.filter(benchmark=OuterRef("benchmark")).order_by("-number").values("id")[:1]
    return benchmark_versions(user).filter(id=Subquery(newest)).order_by("benchmark__name", "id")


def samples(version: BenchmarkVersion) -> QuerySet[Sample]:
    return Sample.objects.filter(version=version).order_by("index")


def suites(user: Viewer) -> QuerySet[Suite]:
    items = SuiteItem.objects.select_related("version__benchmark__team").order_by("position")
    rows = visible(Suite.objects.all(), user).select_related("team", "created_by")
    rows = rows.prefetch_related(Prefetch("items", queryset=items))
    return rows.annotate(size=Count("items")).order_by("name", "id")


def suite_versions(suite: Suite) -> list[BenchmarkVersion]:
    """The benchmark versions of a suite, in order."""
    items = suite.items.select_related("version__benchmark").order_by("position")
    return [item.version for item in items]
