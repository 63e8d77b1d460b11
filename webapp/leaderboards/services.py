"""What changes boards. `refresh` turns runs into standings; it never runs in the web process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Ranking, parse_params, to_json
from evaluation.errors import EvaluationError
from evaluation.tables import BenchmarkTable
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.catalog.models import BenchmarkVersion, Suite
from webapp.catalog.selectors import suite_versions
from webapp.celery import enqueue
from webapp.errors import Conflict, Unprocessable
from webapp.jobs.models import Job, Run
from webapp.leaderboards.cells import FIELDS, Cell, grid
from webapp.leaderboards.models import Leaderboard, Standing
from webapp.live import publish
from webapp.results.models import Report

log = logging.getLogger("crosstable.boards")
# An exact or large tournament takes seconds for hundreds of contenders: cells are pushed first, the order follows.
ORDERS = {key: analysis for key, analysis in ANALYSES.items() if analysis.ranking and analysis.needs == "means"}


@transaction.atomic
def create_leaderboard(
    *,
    actor: User,
    team: Team,
    name: str,
    title: str,
    suite: Suite,
    description: str = "",
    order: str = "mean-score",
    visibility: str = Visibility.TEAM,
) -> Leaderboard:
    require(actor, team, May.SUBMIT)
    if Leaderboard.objects.filter(team=team, name=name).exists():
        raise Conflict("The team has a board of this name.", field="name", remedy="Choose another name.")
    board = Leaderboard(
        team=team, created_by=actor, name=name, title=title, suite=suite, description=description, visibility=visibility
    )
    _set_order(board, order, {})
    try:
        board.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Unprocessable(" ".join(messages), field=field) from error
    board.stale_since = timezone.now()
    board.save()
    record(actor=actor, team=team, verb="created", target=board, after={"visibility": visibility, "suite": suite.name})
    enqueue("refresh_leaderboard", board.pk)
    return board


@transaction.atomic
def change_leaderboard(*, actor: User, board: Leaderboard, **changes: Any) -> Leaderboard:
    """Title, description, visibility, order (with its parameters). Owners decide who sees a board."""
    require(actor, board.team, May.MANAGE if "visibility" in changes else May.SUBMIT)
    board = Leaderboard.objects.select_for_update().get(pk=board.pk)
    asked = dict(changes)
    before = {key: getattr(board, key, None) for key in asked}
    if "order" in changes or "parameters" in changes:
        _set_order(board, changes.pop("order", board.order), changes.pop("parameters", {}))
    for key, value in changes.items():
        if key not in {"title", "description", "visibility"}:
            raise Unprocessable(f"{key} cannot be changed.", field=key)
        setattr(board, key, value)
    board.stale_since = timezone.now()
    board.save()
    record(actor=actor, team=board.team, verb="changed", target=board, before=before, after=asked)
    enqueue("refresh_leaderboard", board.pk)
    return board


def _set_order(board: Leaderboard, order: str, parameters: Mapping[str, Any]) -> None:
    if order not in ORDERS:
        raise Unprocessable(f"{order} is not an order.", field="order", remedy=f"Known: {', '.join(ORDERS)}.")
    try:
        parse_params(ORDERS[order].Params, parameters)
    except EvaluationError as error:
        raise Unprocessable(error.message, field=error.field or "parameters", remedy=error.remedy) from error
    board.order, board.parameters = order, dict(parameters)


def run_landed(*, run: Run) -> None:
    """A run behind some boards changed: they are stale until refreshed. Call it in the run's own transaction.

    Every change writes a new time, so that a refresh sees whether another run landed while it was at work.
    """
    _make_stale(Leaderboard.objects.filter(team=run.team_id, suite__items__version=run.version_id))


@transaction.atomic
def job_changed(*, job_id: int) -> None:
    """Runs were queued, cancelled or queued again: boards show what waits, too."""
    versions = Run.objects.filter(parts__job=job_id).values("version")
    teams = Job.objects.filter(pk=job_id).values("team")
    _make_stale(Leaderboard.objects.filter(team__in=teams, suite__items__version__in=versions))


def _make_stale(boards: QuerySet[Leaderboard]) -> None:
    for pk in sorted(set(boards.values_list("pk", flat=True))):
        Leaderboard.objects.filter(pk=pk).update(stale_since=Now())
        enqueue("refresh_leaderboard", pk)


def refresh_stale() -> None:
    """From the sweep: a refresh whose doorbell was lost."""
    with transaction.atomic():
        for pk in Leaderboard.objects.exclude(stale_since=None).values_list("pk", flat=True):
            enqueue("refresh_leaderboard", pk)


def refresh(*, board_id: int) -> bool:
    """Bring the standings up to the runs: first the cells, then the order. Returns whether anything changed."""
    with transaction.atomic():
        board = Leaderboard.objects.select_for_update().filter(pk=board_id).first()
        if board is None or board.stale_since is None:
            return False  # an earlier ring has done it
        seen, changed = board.stale_since, _refresh_cells(board)
    with transaction.atomic():
        board = Leaderboard.objects.select_for_update().filter(pk=board_id).first()
        if board is None:
            return changed
        if board.stale_since == seen:
            # Only now: a worker that dies between cells and order leaves the board stale, and the sweep rings again.
            board.stale_since, board.refreshed_at = None, timezone.now()
        return _refresh_order(board) or changed


def _refresh_cells(board: Leaderboard) -> bool:
    versions = [version.pk for version in suite_versions(board.suite)]
    runs = Run.objects.filter(team=board.team_id, version__in=versions, settings__limit=None).order_by("pk")
    if board.visibility != Visibility.PRIVATE:
        runs = runs.exclude(visibility=Visibility.PRIVATE)  # what its author keeps private stays off shared boards
    rows = grid(runs.values(*FIELDS), versions)
    old = {standing.contender_id: standing for standing in board.standings.all()}
    next_version = board.version + 1
    changed = [
        Standing(leaderboard=board, contender_id=pk, cells=cells, changed_in=next_version)
        for pk, cells in rows.items()
        if pk not in old or old[pk].cells != [list(cell) for cell in cells]
    ]
    gone = board.standings.filter(contender__in=set(old) - set(rows))
    Standing.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["leaderboard", "contender"],
        update_fields=["cells", "changed_in"],
    )
    removed, _ = gone.delete()
    _save(board, bool(changed or removed))
    return bool(changed or removed)


def _save(board: Leaderboard, changed: bool) -> None:
    board.version += changed
    board.save(update_fields=["version", "stale_since", "refreshed_at", "report"])
    if changed:
        publish(f"leaderboard.{board.pk}", board=board.pk, version=board.version)


@dataclass(frozen=True)
class Place:
    position: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    value: float | None = None
    error: float | None = None


def _refresh_order(board: Leaderboard) -> bool:
    standings = list(board.standings.select_related("contender"))
    versions = suite_versions(board.suite)
    cells = {s.pk: [Cell(*cell) for cell in s.cells] for s in standings}
    complete = [s for s in standings if cells[s.pk] and all(cell.complete for cell in cells[s.pk])]
    places = _places_or_none(board, complete, [cells[s.pk] for s in complete], versions) if complete else {}
    changed = []
    for standing in standings:
        place = places.get(standing.pk, Place())
        if any(getattr(standing, name) != value for name, value in vars(place).items()):
            vars(standing).update(vars(place), changed_in=board.version + 1)
            changed.append(standing)
    Standing.objects.bulk_update(changed, [*Place.__dataclass_fields__, "changed_in"], batch_size=500)
    _save(board, bool(changed))
    return bool(changed)


def _places_or_none(
    board: Leaderboard, complete: list[Standing], cells: list[list[Cell]], versions: list[BenchmarkVersion]
) -> dict[int, Place]:
    """Nobody is ranked where the order refuses the table (too few contenders, say); the cells are shown anyway."""
    try:
        return _places(board, complete, cells, versions)
    except EvaluationError as error:
        log.warning("board %s cannot be ordered by %s: %s", board.pk, board.order, error)
        return {}


def _places(
    board: Leaderboard, complete: list[Standing], cells: list[list[Cell]], versions: list[BenchmarkVersion]
) -> dict[int, Place]:
    analysis = ORDERS[board.order]
    table = BenchmarkTable(
        # Names may repeat between teams; ids do not.
        contenders=tuple(str(s.contender_id) for s in complete),
        benchmarks=tuple(f"{v.benchmark.name}#{v.pk}" for v in versions),
        mean=np.array([[cell.mean for cell in row] for row in cells], dtype=float),
        standard_error=_standard_errors(cells),
        n=np.array([[cell.done for cell in row] for row in cells]),
        higher_is_better=tuple(v.higher_is_better for v in versions),
    )
    result = analysis.compute(table, parse_params(analysis.Params, board.parameters))
    _keep_report(board, to_json(result), complete)
    ranking: Ranking = analysis.ranking(result)  # type: ignore[misc]
    order = np.argsort(-ranking.value if ranking.higher_is_better else ranking.value, kind="stable")
    position = {int(row): at for at, row in enumerate(order, 1)}
    errors = ranking.standard_error
    return {
        standing.pk: Place(
            position=position[i],
            rank_low=int(ranking.rank_low[i]),
            rank_high=int(ranking.rank_high[i]),
            value=float(ranking.value[i]),
            error=None if errors is None or np.isnan(errors[i]) else float(errors[i]),
        )
        for i, standing in enumerate(complete)
    }


def _standard_errors(cells: list[list[Cell]]) -> np.ndarray:
    runs = Run.objects.filter(pk__in=[cell.run for row in cells for cell in row])
    errors = dict(runs.values_list("pk", "standard_error"))
    return np.array([[errors[cell.run or 0] for cell in row] for row in cells], dtype=float)  # None becomes NaN


def _keep_report(board: Leaderboard, result: Any, complete: list[Standing]) -> None:
    """One report per board, overwritten as runs land; a frozen copy is a release's business."""
    names = {str(s.contender_id): s.contender.name for s in complete}
    fields = {
        "analysis": board.order,
        "analysis_version": str(ORDERS[board.order].version),
        "parameters": board.parameters,
        "inputs": {"contenders": names, "board_version": board.version},
        "result": result,
    }
    if board.report_id:
        Report.objects.filter(pk=board.report_id).update(**fields)
    else:
        owner = {"team_id": board.team_id, "created_by_id": board.created_by_id, "visibility": Visibility.TEAM}
        board.report = Report.objects.create(**owner, **fields)
