"""What changes boards. `refresh` turns runs into standings; it never runs in the web process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import BigIntegerField, Case, Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Now
from django.utils import timezone

from evaluation.analyses.base import parse_params
from evaluation.errors import EvaluationError
from webapp.accounts.models import REMOVED, Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.catalog.models import Suite
from webapp.catalog.selectors import suite_versions
from webapp.catalog.services import hold
from webapp.celery import enqueue
from webapp.errors import Conflict, Unprocessable
from webapp.jobs.models import Run
from webapp.jobs.selectors import usual
from webapp.leaderboards import ordering
from webapp.leaderboards.cells import FIELDS, MADE_BY, NOT_RUN, STATE, STORED, Cell, grid
from webapp.leaderboards.models import ColumnChange, Leaderboard, Standing
from webapp.leaderboards.ordering import ORDERS, Ordered, Place
from webapp.live import look_again, publish
from webapp.locks import Lock, alone
from webapp.results import reports
from webapp.results.models import Report

FEW = 8  # columns that are read one by one from the cells of all contenders
NOTED = 200  # columns that a board notes one by one while nobody refreshes it; then it is to be read whole
MOST = 10_000  # changes of columns that one call looks at; the next one goes on


@transaction.atomic
def create_leaderboard(
    *,
    actor: User,
    team: Team,
    name: str,
    title: str,
    suite: Suite,
    description: str = "",
    order: str = "swiss",
    visibility: str = Visibility.TEAM,
) -> Leaderboard:
    require(actor, team, May.SUBMIT)
    if Leaderboard.objects.filter(team=team, name=name).exists():
        raise Conflict("The team has a board of this name.", field="name", remedy="Choose another name.")
    hold(actor=actor, team=team, rows=[suite])
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
    board.stale_since, board.stale_versions = timezone.now(), None
    board.save()
    record(actor=actor, team=board.team, verb="changed", target=board, before=before, after=asked)
    if "visibility" in asked:
        look_again(team=board.team_id)
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

    Every change writes a new time, so that a refresh sees whether another run landed while it was at work. Partial runs
    are not on boards.
    """
    runs_landed(runs=[run])


def runs_landed(*, runs: Iterable[Run]) -> None:
    """The same of several. Call it once in a transaction, after its runs are locked: boards are locked in one order."""
    whole = [run for run in runs if not run.is_partial]
    _make_stale({run.team_id for run in whole}, {run.version_id for run in whole})


@transaction.atomic
def columns_changed() -> None:
    """Runs were queued, cancelled, queued again or shown to more people: boards show what waits, too.

    The rows that the database wrote say which, so that a lost bell costs nothing: the sweep calls this as well. Of
    several teams at once: a board may read a column for another team, and finds it as it was.
    """
    changes = list(ColumnChange.objects.select_for_update(skip_locked=True).order_by("pk")[:MOST])
    ColumnChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
    _make_stale({change.team for change in changes}, {change.version for change in changes})


def _make_stale(teams: Collection[int], versions: Collection[int]) -> None:
    """The columns of these versions on the teams' boards. All that a board has to read stays all."""
    boards = Leaderboard.objects.filter(team__in=teams, suite__items__version__in=versions)
    columns = Value(sorted(versions), output_field=Leaderboard._meta.get_field("stale_versions"))
    noted = Case(
        When(stale_since=None, then=columns),
        When(Q(stale_versions=None) | Q(stale_versions__len__gte=NOTED), then=Value(None)),
        default=Func("stale_versions", columns, function="array_cat"),
    )
    for pk in sorted(set(boards.values_list("pk", flat=True))):
        Leaderboard.objects.filter(pk=pk).update(stale_since=Now(), stale_versions=noted)
        enqueue("refresh_leaderboard", pk)


