"""Reads of searches, with the words that say how far they are and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from webapp.accounts.selectors import Viewer, visible
from webapp.jobs.estimates import Estimate
from webapp.jobs.models import Run
from webapp.jobs.selectors import waiting_reason
from webapp.searches.intervals import known_rows, step_rows
from webapp.searches.knowledge import Found, Known
from webapp.searches.models import Batch, Search
from webapp.searches.scores import spent_with_cost

BATCHES_SHOWN = 200
HEAVY = ("subset", "settings", "provenance", "software")  # what the page does not say of a run: it is drawn often
UNDER_WAY = (Run.State.QUEUED, Run.State.RUNNING)


def searches(user: Viewer) -> QuerySet[Search]:
    rows = visible(Search.objects.all(), user).select_related("team", "created_by", "job__suite__team")
    return rows.order_by("-pk")


@dataclass(frozen=True)
class Progress:
    """Samples of the budget; seconds left at the pace until now, None before there is one."""

    done: int
    total: int
    seconds_left: float | None

    @property
    def percent(self) -> int:
        return min(100, int(100 * self.done / self.total)) if self.total else 0


def progress_context(pk: int) -> dict[str, Any]:
    """What `_search_progress.html` draws, wherever it is delivered: nothing in it depends on the viewer."""
    search = Search.objects.select_related("team", "created_by", "job__suite__team").get(pk=pk)
    found = Found.from_json(search.found)
    batches = _batches(search)
    asked, cost = spent_with_cost(search)
    waiting = [run for batch in batches for run in batch.runs.all() if run.state in UNDER_WAY]
    scale, rows = known_rows(found, search.size) if found and search.finds_best else (None, [])
    steps_scale, steps = step_rows(found) if found else (None, [])
    return {
        "search": search,
        "found": found,
        "leader": leader(found),
        "rows": rows,
        "axis": scale or steps_scale,
        "steps": steps,
        "batches": batches[:BATCHES_SHOWN],
        "hidden": max(0, search.batches.count() - BATCHES_SHOWN) if len(batches) >= BATCHES_SHOWN else 0,
        "asked": asked,
        "cost": cost,
        "cells": search.size * (len(found.known) if found else 1),
        "progress": _progress(search, found, asked, batches),
        "waiting": waiting_reason(waiting),
        "verdict": verdict(search, found),
        "following": following(search, found),
        "estimate": Estimate.from_json(search.job.estimate),
    }


def _batches(search: Search) -> list[Batch]:
    """Newest first, with their runs."""
    runs = Run.objects.select_related("contender", "version__benchmark").defer(*HEAVY).order_by("pk")
    rows = search.batches.select_related("contender", "leader").prefetch_related(Prefetch("runs", runs))
    return list(rows.order_by("-number")[:BATCHES_SHOWN])


def _progress(search: Search, found: Found | None, asked: int, batches: list[Batch]) -> Progress:
    """To find the best, evaluated samples count; for an estimate, known ones, those just being asked included."""
    done = asked
    if not search.finds_best and found is not None:
        done = (
            found.known[0].count + sum(run.done for run in batches[0].runs.all() if run.state in UNDER_WAY)
            if batches
            else 0
        )
    if search.is_over or not asked or not batches:
        return Progress(done, search.budget, None)
    pace = (timezone.now() - search.created_at).total_seconds() / asked
    return Progress(done, search.budget, max(0, search.budget - done) * pace)


def leader(found: Found | None) -> Known | None:
    """Who leads; of an estimate, its only contender."""
    if found is None:
        return None
    if found.leader is None:
        return found.known[0] if found.steps else None
    return next(one for one in found.known if one.contender == found.leader)


def verdict(search: Search, found: Found | None) -> str:
    """One sentence on what is known; "" before anything is."""
    best = leader(found)
    if found is None or best is None or best.mean is None:
        return ""
    return _best_verdict(search, found, best) if search.finds_best else _estimate_verdict(search, found, best)


def _best_verdict(search: Search, found: Found, best: Known) -> str:
    cells = search.size * len(found.known)
    sure = f"{best.name} leads with {_percent(best.mean)} on {best.count:,} of {search.size:,} samples"
    if best.count < search.size and best.low is not None and best.high is not None:
        sure += f" (95 % interval {_span(best.low, best.high)})"
    wrong = found.chance_wrong or 0.0
    chance = "with a chance below 1 %" if wrong < 0.01 else f"with a chance of about {100 * wrong:.0f} %"
    if all(one.count == search.size or one.given_up for one in found.known):
        return f"{sure}. All is known: nobody else is better."
    silent = sum(not one.count for one in found.known)
    if silent:
        return f"{sure}; {silent} of {len(found.known)} contenders have not answered yet."
    return f"{sure}; another contender is better {chance}. {found.spent:,} of {cells:,} answers were evaluated for it."


def _estimate_verdict(search: Search, found: Found, best: Known) -> str:
    said = f"{best.name} scores about {_percent(best.mean)}"
    if best.low is not None and best.high is not None:
        said += f" (95 % interval {_span(best.low, best.high)})"
    said += f" on all {search.size:,} samples, by {best.count:,} of them"
    if found.usual_samples is None:
        return f"{said}."
    more = found.usual_samples - best.count
    if search.method == Search.Method.RANDOM or more <= 0:
        return f"{said}. As many random samples would be expected to do as well." if more <= 0 else f"{said}."
    return (
        f"{said}. Random sampling would need about {found.usual_samples:,} for such an interval: {more:,} were saved."
    )


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.1f} %"


def _span(low: float, high: float) -> str:
    return f"{100 * max(0.0, low):.1f} to {100 * min(1.0, high):.1f}"


def following(search: Search, found: Found | None) -> dict[str, str]:
    """Queries of the pages where one goes on: run the leader in full, replay on stored scores, search again."""
    best = leader(found)
    chosen = next(
        (one for one in search.contenders.select_related("version") if best and one.pk == best.contender), None
    )
    suite = {"suite": search.job.suite_id} if search.job.suite_id else {}
    versions = list(search.versions.values_list("pk", flat=True))
    data = suite or ({"benchmark": versions[0]} if len(versions) == 1 else {})
    full = {"entry": chosen.version_id, "scheme": chosen.scheme, **suite} if chosen else {}
    analysis = "adaptive" if search.finds_best else "estimation"
    return {"full": urlencode(full), "replay": urlencode({"analysis": analysis, **data}), "again": f"again={search.pk}"}
