"""The compare page, one sample of it, and its downloads."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse

from evaluation.verdicts import flips, verdict
from webapp.catalog.models import Sample
from webapp.catalog.selectors import latest_benchmark_versions, suites
from webapp.errors import Unprocessable
from webapp.requests import PageRequest
from webapp.results import compare as reads
from webapp.results import compare_figures as figures
from webapp.results import compare_samples as samples
from webapp.results.compare import Subject, Table
from webapp.results.compare_query import FEWEST, MOST, SORTS, Query
from webapp.results.compare_samples import Neighbours
from webapp.results.models import Score
from webapp.streaming import download

MIXED = "Benchmarks of both directions have no common mean: compare on one of them."
PAIRS = {"Content-Disposition": 'attachment; filename="comparison-pairs.csv"'}
PIECE = 500  # rows of a download that are made at once
OFFERED = 200  # suites and benchmarks on the first screen


@login_not_required
def compare(request: PageRequest) -> HttpResponse:
    """Choose, then compare: everything that is shown is in the address."""
    query = Query.of(request.GET)
    if len(request.GET.getlist("contenders")) > 1 or "choosing" in request.GET:  # a form: its permalink
        return HttpResponseRedirect(f"{reverse('results:compare')}?{query.text}")
    if query.suite is None and query.benchmark is None:
        return render(request, "results/compare.html", _subjects(request))
    chosen = _subject(request, query)
    made: Table | str | None = MIXED if chosen.mixed else None
    if made is None and query.enough:
        made = reads.table(request.user, chosen, query.contenders)
    context: dict[str, Any] = {"query": query, "carried": query.carried, "subject": chosen, "crumbs": _crumbs(chosen)}
    if isinstance(made, Table):
        return render(request, "results/compare.html", {**context, **compared(chosen, made, query)})
    offered = [] if chosen.mixed else reads.options(request.user, chosen)
    chooser = {"options": offered, "problem": made or "", "fewest": FEWEST, "most": MOST}
    return render(request, "results/compare.html", {**context, **chooser})


def compared(chosen: Subject, made: Table, query: Query) -> dict[str, Any]:
    """What the page draws of a comparison."""
    found = made.compared(query)
    people = figures.contestants(made, found)
    every = samples.patterns(made)
    page = samples.page(chosen, made, query)
    baselines = [(person, query.but(baseline=None if person.baseline else person.pk)) for person in people]
    patterns = [(each, query.but(filter="all" if query.filter == each.key else each.key)) for each in every]
    return {
        "here": reverse("results:compare"),
        "choose": query.but(choose=True),
        "found": found,
        "left_out": made.left_out,
        "pooled": len(made.versions),
        "verdict": verdict(found, made.names),
        "flips": flips(found, made.names),
        "people": people,
        "baselines": baselines,
        "pairs": figures.pair_rows(found, people),
        "breakdown": figures.breakdown(chosen, made, people),
        "plan": figures.plan(made, found, query),
        "patterns": patterns[: samples.PATTERNS],
        "rarer": patterns[samples.PATTERNS :],
        "tabs": [(tab, query.but(filter=tab.key)) for tab in samples.tabs(made)],
        "sorts": SORTS,
        "page": page,
        "earlier": query.but(after=page.before or ""),
        "later": query.but(after=page.after or ""),
    }


@login_not_required
def compare_sample(request: PageRequest, version: int, index: int) -> HttpResponse:
    """One sample as every contender answered it, with its neighbours inside the filter."""
    chosen, query = _around(request, version)
    if not query.contenders:
        best = reads.options(request.user, chosen)[:MOST]
        query = replace(query, contenders=tuple(option.pk for option in best))
    made = reads.table(request.user, chosen, query.contenders) if query.contenders else "Nothing has run."
    if not isinstance(made, Table) or version not in {each.pk for each in made.versions}:
        raise Http404
    scores = samples.full_rows(made, version, index)
    if not any(scores):
        raise Http404
    context = {
        "query": query,
        "benchmark": next(each for each in made.versions if each.pk == version),
        "index": index,
        "tab": next((tab.label for tab in samples.tabs(made) if tab.key == query.filter), "Pattern"),
        **_answers(chosen, made, version, index, scores),
        **_around_it(samples.neighbours(chosen, made, query, version, index), query),
        "crumbs": [*_crumbs(chosen)[:-1], (chosen.title, _list(query)), (f"Sample {index}", "")],
    }
    return render(request, "results/compare_sample.html", context)


def _answers(chosen: Subject, made: Table, version: int, index: int, scores: list[Score | None]) -> dict[str, Any]:
    """The question, where it may be read, and what each contender made of it."""
    asked = Sample.objects.filter(version=version, index=index) if version in chosen.readable else Sample.objects.none()
    sample = asked.first()
    runs = [made.runs[pk, version] for pk in made.contenders]
    return {
        "sample": sample,
        "people": list(zip(samples.LETTERS, made.names, scores, strict=False)),
        "cards": list(zip(samples.LETTERS, made.names, scores, runs, strict=False)),
        "choices": samples.choices(sample, scores),
    }


def _around_it(around: Neighbours, query: Query) -> dict[str, Any]:
    """Links to what is next inside the filter, and to the page of the list that holds the sample."""

    def address(pair: tuple[int, int] | None) -> str:
        return f"{reverse('results:compare_sample', args=pair)}?{query.text}" if pair else ""

    back = f"{_list(replace(query, after=around.back))}#samples"
    return {"around": around, "before": address(around.before), "after": address(around.after), "list": back}


def _list(query: Query) -> str:
    return f"{reverse('results:compare')}?{query.text}"


def _around(request: PageRequest, version: int) -> tuple[Subject, Query]:
    """The comparison that a sample is looked at in: the suite of the address if it has this version, else itself."""
    query = Query.of(request.GET)
    if query.suite is not None:
        chosen = _subject(request, query)
        if version in {each.pk for each in chosen.versions}:
            return chosen, query
    query = replace(query, suite=None, benchmark=version)
    return _subject(request, query), query


@login_not_required
def compare_pairs(request: PageRequest) -> HttpResponse:
    """The table of pairs as CSV."""
    _, made, query = _made(request)
    found = made.compared(query)
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers=PAIRS)
    writer = csv.writer(response)
    names = [name for name in found.pairs[0].__dataclass_fields__ if name not in {"first", "second"}]
    writer.writerow(["first", "second", "n", *names])
    for pair in found.pairs:
        values = [getattr(pair, name) for name in names]
        writer.writerow([made.names[pair.first], made.names[pair.second], found.n, *values])
    return response


@login_not_required
def compare_export(request: PageRequest) -> StreamingHttpResponse:
    """The samples of the filter as CSV, one row per contender and sample: what `python -m evaluation compare` reads."""
    chosen, made, query = _made(request)
    lines = _lines(samples.exported(chosen, made, query))
    pieces = iter(lambda: "".join(islice(lines, PIECE)).encode(), b"")
    return download(request, pieces, name="comparison-samples.csv", content_type="text/csv; charset=utf-8")


class Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _lines(rows: Iterable[list[Any]]) -> Iterator[str]:
    writer = csv.writer(Echo())
    return (writer.writerow(row) for row in rows)


def _made(request: PageRequest) -> tuple[Subject, Table, Query]:
    query = Query.of(request.GET)
    chosen = _subject(request, query)
    if len(query.contenders) < FEWEST or chosen.mixed:
        raise Unprocessable("Name at least two contenders, on benchmarks of one direction.", field="contenders")
    made = reads.table(request.user, chosen, query.contenders)
    if isinstance(made, str):
        raise Unprocessable(made, field="contenders")
    return chosen, made, query


def _subject(request: PageRequest, query: Query) -> Subject:
    chosen = reads.subject(request.user, query)
    if chosen is None:
        raise Http404
    return chosen


def _subjects(request: PageRequest) -> dict[str, Any]:
    return {
        "suites": suites(request.user)[:OFFERED],
        "benchmarks": latest_benchmark_versions(request.user)[:OFFERED],
    }


def _crumbs(chosen: Subject) -> list[tuple[str, str]]:
    return [("Compare", reverse("results:compare")), (chosen.title, "")]