def entries_changed(*, entries: Collection[int]) -> None:
    """What boards show of entries beside their cells changed, and the database raised their versions (migration 0009):
    open pages hear of it at once, not with their next look."""
    boards = Leaderboard.objects.filter(standings__contender__version__entry__in=entries).distinct()
    for pk, version in boards.values_list("pk", "version"):
        publish(f"leaderboard.{pk}", board=pk, version=version)


def refresh_stale() -> None:
    """From the sweep: a refresh whose doorbell was lost."""
    with transaction.atomic():
        for pk in Leaderboard.objects.exclude(stale_since=None).values_list("pk", flat=True):
            enqueue("refresh_leaderboard", pk)


def refresh(*, board_id: int) -> bool:
    """Bring the standings up to the runs: first the cells, then the order. Returns whether anything changed.

    The order may take seconds. It is computed without a lock of a row: runs that land and people who change the board
    meanwhile do not wait for it, and leave the board stale for the next refresh.
    """
    with transaction.atomic():
        board = _locked(board_id)
        if board is None or board.stale_since is None:
            return False  # an earlier ring has done it
        seen, changed = board.stale_since, board.stale_versions != [] and _refresh_cells(board)
    with alone(Lock.ORDERING, board_id) as mine:  # who is not rings again when the other one is done
        return (mine and _refresh_order(board_id, seen)) or changed


def _locked(board_id: int) -> Leaderboard | None:
    return Leaderboard.objects.select_for_update().filter(pk=board_id).first()


def runs_behind(board: Leaderboard, versions: Sequence[int]) -> QuerySet[Run]:
    """Oldest first. What its author keeps private stays off shared boards, and so does what was exported from here and
    imported again, beside the run that it is a copy of."""
    runs = usual(Run.objects.filter(team=board.team_id, version__in=versions)).exclude(visibility=REMOVED)
    runs = runs.order_by("pk")
    runs = runs if board.visibility == Visibility.PRIVATE else runs.exclude(visibility=Visibility.PRIVATE)
    original = Cast(KT("provenance__same_as"), BigIntegerField())
    imported = runs.filter(origin=Run.Origin.IMPORTED).annotate(original=original)
    copies = imported.filter(Exists(runs.filter(pk=OuterRef("original"))))
    return runs.exclude(pk__in=copies.order_by().values("pk"))


def _refresh_cells(board: Leaderboard) -> bool:
    """Of whole columns, because a run changes one of them, and in it what is usual."""
    versions = [version.pk for version in suite_versions(board.suite)]
    stale = set(board.stale_versions or versions)
    places = [at for at, version in enumerate(versions) if version in stale]
    columns = [versions[at] for at in places]
    kept, fresh = _kept(board, places), grid(runs_behind(board, columns).values(*FIELDS, **MADE_BY), columns)
    nothing = [NOT_RUN] * len(columns)
    moved = {pk: fresh.get(pk, nothing) for pk in kept.keys() | fresh.keys() if fresh.get(pk, nothing) != kept.get(pk)}
    _move(board, places, moved, len(versions))
    board.stale_versions = []
    _save(board, bool(moved))
    return bool(moved)


