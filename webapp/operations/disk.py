"""What the page and REST tell of the disk: sizes, growth, teams, free room, and what will be thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from webapp.accounts.models import Team
from webapp.operations import sizes
from webapp.operations.housekeeping import Outlook, Rule
from webapp.operations.kinds import KINDS
from webapp.operations.models import SizeOfDay
from webapp.operations.rules import RULES
from webapp.operations.volumes import Folder, Volume, folders, volumes

TEAMS_SHOWN = 20
WIDTH, HEIGHT = 600, 120  # of the drawing, in its own units


@dataclass(frozen=True)
class KindRow:
    """share: of the whole, 0 to 1; bar: beside the largest one. week, month: bytes more than then; None: unknown."""

    key: str
    title: str
    bytes: int
    rows: int | None
    share: float
    bar: float
    week: int | None
    month: int | None


@dataclass(frozen=True)
class TeamRow:
    name: str
    title: str
    bytes: int
    scores: int
    share: float
    bar: float


@dataclass(frozen=True)
class Growth:
    """Bytes since a size that was written down."""

    bytes: int
    since: datetime


@dataclass(frozen=True)
class Kept:
    """A rule with what it will do. days: how long it keeps things; None: for ever."""

    rule: Rule
    outlook: Outlook

    @property
    def days(self) -> int | None:
        keep = self.rule.keep
        return None if keep is None else keep.days

    @property
    def next_at(self) -> datetime | None:
        """When the oldest goes that is not due yet, if that is within a week."""
        keep, oldest = self.rule.keep, self.outlook.oldest
        return None if keep is None or oldest is None or self.outlook.due else oldest + keep


@dataclass(frozen=True)
class Line:
    """The total by day, drawn: points of a polyline, and what stands at its ends."""

    points: str
    area: str
    first: SizeOfDay
    last: SizeOfDay
    top: int
    days: Sequence[SizeOfDay]


@dataclass(frozen=True)
class Disk:
    """Everything at one moment. measured_at: when the teams were divided; None: not yet."""

    at: datetime
    total: int
    kinds: Sequence[KindRow]
    week: Growth | None
    month: Growth | None
    line: Line | None
    teams: Sequence[TeamRow]
    other_teams: TeamRow | None
    measured_at: datetime | None
    volumes: Sequence[Volume]
    database_is_here: bool
    folders: Sequence[Folder]
    kept: Sequence[Kept]


def disk() -> Disk:
    now = timezone.now()
    found, days, latest = sizes.database(), sizes.history(now), sizes.latest()
    week, month = (sizes.as_of(days, now, ago) for ago in (sizes.WEEK, sizes.MONTH))
    teams = _teams(latest, found.total)
    here = volumes(found.folder)
    return Disk(
        at=now,
        total=found.total,
        kinds=_kinds(found, week, month),
        week=_growth(found, week),
        month=_growth(found, month),
        line=_line(days),
        teams=teams[:TEAMS_SHOWN],
        other_teams=_together(teams[TEAMS_SHOWN:]),
        measured_at=latest.at if latest else None,
        volumes=here,
        database_is_here=any("the database" in volume.what for volume in here),
        folders=folders(),
        kept=kept(),
    )


def kept() -> list[Kept]:
    """What is thrown away; what is kept for ever comes last."""
    return sorted((Kept(rule, rule.outlook()) for rule in RULES), key=lambda one: one.days is None)


def _kinds(found: sizes.Database, week: SizeOfDay | None, month: SizeOfDay | None) -> list[KindRow]:
    largest = max(found.bytes.values())
    rows = [
        KindRow(
            key, title, size.bytes, size.rows, size.bytes / found.total, size.bytes / largest,
            *(None if then is None else size.bytes - then.kinds.get(key, 0) for then in (week, month)),
        )
        for key, title in KINDS.items()
        if (size := found.kinds.get(key))
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row.bytes)


def _growth(found: sizes.Database, then: SizeOfDay | None) -> Growth | None:
    return Growth(found.total - then.total, then.at) if then else None


def _teams(latest: SizeOfDay | None, total: int) -> list[TeamRow]:
    """The largest first. Teams that are gone have their part among the others."""
    if latest is None:
        return []
    known = {str(team.pk): team for team in Team.objects.filter(pk__in=latest.teams)}
    largest = max((size for size, _ in latest.teams.values()), default=0) or 1
    rows = [
        TeamRow(known[pk].name, known[pk].title, size, scores, size / total, size / largest)
        for pk, (size, scores) in latest.teams.items()
        if pk in known
    ]
    return sorted(rows, key=lambda row: -row.bytes)


def _together(rows: Sequence[TeamRow]) -> TeamRow | None:
    if not rows:
        return None
    title = f"{len(rows)} more team{'' if len(rows) == 1 else 's'}"
    return TeamRow(
        "", title, sum(row.bytes for row in rows), sum(row.scores for row in rows), sum(row.share for row in rows), 0
    )


def _line(days: Sequence[SizeOfDay]) -> Line | None:
    """From 0, so that its height is the size; one day is no line."""
    if len(days) < 2:
        return None
    first, last, top = days[0], days[-1], max(one.total for one in days)
    span = max((last.at - first.at) / timedelta(days=1), 1e-9)
    points = " ".join(
        f"{WIDTH * ((one.at - first.at) / timedelta(days=1)) / span:.1f},{HEIGHT * (1 - one.total / top):.1f}"
        for one in days
    )
    return Line(points, f"0,{HEIGHT} {points} {WIDTH},{HEIGHT}", first, last, top, days)
