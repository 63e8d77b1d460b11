"""Entries, benchmarks and suites."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from evaluation.schemes import SCHEMES
from webapp.accounts.selectors import May, may, require, teams_where
from webapp.bounds import brings_files
from webapp.catalog import calibration, prices, selectors, services
from webapp.catalog import price_list as listings
from webapp.catalog.expert_costs import suggested
from webapp.catalog.forms import (
    BenchmarkForm,
    BenchmarkVersionForm,
    CalibrationSetForm,
    EntryDescriptionForm,
    EntryForm,
    EntryVersionForm,
    ExpertCostForm,
    PriceForm,
    SuiteForm,
    TakeOverForm,
)
from webapp.catalog.models import Benchmark, ModelEntry, Price, Suite
from webapp.requests import MemberRequest, PageRequest

PAGE = 50
SAMPLES = 20


def _listing(request: PageRequest, template: str, rows: QuerySet[Any], search: str) -> HttpResponse:
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    may_submit = teams_where(request.user, May.SUBMIT).exists()
    return render(request, template, {"page": page, "search": search, "may_submit": may_submit})


def _search(request: PageRequest) -> str:
    return request.GET.get("q", "").strip()[:80]


def _crumbs(plural: str, *rest: tuple[str, str]) -> list[tuple[str, str]]:
    return [(plural.capitalize(), reverse(f"catalog:{plural}")), *rest]


@login_not_required
def entries(request: PageRequest) -> HttpResponse:
    search = _search(request)
    return _listing(request, "catalog/entries.html", selectors.entries(request.user, search), search)


def _entry(request: PageRequest, team: str, name: str) -> ModelEntry:
    return get_object_or_404(selectors.entries(request.user), team__name=team, name=name)


@login_not_required
def entry(request: PageRequest, team: str, name: str) -> HttpResponse:
    found = _entry(request, team, name)
    history = list(selectors.prices(found))
    context = {
        "entry": found,
        "versions": found.versions.all(),
        "schemes": SCHEMES.values(),
        "prices": history,
        "current_prices": selectors.current_prices(history, timezone.now().date()),
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "may_manage": may(request.user, found.team, May.MANAGE),
        "crumbs": _crumbs("entries", (found.name, "")),
    }
    return render(request, "catalog/entry.html", context)


def register_entry(request: MemberRequest) -> HttpResponse:
    form = EntryForm(request.user, request.POST or None)
    if request.method == "POST" and (version := form.attempt(services.register_entry, actor=request.user)):
        return redirect("catalog:entry", version.entry.team.name, version.entry.name)
    context = {"form": form, "crumbs": _crumbs("entries", ("New entry", ""))}
    return render(request, "catalog/register_entry.html", context, status=form.status)


def describe_entry(request: MemberRequest, team: str, name: str) -> HttpResponse:
    found = _entry(request, team, name)
    require(request.user, found.team, May.SUBMIT)
    form = EntryDescriptionForm(request.POST or None, initial=EntryDescriptionForm.of(found))
    address = reverse("catalog:entry", args=[team, name])
    if request.method == "POST" and (
        form.attempt(services.describe_entry, actor=request.user, entry=found) is not None
    ):
        return redirect(address)
    context = {"form": form, "entry": found, "crumbs": _crumbs("entries", (found.name, address), ("Describe", ""))}
    return render(request, "catalog/describe_entry.html", context, status=form.status)


def add_entry_version(request: MemberRequest, team: str, name: str) -> HttpResponse:
    found = _entry(request, team, name)
    require(request.user, found.team, May.SUBMIT)
    latest = found.versions.first()
    initial = {"source": latest.source, "location": latest.location} if latest else {}
    form = EntryVersionForm(request.user, request.POST or None, initial=initial)
    address = reverse("catalog:entry", args=[team, name])
    if request.method == "POST" and (
        version := form.attempt(services.add_entry_version, actor=request.user, entry=found)
    ):
        messages.success(request, f"{version} is there. Earlier versions stay as they are.")
        return redirect(address)
    context = {"form": form, "entry": found, "crumbs": _crumbs("entries", (found.name, address), ("New version", ""))}
    return render(request, "catalog/add_entry_version.html", context, status=form.status)


def add_price(request: MemberRequest, team: str, name: str) -> HttpResponse:
    found = _entry(request, team, name)
    require(request.user, found.team, May.SUBMIT)
    form = PriceForm(request.POST or None)
    address = reverse("catalog:entry", args=[team, name])
    if request.method == "POST" and (price := form.attempt(prices.add_price, actor=request.user, entry=found)):
        messages.success(request, f"The {price} is there. Runs that were costed before keep theirs.")
        return redirect(f"{address}#prices")
    context = {"form": form, "entry": found, "crumbs": _crumbs("entries", (found.name, address), ("New price", ""))}
    return render(request, "catalog/add_price.html", context, status=form.status)


def price_list(request: MemberRequest, team: str, name: str) -> HttpResponse:
    """Search the list prices of endpoints, look at one with its history, take it over."""
    found = _entry(request, team, name)
    require(request.user, found.team, May.SUBMIT)
    address = reverse("catalog:entry", args=[team, name])
    chosen = request.POST or request.GET
    form = TakeOverForm(request.POST or None, initial={key: chosen.get(key, "") for key in ("provider", "model")})
    if request.method == "POST" and (made := form.attempt(prices.take_over_prices, actor=request.user, entry=found)):
        messages.success(request, _taken_over(*made))
        return redirect(f"{address}#prices")
    search = request.GET["q"].strip()[:80] if "q" in request.GET else _reference(found)
    context = {
        "form": form,
        "entry": found,
        "search": search,
        "listings": listings.search(search),
        "listing": listings.find(chosen.get("provider", ""), chosen.get("model", "")),
        "edition": listings.edition(),
        "crumbs": _crumbs("entries", (found.name, address), ("Price list", "")),
    }
    return render(request, "catalog/price_list.html", context, status=form.status)


def _reference(entry: ModelEntry) -> str:
    """What the list is searched for first: the name that the endpoint knows."""
    latest = entry.versions.first()
    return (latest.endpoint_model if latest else "") or entry.name


def _taken_over(added: list[Price], listing: listings.Listing) -> str:
    if not added:
        return f"All prices of {listing.title} were there already."
    return f"{len(added)} {'price' if len(added) == 1 else 'prices'} of {listing.title} taken over."


@require_POST
def withdraw_price(request: MemberRequest, team: str, name: str, pk: int) -> HttpResponse:
    found = _entry(request, team, name)
    price = get_object_or_404(selectors.prices(found), pk=pk)
    prices.withdraw_price(actor=request.user, price=price, reason=request.POST.get("reason", ""))
    messages.success(request, "The price is withdrawn. It stays in the history.")
    return redirect(f"{reverse('catalog:entry', args=[team, name])}#prices")


@login_not_required
def benchmarks(request: PageRequest) -> HttpResponse:
    search = _search(request)
    return _listing(request, "catalog/benchmarks.html", selectors.benchmarks(request.user, search), search)


def _benchmark(request: PageRequest, team: str, name: str) -> Benchmark:
    return get_object_or_404(selectors.benchmarks(request.user), team__name=team, name=name)


@login_not_required
def benchmark(request: PageRequest, team: str, name: str, form: ExpertCostForm | None = None) -> HttpResponse:
    found = _benchmark(request, team, name)
    number = request.GET.get("version", "")
    versions = {str(version.number): version for version in found.versions.all()}
    shown = versions.get(number) or next(iter(versions.values()))
    form = form or ExpertCostForm.of(found)
    context = {
        "benchmark": found,
        "form": form,
        "suggestion": suggested(found.name, found.title, shown.harness_task),
        "versions": versions.values(),
        "version": shown,
        "definition": json.dumps(shown.definition, indent=2, ensure_ascii=False),
        "page": Paginator(selectors.samples(shown), SAMPLES).get_page(request.GET.get("page")),
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "crumbs": _crumbs("benchmarks", (found.name, "")),
    }
    return render(request, "catalog/benchmark.html", context, status=form.status)


@require_POST
def set_expert_cost(request: MemberRequest, team: str, name: str) -> HttpResponse:
    found = _benchmark(request, team, name)
    require(request.user, found.team, May.SUBMIT)
    form = ExpertCostForm(request.POST)
    if form.attempt(prices.set_expert_cost, actor=request.user, benchmark=found) is None:
        shown: HttpResponse = benchmark(request, team, name, form)
        return shown
    messages.success(request, "The cost of an expert is kept. Reports that are done stay as they are.")
    return redirect("catalog:benchmark", team, name)


@brings_files
def create_benchmark(request: MemberRequest) -> HttpResponse:
    form = BenchmarkForm(request.user, request.POST or None, request.FILES or None)
    if request.method == "POST" and (version := form.attempt(services.create_benchmark, actor=request.user)):
        return redirect("catalog:benchmark", version.benchmark.team.name, version.benchmark.name)
    context = {"form": form, "crumbs": _crumbs("benchmarks", ("New benchmark", ""))}
    return render(request, "catalog/create_benchmark.html", context, status=form.status)


@brings_files
def add_benchmark_version(request: MemberRequest, team: str, name: str) -> HttpResponse:
    found = _benchmark(request, team, name)
    require(request.user, found.team, May.SUBMIT)
    form = BenchmarkVersionForm(request.user, request.POST or None, request.FILES or None)
    if latest := found.versions.first():
        form.show(latest)
    address = reverse("catalog:benchmark", args=[team, name])
    if request.method == "POST" and (
        version := form.attempt(services.add_benchmark_version, actor=request.user, benchmark=found)
    ):
        messages.success(request, f"{version} is there. Suites keep the version that they were made with.")
        return redirect(address)
    crumbs = _crumbs("benchmarks", (found.name, address), ("New version", ""))
    context = {"form": form, "benchmark": found, "crumbs": crumbs}
    return render(request, "catalog/add_benchmark_version.html", context, status=form.status)


@login_not_required
def suites(request: PageRequest) -> HttpResponse:
    search = _search(request)
    rows = selectors.suites(request.user)
    return _listing(request, "catalog/suites.html", rows.filter(name__icontains=search) if search else rows, search)


@login_not_required
def suite(request: PageRequest, team: str, name: str) -> HttpResponse:
    found: Suite = get_object_or_404(selectors.suites(request.user), team__name=team, name=name)
    context = {
        "suite": found,
        "versions": [item.version for item in found.items.all()],
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "crumbs": _crumbs("suites", (found.name, "")),
    }
    return render(request, "catalog/suite.html", context)


def create_suite(request: MemberRequest) -> HttpResponse:
    form = SuiteForm(request.user, request.POST or None)
    if request.method == "POST" and (made := form.attempt(services.create_suite, actor=request.user)):
        return redirect("catalog:suite", made.team.name, made.name)
    context = {"form": form, "crumbs": _crumbs("suites", ("New suite", ""))}
    return render(request, "catalog/create_suite.html", context, status=form.status)


@login_not_required
def calibration_sets(request: PageRequest) -> HttpResponse:
    search = _search(request)
    rows = selectors.calibration_sets(request.user)
    rows = rows.filter(name__icontains=search) if search else rows
    return _listing(request, "catalog/calibration_sets.html", rows, search)


@brings_files
def create_calibration_set(request: MemberRequest) -> HttpResponse:
    form = CalibrationSetForm(request.user, request.POST or None, request.FILES or None)
    if request.method == "POST" and (made := form.attempt(calibration.create_calibration_set, actor=request.user)):
        messages.success(request, f"{made} is there, with {made.size:,} texts. It never changes.")
        return redirect("catalog:calibration_sets")
    crumbs = [("Calibration sets", reverse("catalog:calibration_sets")), ("New calibration set", "")]
    context = {"form": form, "crumbs": crumbs}
    return render(request, "catalog/create_calibration_set.html", context, status=form.status)