def _kept(board: Leaderboard, places: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
    """Contender id -> its cells in these places, as they are stored."""
    if len(places) > FEW:
        whole = board.standings.values_list("contender", Cast("cells", TextField()))
        return {pk: [cells[at] for at in places] for pk, text in whole for cells in [STORED.decode(text)]}
    rows = board.standings.values_list("contender", *(f"cells__{at}" for at in places))
    return {pk: [tuple(cell) for cell in cells] for pk, *cells in rows}


def _move(board: Leaderboard, places: Sequence[int], moved: Mapping[int, list[Cell]], size: int) -> None:
    """Put cells in their places; a contender without a run is no longer on the board."""
    rows = {pk: [NOT_RUN] * size for pk in moved}
    rows |= board.standings.filter(contender__in=moved).values_list("contender", "cells")
    for pk, cells in moved.items():
        for at, cell in zip(places, cells, strict=True):
            rows[pk][at] = cell
    gone = [pk for pk, cells in rows.items() if all(cell[STATE] == NOT_RUN.state for cell in cells)]
    board.standings.filter(contender__in=gone).delete()
    Standing.objects.bulk_create(
        [
            Standing(leaderboard=board, contender_id=pk, cells=rows[pk], changed_in=board.version + 1)
            for pk in rows.keys() - set(gone)
        ],
        update_conflicts=True,
        unique_fields=["leaderboard", "contender"],
        update_fields=["cells", "changed_in"],
    )


def _save(board: Leaderboard, changed: bool) -> None:
    board.version += changed
    board.save(update_fields=["version", "stale_since", "stale_versions", "refreshed_at", "report", "verdict"])
    if changed:
        publish(f"leaderboard.{board.pk}", board=board.pk, version=board.version)


def _refresh_order(board_id: int, seen: datetime) -> bool:
    """Compute the order of the cells as they are now, and show it unless a newer one is there already.

    What came meanwhile is rung for again. A worker that dies here leaves the board stale, and the sweep rings.
    """
    before = Leaderboard.objects.select_related("team", "report").filter(pk=board_id).first()
    ordered = before and ordering.order(before, list(before.standings.select_related("contender")))
    with transaction.atomic():
        board = _locked(board_id)
        if before is None or board is None or board.stale_since is None:
            return False
        if board.stale_since == seen:
            board.stale_since, board.stale_versions, board.refreshed_at = None, None, timezone.now()
        else:
            enqueue("refresh_leaderboard", board_id)
        asked_for = (before.order, before.parameters) == (board.order, board.parameters)
        changed = bool(ordered and asked_for and _show_order(board, ordered))
        _save(board, changed)
        return changed


def _show_order(board: Leaderboard, ordered: Ordered) -> bool:
    changed = []
    for standing in board.standings.all():
        place = ordered.places.get(standing.contender_id, Place()) if ordering.complete(standing) else Place()
        if any(getattr(standing, name) != value for name, value in vars(place).items()):
            vars(standing).update(vars(place))
            changed.append(standing)
    Standing.objects.bulk_update(changed, [*Place.__dataclass_fields__], batch_size=500)
    told = board.verdict != ordered.verdict
    board.verdict = ordered.verdict
    _keep_report(board, ordered.report)
    return bool(changed) or told


def _keep_report(board: Leaderboard, fields: Mapping[str, Any]) -> None:
    """One report per board, overwritten as runs land; a frozen copy is a release's business."""
    said = {**fields, "title": f"{ORDERS[board.order].title}: {board.title}"[:120], "finished_at": timezone.now()}
    if board.report_id:
        Report.objects.filter(pk=board.report_id).update(**said, changes=F("changes") + 1)
    else:
        owner = {"team_id": board.team_id, "created_by_id": board.created_by_id, "visibility": Visibility.TEAM}
        board.report = Report.objects.create(**owner, **said)
    publish(f"tournament.{board.pk}", board=board.pk)


@transaction.atomic
def request_report(
    *, actor: User, board: Leaderboard, analysis: str, parameters: Mapping[str, Any], title: str = ""
) -> Report:
    """An analysis of the contenders of a board that are complete now; who sees the board's inside sees the report."""
    standings = list(board.standings.select_related("contender").order_by("contender__name", "contender_id"))
    runs = [Cell(*cell).run for one in standings if ordering.complete(one) for cell in one.cells]
    return reports.request_report(
        actor=actor,
        team=board.team,
        analysis=analysis,
        parameters=parameters,
        runs=[run for run in runs if run],
        title=title or f"{reports.known_analysis(analysis).title}: {board.title}"[:120],
        about=f"Board {board.team.name}/{board.name}, version {board.version}",
        left_out=sorted(one.contender.name for one in standings if not ordering.complete(one)),
        visibility=Visibility.PRIVATE if board.visibility == Visibility.PRIVATE else Visibility.TEAM,
    )
