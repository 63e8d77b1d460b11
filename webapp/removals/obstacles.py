"""What stands in the way of a deletion, with the remedy: what runs now, and what people rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import filterfalse
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.urls import reverse

from webapp.accounts.models import Membership, Role, Team, User, Visibility
from webapp.accounts.selectors import DEMO_USER
from webapp.catalog.models import Benchmark, CalibrationSet, ModelEntry, Suite, SuiteItem
from webapp.imports.models import UNDER_WAY, Import
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.releases.models import Release
from webapp.removals.counting import counted, counts
from webapp.removals.parts import of_team as of_team_parts
from webapp.reviews.models import Review, SampleComment
from webapp.searches.models import Search

SHOWN = 5  # links to what stands in the way
WAITS = [Run.State.QUEUED, Run.State.RUNNING]
RELIED_ON = [
    Review.State.IN_REVIEW, Review.State.CHANGES_REQUESTED, Review.State.APPROVED, Review.State.PUBLISHED,
]  # fmt: skip
HAND_OVER = "Hand what they use over to another team that you own, then delete this one."
STAYS = "Say in its description that it is retired: their results need it."


@dataclass(frozen=True)
class Link:
    label: str
    path: str


@dataclass(frozen=True)
class Obstacle:
    """Why something cannot be deleted now, what to do about it, and where."""

    text: str
    remedy: str
    links: tuple[Link, ...] = ()


def of_entry(entry: ModelEntry) -> list[Obstacle]:
    runs = Run.objects.filter(contender__version__entry=entry)
    searches = Search.objects.filter(contenders__version__entry=entry).distinct()
    return [
        *_under_way(runs, searches),
        *_signed(Review.objects.filter(team=entry.team, state__in=RELIED_ON, runs__overlap=runs.values("pk"))),
        *_of_others("it", STAYS, runs=runs.exclude(team=entry.team), searches=searches.exclude(team=entry.team)),
    ]


def of_team(team: Team) -> list[Obstacle]:
    """Sign-offs of a team are seen by the team alone, and go with it; what is public may be cited elsewhere."""
    return [
        *_under_way(Run.objects.filter(team=team), Search.objects.filter(team=team)),
        *_arriving(team),
        *_cited(team),
        *_of_others(f"what {team.name} made public", HAND_OVER, **used_by_others(team)),
    ]


def used_by_others(team: Team) -> dict[str, QuerySet[Any]]:
    """What other teams made with entries, benchmarks and suites of this one, or are about to with calibration sets."""
    ours = Q(contender__version__entry__team=team) | Q(version__benchmark__team=team)
    ours |= Q(calibration__in=_sets(team).values("key"), state__in=WAITS)
    asked = Q(contenders__version__entry__team=team) | Q(versions__benchmark__team=team)
    return {
        "runs": Run.objects.annotate(calibration=KT("settings__calibration")).filter(ours).exclude(team=team),
        "searches": Search.objects.filter(asked).exclude(team=team).distinct(),
        "suites": SuiteItem.objects.filter(version__benchmark__team=team).exclude(suite__team=team),
        "boards": Leaderboard.objects.filter(suite__team=team).exclude(team=team),
        "comments": SampleComment.objects.filter(version__benchmark__team=team).exclude(team=team),
    }


def _sets(team: Team) -> QuerySet[Any]:
    """Each with its key as settings of runs have it, in JSON."""
    return CalibrationSet.objects.filter(team=team).annotate(key=Cast("pk", TextField()))


def of_account(user: User) -> list[Obstacle]:
    return [*_demo(user), *_only_operator(user), *map(_only_owner, filterfalse(is_empty, owned_alone(user)))]


def owned_alone(user: User) -> list[Team]:
    """Teams that would be left without an owner, by name."""
    mine = Team.objects.filter(memberships__user=user, memberships__role=Role.OWNER).values("pk")
    owners = Count("memberships", filter=Q(memberships__role=Role.OWNER))
    return list(Team.objects.filter(pk__in=mine).annotate(owners=owners).filter(owners=1).order_by("name"))


def is_empty(team: Team) -> bool:
    """Whether nobody but one person is in it, and nothing."""
    return team.memberships.count() == 1 and not set(counted(of_team_parts(team.pk))[0]) - {"notices"}


def _under_way(runs: QuerySet[Run], searches: QuerySet[Search]) -> Iterator[Obstacle]:
    waiting = runs.filter(state__in=WAITS)
    if count := waiting.count():
        jobs = Job.objects.filter(runs__in=waiting.values("pk")).distinct().order_by("-pk")[:SHOWN]
        links = tuple(Link(job.title, reverse("jobs:job", args=[job.pk])) for job in jobs)
        yield Obstacle(f"{_many(count, 'run')} under way.", "Cancel the jobs, or wait until they are over.", links)
    going = searches.filter(state__in=[Search.State.QUEUED, Search.State.RUNNING])
    if count := going.count():
        links = tuple(Link(one.title, reverse("searches:search", args=[one.pk])) for one in going[:SHOWN])
        yield Obstacle(f"{_many(count, 'search', 'searches')} under way.", "Stop them, or wait for their end.", links)


def _arriving(team: Team) -> Iterator[Obstacle]:
    coming = Import.objects.filter(team=team, state__in=UNDER_WAY).order_by("-pk")
    if count := coming.count():
        links = tuple(Link(one.name, reverse("imports:import", args=[one.pk])) for one in coming[:SHOWN])
        yield Obstacle(f"{_many(count, 'import')} under way.", "Cancel them, or wait until they are loaded.", links)


def _signed(reviews: QuerySet[Review]) -> Iterator[Obstacle]:
    """An approval is of numbers that can be looked at, sample by sample."""
    if count := reviews.count():
        links = tuple(Link(one.title, reverse("reviews:review", args=[one.pk])) for one in reviews[:SHOWN])
        said = f"{_many(count, 'review or sign-off', 'reviews or sign-offs')} in force: what was approved stays."
        yield Obstacle(said, "Withdraw reviews that are open; supersede what is published by a new review.", links)


def _cited(team: Team) -> Iterator[Obstacle]:
    shown = Release.objects.filter(leaderboard__team=team, visibility=Visibility.PUBLIC, withdrawn_at=None)
    if count := shown.count():
        rows = shown.defer("frozen").order_by("-as_of")[:SHOWN]
        links = tuple(Link(one.title, reverse("releases:release", args=[one.pk])) for one in rows)
        said = f"{_many(count, 'public release')} in force: others may cite it or show its badge."
        yield Obstacle(said, "Withdraw it with a reason first: whoever follows a link then learns of it.", links)


def relied_on(team: Team) -> list[ModelEntry | Benchmark | CalibrationSet | Suite]:
    """What of this team others use: entries, benchmarks and calibration sets of their runs, suites of their boards with
    all in them."""
    used = used_by_others(team)
    suites = Suite.objects.filter(team=team, pk__in=used["boards"].values("suite"))
    entries = Q(versions__contenders__runs__in=used["runs"].values("pk"))
    entries |= Q(versions__contenders__in=used["searches"].order_by().values("contenders"))
    versions = Q(versions__in=used["suites"].values("version")) | Q(versions__runs__in=used["runs"].values("pk"))
    versions |= Q(versions__in=used["searches"].order_by().values("versions"))
    versions |= Q(versions__in=used["comments"].values("version")) | Q(versions__suites__in=suites.values("pk"))
    return [
        *ModelEntry.objects.filter(entries, team=team).distinct().order_by("pk"),
        *Benchmark.objects.filter(versions, team=team).distinct().order_by("pk"),
        *_sets(team).filter(key__in=used["runs"].values("calibration")).defer("texts").order_by("pk"),
        *suites.order_by("pk"),
    ]


def _of_others(what: str, remedy: str, **used: QuerySet[Any]) -> Iterator[Obstacle]:
    """How many, and no names: others may keep what they do to themselves."""
    words = {
        "runs": ("run", "runs"), "searches": ("search", "searches"), "suites": ("place in a suite", "places in suites"),
        "boards": ("board", "boards"), "comments": ("comment", "comments"),
    }  # fmt: skip
    by_kind = zip(counts(list(used.values())), (words[kind] for kind in used), strict=True)
    said = [_many(count, one, more) for count, (one, more) in by_kind if count]
    if said:
        yield Obstacle(f"Other teams rely on {what}: {_listed(said)} of theirs.", remedy)


def _demo(user: User) -> Iterator[Obstacle]:
    if settings.DEMO and user.username == DEMO_USER:
        said = "This is the demo’s own account: everybody who opens the demo signs in as it."
        yield Obstacle(said, "Sign up for an account of your own, or delete the demo’s data folder.")


def _only_operator(user: User) -> Iterator[Obstacle]:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and not others.exists():
        said = "You are the only operator of this installation."
        yield Obstacle(said, "Make another one first: manage.py createsuperuser.")


def _only_owner(team: Team) -> Obstacle:
    others = Membership.objects.filter(team=team).count() - 1
    has = f", which has {_many(others, 'other member')}." if others else "."
    links = (
        Link("Make somebody else owner", reverse("accounts:team", args=[team.name])),
        Link(f"Delete {team.name}", reverse("removals:delete_team", args=[team.name])),
    )
    return Obstacle(f"You are the only owner of {team.name}{has}", "Hand the team over, or delete it first.", links)


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
