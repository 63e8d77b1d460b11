"""REST of entries, benchmarks, suites and schemes."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation.schemes import SCHEMES
from webapp.catalog import selectors, services
from webapp.catalog.models import Benchmark, BenchmarkVersion, ModelEntry, Sample, Suite
from webapp.catalog.serializers import (
    BenchmarkDetailOut,
    BenchmarkIn,
    BenchmarkOut,
    BenchmarkVersionDetail,
    ContentIn,
    EntryIn,
    EntryOut,
    EntryVersionOut,
    SampleOut,
    SchemeOut,
    SourceIn,
    SuiteIn,
    SuiteOut,
    content,
    source_request,
)
from webapp.rest import SEARCH, BoundedJSONParser, Page, PublicResource


class Entries(PublicResource, ListAPIView[ModelEntry]):
    """Registered language models, with their versions."""

    serializer_class = EntryOut
    queryset = ModelEntry.objects.none()

    def get_queryset(self) -> QuerySet[ModelEntry]:
        return selectors.entries(self.request.user, self.request.query_params.get("q", ""))

    @extend_schema(parameters=[SEARCH])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=EntryIn, responses={201: EntryOut})
    def post(self, request: Request) -> Response:
        """Register an entry with its first version."""
        values = self.read(EntryIn)
        version = services.register_entry(actor=self.actor, source=source_request(values), **values)
        return Response(self.shown(EntryOut, version.entry), status=201)


class NamedEntry(PublicResource):
    def entry(self) -> ModelEntry:
        named = {"team__name": self.kwargs["team"], "name": self.kwargs["name"]}
        return get_object_or_404(selectors.entries(self.request.user), **named)


class EntryDetail(NamedEntry, RetrieveAPIView[ModelEntry]):
    serializer_class = EntryOut

    def get_object(self) -> ModelEntry:
        return self.entry()


class EntryVersions(NamedEntry):
    serializer_class = EntryVersionOut

    @extend_schema(request=SourceIn, responses={201: EntryVersionOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Add a version; earlier ones never change."""
        source = source_request(self.read(SourceIn))
        version = services.add_entry_version(actor=self.actor, entry=self.entry(), source=source)
        return Response(self.shown(EntryVersionOut, version), status=201)


class Benchmarks(PublicResource, ListAPIView[Benchmark]):
    """Benchmarks, with their versions."""

    serializer_class = BenchmarkOut
    queryset = Benchmark.objects.none()
    parser_classes = [BoundedJSONParser, MultiPartParser]

    def get_queryset(self) -> QuerySet[Benchmark]:
        return selectors.benchmarks(self.request.user, self.request.query_params.get("q", ""))

    @extend_schema(parameters=[SEARCH])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=BenchmarkIn, responses={201: BenchmarkDetailOut})
    def post(self, request: Request) -> Response:
        """Create a benchmark with its first version: a definition and documents, or a task of lm-eval by name."""
        version = services.create_benchmark(actor=self.actor, **content(self.read(BenchmarkIn)))
        return Response(self.shown(BenchmarkDetailOut, version.benchmark), status=201)


class NamedBenchmark(PublicResource):
    def benchmark(self) -> Benchmark:
        named = {"team__name": self.kwargs["team"], "name": self.kwargs["name"]}
        return get_object_or_404(selectors.benchmarks(self.request.user), **named)


class BenchmarkDetail(NamedBenchmark, RetrieveAPIView[Benchmark]):
    """A benchmark; its versions come with their definitions."""

    serializer_class = BenchmarkDetailOut

    def get_object(self) -> Benchmark:
        return self.benchmark()


class BenchmarkVersions(NamedBenchmark):
    serializer_class = BenchmarkVersionDetail
    parser_classes = [BoundedJSONParser, MultiPartParser]

    @extend_schema(request=ContentIn, responses={201: BenchmarkVersionDetail})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Add a version; earlier ones never change."""
        values = content(self.read(ContentIn))
        version = services.add_benchmark_version(actor=self.actor, benchmark=self.benchmark(), **values)
        return Response(self.shown(BenchmarkVersionDetail, version), status=201)


class ByIndex(Page):
    ordering = "index"


class BenchmarkSamples(NamedBenchmark, ListAPIView[Sample]):
    """The questions of a benchmark version, as contenders see them."""

    serializer_class = SampleOut
    queryset = Sample.objects.none()
    pagination_class = ByIndex

    def get_queryset(self) -> QuerySet[Sample]:
        versions = BenchmarkVersion.objects.filter(benchmark=self.benchmark())
        return selectors.samples(get_object_or_404(versions, number=self.kwargs["number"]))


class Suites(PublicResource, ListAPIView[Suite]):
    """Benchmarks in order."""

    serializer_class = SuiteOut
    queryset = Suite.objects.none()

    def get_queryset(self) -> QuerySet[Suite]:
        return selectors.suites(self.request.user)

    @extend_schema(request=SuiteIn, responses={201: SuiteOut})
    def post(self, request: Request) -> Response:
        """Make a suite of benchmark versions; their order is the order of columns."""
        values = self.read(SuiteIn)
        suite = services.create_suite(actor=self.actor, versions=values.pop("benchmarks"), **values)
        return Response(self.shown(SuiteOut, suite), status=201)


class SuiteDetail(PublicResource, RetrieveAPIView[Suite]):
    serializer_class = SuiteOut

    def get_object(self) -> Suite:
        named = {"team__name": self.kwargs["team"], "name": self.kwargs["name"]}
        return get_object_or_404(selectors.suites(self.request.user), **named)


class Schemes(PublicResource):
    """The schemes that an entry can be evaluated with."""

    serializer_class = SchemeOut
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(responses=SchemeOut(many=True))
    def get(self, request: Request) -> Response:
        return Response(self.shown(SchemeOut, SCHEMES.values(), many=True))


urlpatterns = [
    path("entries/", Entries.as_view(), name="entries"),
    path("entries/<str:team>/<str:name>/", EntryDetail.as_view(), name="entry"),
    path("entries/<str:team>/<str:name>/versions/", EntryVersions.as_view(), name="entry_versions"),
    path("benchmarks/", Benchmarks.as_view(), name="benchmarks"),
    path("benchmarks/<str:team>/<str:name>/", BenchmarkDetail.as_view(), name="benchmark"),
    path("benchmarks/<str:team>/<str:name>/versions/", BenchmarkVersions.as_view(), name="benchmark_versions"),
    path(
        "benchmarks/<str:team>/<str:name>/versions/<int:number>/samples/",
        BenchmarkSamples.as_view(),
        name="benchmark_samples",
    ),
    path("suites/", Suites.as_view(), name="suites"),
    path("suites/<str:team>/<str:name>/", SuiteDetail.as_view(), name="suite"),
    path("schemes/", Schemes.as_view(), name="schemes"),
]
