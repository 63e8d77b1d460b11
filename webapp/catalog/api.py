"""REST of entries, benchmarks, suites and calibration sets."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.bounds import UPLOAD
from webapp.catalog import calibration, price_list, prices, selectors, services
from webapp.catalog.models import Benchmark, BenchmarkVersion, CalibrationSet, ModelEntry, Price, Sample, Suite
from webapp.catalog.serializers import (
    BenchmarkDetailOut,
    BenchmarkIn,
    BenchmarkOut,
    BenchmarkVersionDetail,
    CalibrationSetDetailOut,
    CalibrationSetIn,
    CalibrationSetOut,
    ContentIn,
    EntryDescriptionIn,
    EntryIn,
    EntryOut,
    EntryVersionOut,
    ExpertCostIn,
    ListingIn,
    ListingOut,
    PriceIn,
    PriceOut,
    ReasonIn,
    SampleOut,
    SourceIn,
    SuiteIn,
    SuiteOut,
    content,
    source_request,
)
from webapp.rest import SEARCH, BoundedJSONParser, Page, PublicResource, Resource


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

    @extend_schema(request=EntryDescriptionIn, responses=EntryOut)
    def patch(self, request: Request, team: str, name: str) -> Response:
        """Change what is said of the entry. What its numbers depend on is in its versions, which never change."""
        services.describe_entry(actor=self.actor, entry=self.entry(), **self.read(EntryDescriptionIn))
        return Response(self.shown(EntryOut, self.entry()))


class EntryVersions(NamedEntry):
    serializer_class = EntryVersionOut

    @extend_schema(request=SourceIn, responses={201: EntryVersionOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Add a version; earlier ones never change."""
        source = source_request(self.read(SourceIn))
        version = services.add_entry_version(actor=self.actor, entry=self.entry(), source=source)
        return Response(self.shown(EntryVersionOut, version), status=201)


class NewestPrice(Page):
    ordering = ("-valid_from", "-id")


