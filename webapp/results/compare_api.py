"""REST of comparisons: the same numbers as on the page."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from django.http import Http404, QueryDict
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation.side_by_side import Pair, SideBySide
from evaluation.verdicts import flips, of_pair, verdict
from webapp.rest import PublicResource
from webapp.results import compare as reads
from webapp.results import compare_figures as figures
from webapp.results import compare_samples as samples
from webapp.results.compare import Subject, Table
from webapp.results.compare_names import with_ids
from webapp.results.compare_query import FEWEST, MOST, Query

IDS = f"Ids or names of {FEWEST} to {MOST} contenders, with commas."
PARAMETERS = [
    OpenApiParameter("contenders", str, required=True, description=IDS),
    OpenApiParameter("benchmark", str, description="A version: its id, `team/name` or `team/name:2`. This or `suite`."),
    OpenApiParameter("suite", str, description="Its id or `team/name`; its samples are pooled. This or `benchmark`."),
    OpenApiParameter("baseline", str, description="One of them: each other one is compared with it alone."),
    OpenApiParameter("margin", str, description="Points within which means count as equal; 1 where left out."),
]


class ComparedOut(serializers.Serializer[Any]):
    """A contender of the comparison; its ranks follow from the pairs that differ."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    mean = serializers.FloatField()
    interval = serializers.ListField(child=serializers.FloatField(allow_null=True))
    rank_low = serializers.IntegerField()
    rank_high = serializers.IntegerField()


class PairOut(serializers.Serializer[Any]):
    """Two contenders; difference is first minus second, higher is better. samples_needed is null for infinitely many.

    p is McNemar's exact one for right and wrong, the bootstrap's for graded scores; p_adjusted is Holm's.
    """

    first = serializers.CharField()
    second = serializers.CharField()
    difference = serializers.FloatField()
    interval = serializers.ListField(child=serializers.FloatField())
    p = serializers.FloatField()
    p_adjusted = serializers.FloatField()
    equivalence_p = serializers.FloatField()
    only_first = serializers.IntegerField()
    only_second = serializers.IntegerField()
    both_right = serializers.IntegerField()
    both_wrong = serializers.IntegerField()
    answers_changed = serializers.IntegerField()
    answers_changed_interval = serializers.ListField(child=serializers.FloatField())
    wrong_to_other_wrong = serializers.IntegerField()
    samples_needed = serializers.FloatField(allow_null=True)
    verdict = serializers.CharField()


class PatternOut(serializers.Serializer[Any]):
    """On how many samples exactly these contenders, in order, are right."""

    right = serializers.ListField(child=serializers.BooleanField())
    samples = serializers.IntegerField()


class GroupOut(serializers.Serializer[Any]):
    """A benchmark or subject; one value per contender, differences from `reference`."""

    name = serializers.CharField()
    n = serializers.IntegerField()
    mean = serializers.ListField(child=serializers.FloatField())
    difference = serializers.ListField(child=serializers.FloatField())
    low = serializers.ListField(child=serializers.FloatField(allow_null=True))
    high = serializers.ListField(child=serializers.FloatField(allow_null=True))


class ComparisonOut(serializers.Serializer[Any]):
    """Contenders on the samples that all of them answered. left_out: what could not be compared, in sentences."""

    about = serializers.CharField()
    n = serializers.IntegerField()
    method = serializers.CharField()
    level = serializers.FloatField()
    margin = serializers.FloatField()
    baseline = serializers.CharField(allow_null=True)
    verdict = serializers.CharField()
    flips = serializers.CharField()
    left_out = serializers.ListField(child=serializers.CharField())
    contenders = ComparedOut(many=True)
    pairs = PairOut(many=True)
    patterns = PatternOut(many=True)
    breakdown_by = serializers.CharField(allow_null=True)
    reference = serializers.CharField(allow_null=True)
    breakdown = GroupOut(many=True)


class Compare(PublicResource):
    """Two to six contenders side by side on the same samples: every pair, tested and adjusted over the family."""

    serializer_class = ComparisonOut
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(parameters=PARAMETERS, responses=ComparisonOut)
    def get(self, request: Request) -> Response:
        given: QueryDict = with_ids(request.user, request.query_params)
        query = Query.of(given)
        if len(query.contenders) < FEWEST:
            raise ValidationError({"contenders": [IDS]})
        if query.suite is None and query.benchmark is None:
            raise ValidationError({"benchmark": ["Name a benchmark version or a suite by its id."]})
        chosen = reads.subject(request.user, query)
        if chosen is None:
            raise Http404
        if chosen.mixed:
            raise ValidationError({"suite": ["Its benchmarks have both directions: compare on one of them."]})
        made = reads.table(request.user, chosen, query.contenders)
        if isinstance(made, str):
            raise ValidationError({"contenders": [made]})
        return Response(self.shown(ComparisonOut, _written(chosen, made, query)))


def _written(chosen: Subject, made: Table, query: Query) -> dict[str, Any]:
    found = made.compared(query)
    people = figures.contestants(made, found)
    split = figures.breakdown(chosen, made, people)
    ranks = list(zip(found.rank_low.tolist(), found.rank_high.tolist(), strict=True))
    return {
        "about": chosen.title,
        "n": found.n,
        "method": found.method,
        "level": found.level,
        "margin": found.margin,
        "baseline": None if found.baseline is None else made.names[found.baseline],
        "verdict": verdict(found, made.names),
        "flips": flips(found, made.names),
        "left_out": made.left_out,
        "contenders": [
            {
                "id": p.pk,
                "name": p.name,
                "mean": p.mean,
                "interval": [p.low, p.high],
                "rank_low": low,
                "rank_high": high,
            }
            for p, (low, high) in zip(people, ranks, strict=True)
        ],
        "pairs": [_pair(found, pair, made.names) for pair in found.pairs],
        "patterns": [{"right": each.right, "samples": each.count} for each in samples.patterns(made)],
        "breakdown_by": split.kind if split else None,
        "reference": split.reference.name if split else None,
        "breakdown": [_group(row) for row in split.rows] if split else [],
    }


def _pair(found: SideBySide, pair: Pair, names: tuple[str, ...]) -> dict[str, Any]:
    needed = pair.samples_needed if isfinite(pair.samples_needed) else None
    return {
        **asdict(pair),
        "first": names[pair.first],
        "second": names[pair.second],
        "interval": [pair.low, pair.high],
        "answers_changed_interval": [pair.changed_low, pair.changed_high],
        "samples_needed": needed,
        "verdict": of_pair(found, pair, names),
    }


def _group(row: figures.GroupRow) -> dict[str, Any]:
    columns = {name: [getattr(cell, name) for cell in row.cells] for name in ("mean", "difference", "low", "high")}
    return {"name": row.name, "n": row.n, **columns}


urlpatterns = [path("compare/", Compare.as_view(), name="compare")]
