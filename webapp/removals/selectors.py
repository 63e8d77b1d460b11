"""Previews: what a deletion takes away, what stays, what stands in its way; and how far one has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.urls import reverse

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, teams_where
from webapp.catalog.models import ModelEntry
from webapp.leaderboards.models import Leaderboard
from webapp.releases.models import Release
from webapp.removals import obstacles, parts
from webapp.removals.counting import counted
from webapp.removals.models import Removal
from webapp.removals.obstacles import Link, Obstacle
from webapp.reviews.models import Review
from webapp.reviews.record import SIGNED

OUTSIDE = "Weights, tokenizers and servers: nothing outside of this database is touched."
AUDIT = "The audit log, which nobody can change. It says who deleted what, and when."
SHOWN = 20  # links to what is concerned


@dataclass(frozen=True)
class Preview:
    """What deleting something means. name: what is typed to confirm it. goes: rows by kind; size: their bytes, about.

    at_once, stays: sentences. links: what shows it, or can be kept before it goes; with what they are to the reader.
    """

    kind: str
    name: str
    title: str
    goes: Mapping[str, int]
    at_once: tuple[str, ...]
    stays: tuple[str, ...]
    obstacles: tuple[Obstacle, ...]
    size: int = 0
    about_links: str = ""
    links: tuple[Link, ...] = ()
    needs_password: bool = False


def of_entry(entry: ModelEntry) -> Preview:
    goes, size = counted(parts.of_entry(entry.pk))
    boards = Leaderboard.objects.filter(standings__contender__version__entry=entry).select_related("team").distinct()
    found = Q(team=entry.team) | Q(visibility=Visibility.PUBLIC)  # others are not theirs to see
    shown = list(boards.filter(found).order_by("title", "pk")[:SHOWN])
    return Preview(
        kind="entry",
        name=entry.name,
        title=f"{entry.team.name}/{entry.name}",
        goes=goes,
        size=size,
        at_once=("Nobody finds it, its runs and their samples any more.", "Boards are ordered anew without it."),
        stays=(
            f"Frozen releases{_releases(boards)}, reviews that are over and reports keep what they said of it. "
            "The samples behind their numbers can no longer be looked at.",
            "Jobs that also ran other entries keep those runs, and what was spent counts as spent.",
            AUDIT,
            OUTSIDE,
        ),
        obstacles=tuple(obstacles.of_entry(entry)),
        about_links="Boards that lose rows",
        links=tuple(_to_board(one) for one in shown),
    )


def _to_board(board: Leaderboard) -> Link:
    return Link(board.title, reverse("leaderboards:leaderboard", args=[board.team.name, board.name]))


def _releases(boards: QuerySet[Leaderboard]) -> str:
    count = Release.objects.filter(leaderboard__in=boards.order_by().values("pk")).count()
    return f" (its boards have {count:,})" if count else ""


def of_team(team: Team) -> Preview:
    goes, size = counted(parts.of_team(team.pk))
    signed = Review.objects.filter(team=team, state__in=SIGNED).defer("frozen").order_by("-pk")
    links = tuple(Link(one.title, reverse("reviews:sign_off_json", args=[one.pk])) for one in signed[:SHOWN])
    people = team.memberships.count()
    return Preview(
        kind="team",
        name=team.name,
        title=team.title,
        goes=goes,
        size=size,
        at_once=(
            "You lose what the team holds." if people == 1 else f"{people:,} people lose what the team shared.",
            "What was public is no longer found; badges and embedded tables on other sites say nothing any more.",
            "Its webhooks hear nothing more, and its invitations no longer hold.",
        ),
        stays=(
            "The accounts of its people, with their other teams.",
            "Sign-off records that somebody has downloaded: their signatures are kept in the audit log.",
            AUDIT,
            OUTSIDE,
        ),
        obstacles=tuple(obstacles.of_team(team)),
        about_links="Signed records, to keep before they go",
        links=links,
    )


def removals(user: User) -> QuerySet[Removal]:
    """Those that the person asked for, and of entries of teams that they own."""
    owned = teams_where(user, May.MANAGE).order_by().values("pk")
    rows = Removal.objects.filter(Q(created_by=user) | Q(kind=Removal.Kind.ENTRY, team__in=owned))
    return rows.select_related("created_by").order_by("-pk")


@dataclass(frozen=True)
class Progress:
    """Rows by kind, the most first: how many were there, how many are gone."""

    removal: Removal

    @property
    def rows(self) -> list[tuple[str, int, int]]:
        gone: dict[str, int] = self.removal.removed
        over = self.removal.state == Removal.State.DONE
        expected: dict[str, int] = self.removal.expected
        many_first = sorted(expected.items(), key=lambda row: (-row[1], row[0]))
        return [(kind, count, count if over else min(count, gone.get(kind, 0))) for kind, count in many_first]

    @property
    def total(self) -> int:
        return sum(count for _, count, _ in self.rows)

    @property
    def done(self) -> int:
        return sum(gone for _, _, gone in self.rows)

    @property
    def percent(self) -> int:
        if self.removal.state == Removal.State.DONE:
            return 100
        return int(99 * self.done / self.total) if self.total else 0