class Prices(NamedEntry, ListAPIView[Price]):
    """The price history of an entry, newest first: what each price was, since when, and who says so."""

    serializer_class = PriceOut
    queryset = Price.objects.none()
    pagination_class = NewestPrice

    def get_queryset(self) -> QuerySet[Price]:
        return selectors.prices(self.entry())

    @extend_schema(request=PriceIn, responses={201: PriceOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Add a price; earlier ones never change, and runs keep what they were costed with."""
        entry, stated = self.entry(), self.read(PriceIn)
        price = prices.add_price(actor=self.actor, entry=entry, request=prices.PriceRequest(**stated))
        return Response(self.shown(PriceOut, price), status=201)


class WithdrawPrice(NamedEntry):
    scope = "admin"

    @extend_schema(request=ReasonIn, responses=PriceOut)
    def post(self, request: Request, team: str, name: str, pk: int) -> Response:
        """Withdraw an erroneous price (owners): it stays in the history and counts no more. Safe to call twice."""
        price = get_object_or_404(selectors.prices(self.entry()), pk=pk)
        price = prices.withdraw_price(actor=self.actor, price=price, **self.read(ReasonIn))
        return Response(self.shown(PriceOut, price))


class TakeOverPrices(NamedEntry):
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(request=ListingIn, responses=PriceOut(many=True))
    def post(self, request: Request, team: str, name: str) -> Response:
        """Take a listing's prices over, with their dates. Answers with the new ones; safe to call twice."""
        added, _ = prices.take_over_prices(actor=self.actor, entry=self.entry(), **self.read(ListingIn))
        return Response(self.shown(PriceOut, added, many=True))


class PriceList(Resource):
    """List prices of endpoints with their history. The list comes with the installation; nothing is fetched."""

    serializer_class = ListingOut
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(
        parameters=[OpenApiParameter("q", str, required=True, description="A model's name, as its endpoint knows it.")],
        responses=ListingOut(many=True),
    )
    def get(self, request: Request) -> Response:
        found = price_list.search(request.query_params.get("q", "")[:80])
        return Response(self.shown(ListingOut, found, many=True))


class Benchmarks(PublicResource, ListAPIView[Benchmark]):
    """Benchmarks, with their versions."""

    serializer_class = BenchmarkOut
    queryset = Benchmark.objects.none()
    parser_classes = [BoundedJSONParser, MultiPartParser]
    bounds = UPLOAD

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
    bounds = UPLOAD

    @extend_schema(request=ContentIn, responses={201: BenchmarkVersionDetail})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Add a version; earlier ones never change."""
        values = content(self.read(ContentIn))
        version = services.add_benchmark_version(actor=self.actor, benchmark=self.benchmark(), **values)
        return Response(self.shown(BenchmarkVersionDetail, version), status=201)


class ExpertCost(NamedBenchmark):
    serializer_class = BenchmarkDetailOut

    @extend_schema(request=ExpertCostIn, responses=BenchmarkDetailOut)
    def put(self, request: Request, team: str, name: str) -> Response:
        """Say what a sample costs when a human expert answers it, and who says so."""
        prices.set_expert_cost(actor=self.actor, benchmark=self.benchmark(), **self.read(ExpertCostIn))
        return Response(self.shown(BenchmarkDetailOut, self.benchmark()))


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


class CalibrationSets(PublicResource, ListAPIView[CalibrationSet]):
    """Calibration sets, newest first, without their texts."""

    serializer_class = CalibrationSetOut
    queryset = CalibrationSet.objects.none()
    bounds = UPLOAD

    def get_queryset(self) -> QuerySet[CalibrationSet]:
        return selectors.calibration_sets(self.request.user)

    @extend_schema(request=CalibrationSetIn, responses={201: CalibrationSetOut})
    def post(self, request: Request) -> Response:
        """Keep texts for schemes that must be calibrated. A set never changes."""
        made = calibration.create_calibration_set(actor=self.actor, **self.read(CalibrationSetIn))
        return Response(self.shown(CalibrationSetOut, made), status=201)


class CalibrationSetDetail(PublicResource, RetrieveAPIView[CalibrationSet]):
    """A calibration set with its texts."""

    serializer_class = CalibrationSetDetailOut

    def get_object(self) -> CalibrationSet:
        return get_object_or_404(selectors.calibration_sets(self.request.user), pk=self.kwargs["pk"])


urlpatterns = [
    path("entries/", Entries.as_view(), name="entries"),
    path("entries/<str:team>/<str:name>/", EntryDetail.as_view(), name="entry"),
    path("entries/<str:team>/<str:name>/versions/", EntryVersions.as_view(), name="entry_versions"),
    path("entries/<str:team>/<str:name>/prices/", Prices.as_view(), name="prices"),
    path("entries/<str:team>/<str:name>/prices/take-over/", TakeOverPrices.as_view(), name="take_over_prices"),
    path("entries/<str:team>/<str:name>/prices/<int:pk>/withdraw/", WithdrawPrice.as_view(), name="withdraw_price"),
    path("price-list/", PriceList.as_view(), name="price_list"),
    path("benchmarks/", Benchmarks.as_view(), name="benchmarks"),
    path("benchmarks/<str:team>/<str:name>/", BenchmarkDetail.as_view(), name="benchmark"),
    path("benchmarks/<str:team>/<str:name>/versions/", BenchmarkVersions.as_view(), name="benchmark_versions"),
    path("benchmarks/<str:team>/<str:name>/expert-cost/", ExpertCost.as_view(), name="expert_cost"),
    path(
        "benchmarks/<str:team>/<str:name>/versions/<int:number>/samples/",
        BenchmarkSamples.as_view(),
        name="benchmark_samples",
    ),
    path("suites/", Suites.as_view(), name="suites"),
    path("suites/<str:team>/<str:name>/", SuiteDetail.as_view(), name="suite"),
    path("calibration-sets/", CalibrationSets.as_view(), name="calibration_sets"),
    path("calibration-sets/<int:pk>/", CalibrationSetDetail.as_view(), name="calibration_set"),
]
