"""Which team takes how much of the database: an estimate, for tables are not kept by team."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db.models import Count, F, IntegerField, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from webapp.catalog.models import BenchmarkVersion
from webapp.imports.models import ImportChunk
from webapp.jobs.models import Run
from webapp.results.models import Report

Weights = Mapping[int, int]


def scores_by_team() -> dict[int, int]:
    """Team -> scores of its runs: samples that are done, times the attempts at each."""
    attempts = Coalesce(Cast(KeyTextTransform("attempts", "settings"), IntegerField()), 1)
    return _by_team(Run.objects.values_list("team").annotate(n=Sum(F("done") * attempts)))


def shares(kinds: Mapping[str, int], scores: Weights) -> dict[int, int]:
    """Team -> bytes. kinds: bytes by kind; scores: of each team. Each kind is divided by one measure of it."""
    runs = _by_team(Run.objects.values_list("team").annotate(n=Count("pk")))
    found: Counter[int] = Counter()
    for kind, weights in (
        ("scores", scores),
        ("packed", scores),
        ("runs", runs),
        ("diaries", runs),
        ("samples", _questions()),
        ("reports", _by_team(Report.objects.values_list("team").annotate(n=Count("pk")))),
        ("uploads", _by_team(ImportChunk.objects.values_list("owner__team").annotate(n=Count("pk")))),
    ):
        found.update(_divided(kinds.get(kind, 0), weights))
    return dict(found)


def _questions() -> Weights:
    versions = BenchmarkVersion.objects.values_list("benchmark__team")
    return _by_team(versions.annotate(n=Sum("samples")))


def _by_team(rows: QuerySet[Any, tuple[int, int | None]]) -> dict[int, int]:
    return {team: n for team, n in rows.order_by() if n}


def _divided(total: int, weights: Weights) -> Weights:
    whole = sum(weights.values())
    return {team: total * n // whole for team, n in weights.items()} if whole else {}
