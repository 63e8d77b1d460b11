"""What is known of a search's contenders, from the scores of finished runs: its own, and those that were there before.

A row holds the samples of all benchmarks of the search, one after the other, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from django.db.models import BooleanField, Count, ExpressionWrapper, Q, QuerySet, Sum

from evaluation.tables import Floats
from webapp.accounts.models import Team, Visibility
from webapp.accounts.selectors import Viewer, visible
from webapp.catalog.models import BenchmarkVersion, Contender
from webapp.jobs.models import JobRun, Run
from webapp.jobs.selectors import usual
from webapp.searches.kept import KEPT, Scored
from webapp.searches.models import Search

State = Run.State


def contenders_of(search: Search) -> list[Contender]:
    """By name, as a replay takes them: ties fall the same way."""
    return list(search.contenders.select_related("version__entry__team").order_by("name", "pk"))


def versions_of(search: Search) -> list[BenchmarkVersion]:
    return list(search.versions.select_related("benchmark").order_by("pk"))


def starts_of(versions: Sequence[BenchmarkVersion]) -> dict[int, int]:
    """Version's id -> where its samples begin in a row."""
    ends = accumulate(version.samples or 0 for version in versions)
    return {version.pk: end - (version.samples or 0) for version, end in zip(versions, ends, strict=True)}


def subsets_of(versions: Sequence[BenchmarkVersion], places: Sequence[int]) -> dict[int, list[int]]:
    """Version's id -> its samples among these places of a row."""
    starts = starts_of(versions)
    found = {
        version.pk: sorted(
            at - starts[version.pk] for at in places if 0 <= at - starts[version.pk] < (version.samples or 0)
        )
        for version in versions
    }
    return {pk: samples for pk, samples in found.items() if samples}


def known_scores(search: Search, contenders: Sequence[Contender], versions: Sequence[BenchmarkVersion]) -> Floats:
    """(contender, N) score of each sample, NaN where none is known. Two queries, and one more for runs that are new.

    Where a sample was scored more than once, the search's own run counts, then the newest complete one.
    """
    own = set(search.job.runs.filter(state=State.DONE).values_list("pk", flat=True))
    whole = ExpressionWrapper(Q(subset=None), BooleanField())
    runs = _usable(search, contenders, versions).values_list("pk", "contender", "version", whole)
    ordered = sorted(runs, key=lambda run: (run[0] in own, run[3], run[0]))
    known = KEPT.scores([pk for pk, *_ in ordered])
    row, starts = {one.pk: at for at, one in enumerate(contenders)}, starts_of(versions)
    scores = np.full((len(contenders), search.size), np.nan)
    for pk, contender, version, _ in ordered:
        _lay(scores[row[contender]], known.get(pk), starts[version])
    return scores


def _usable(search: Search, contenders: Sequence[Contender], versions: Sequence[BenchmarkVersion]) -> QuerySet[Run]:
    """Finished runs whose scores are the search's to use: measured here, one sure answer a sample, nobody's secret."""
    found = Run.objects.filter(team=search.team_id, contender__in=contenders, version__in=versions, state=State.DONE)
    found = found.filter(settings__limit=None, origin=Run.Origin.HERE).exclude(settings__temperature__gt=0)
    return found.filter(~Q(visibility=Visibility.PRIVATE) | Q(parts__job=search.job_id)).distinct()


def _lay(row: Floats, known: Scored | None, start: int) -> None:
    if known is not None:
        row[start + known.samples] = known.values


def complete_runs(user: Viewer, team: Team, versions: Sequence[BenchmarkVersion]) -> dict[int, list[int]]:
    """Contender's id -> its newest complete runs, one per version in their order; only those who have all of them."""
    runs = usual(visible(Run.objects.filter(team=team, version__in=versions, state=State.DONE), user))
    runs = runs.exclude(visibility=Visibility.PRIVATE).filter(packed__attempts=1)
    cells: dict[int, dict[int, int]] = {}
    for contender, version, pk in runs.order_by("pk").values_list("contender", "version", "pk"):
        cells.setdefault(contender, {})[version] = pk
    return {
        contender: [cell[version.pk] for version in versions]
        for contender, cell in cells.items()
        if len(cell) == len(versions)
    }


def source_scores(search: Search, versions: Sequence[BenchmarkVersion]) -> Floats:
    """(other contender, N) the complete scores that the estimate leans on, in the order of `sources`.

    Somebody whose run is gone, or whose scores have a hole, is left out.
    """
    runs = {
        pk: (who, on)
        for pk, who, on in Run.objects.filter(pk__in=search.sources).values_list("pk", "contender", "version")
    }
    known, starts = KEPT.scores(list(runs)), starts_of(versions)
    rows: dict[int, Floats] = {}
    for pk in search.sources:
        if pk in runs:
            contender, version = runs[pk]
            _lay(rows.setdefault(contender, np.full(search.size, np.nan)), known.get(pk), starts[version])
    whole = [row for row in rows.values() if not np.isnan(row).any()]
    return np.array(whole).reshape(-1, search.size)


def spent(search: Search) -> int:
    """Samples that were evaluated for this search; what other jobs had asked for is theirs."""
    return spent_with_cost(search)[0]


def spent_with_cost(search: Search) -> tuple[int, float | None]:
    """Samples evaluated for this search, and US dollars; None while the cost of a run that has begun is unknown."""
    mine = JobRun.objects.filter(job=search.job_id, reused=False)
    begun = Q(run__done__gt=0)
    sums = mine.aggregate(
        done=Sum("run__done"),
        cost=Sum("run__cost_usd", filter=begun),
        unknown=Count("pk", filter=begun & Q(run__cost_usd=None)),
    )
    return sums["done"] or 0, None if sums["unknown"] else sums["cost"]


def given_up(search: Search) -> Mapping[int, str]:
    """Contender's id -> why it cannot be asked any more: one of its runs failed or was cancelled."""
    ended = search.job.runs.filter(state__in=[State.FAILED, State.CANCELLED]).order_by("pk")
    return dict(ended.values_list("contender", "reason"))
