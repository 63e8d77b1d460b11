"""What people ask for: that an entry or a team goes. It is hidden in the same transaction; the work is in work.py."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, models, transaction
from django.urls import reverse

from webapp.accounts.models import REMOVED, Invitation, Membership, Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.catalog.models import Benchmark, CalibrationSet, ModelEntry, Suite
from webapp.catalog.services import SHARED
from webapp.celery import enqueue
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.imports.models import Import
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.services import entries_changed, runs_landed
from webapp.live import look_again, publish
from webapp.locks import in_peace
from webapp.notices.models import Kind, Webhook
from webapp.notices.services import News, notify
from webapp.releases.models import Release
from webapp.removals import obstacles, selectors
from webapp.removals.models import Removal
from webapp.removals.obstacles import Obstacle
from webapp.results.models import FeatureUpload, Report
from webapp.reviews.models import Review
from webapp.reviews.record import sign_off
from webapp.searches.models import Search

# All that has a visibility of its own.
SEEN: tuple[type[models.Model], ...] = (
    ModelEntry, Benchmark, Suite, CalibrationSet, Job, Run, FeatureUpload, Report, Search, Leaderboard, Release, Review,
    Import,
)  # fmt: skip
Shared = ModelEntry | Benchmark | CalibrationSet | Suite


@in_peace
@transaction.atomic
def remove_entry(*, actor: User, entry: ModelEntry, name: str) -> Removal:
    """Hide an entry with all its runs, and have them taken away. name: typed again. Safe to press twice.

    Raises NotAllowed, Unprocessable for another name, and Conflict where something stands in the way.
    """
    require(actor, entry.team, May.MANAGE)
    confirm(name, entry.name)
    entry = ModelEntry.objects.select_for_update(of=("self",)).select_related("team").get(pk=entry.pk)
    if entry.visibility == REMOVED:
        return _asked(Removal.Kind.ENTRY, entry.pk)
    runs = Run.objects.filter(contender__version__entry=entry)
    list(runs.select_for_update(of=("self",)).filter(state__in=obstacles.WAITS).order_by("pk").values_list("pk"))
    preview = selectors.of_entry(entry)
    refuse(preview.obstacles)
    record(actor=actor, team=entry.team, verb="began deleting", target=entry, before=dict(preview.goes))
    runs.update(visibility=REMOVED)
    runs_landed(runs=runs.filter(subset=None).order_by("team_id", "version_id").distinct("team_id", "version_id"))
    ModelEntry.objects.filter(pk=entry.pk).update(visibility=REMOVED, name=_unnamed(entry.pk))
    entries_changed(entries=[entry.pk])
    _tell(actor, entry)
    for pk in Job.objects.filter(runs__in=runs.values("pk")).order_by("pk").distinct().values_list("pk", flat=True):
        publish(f"job.{pk}", job=pk)
    return _begin(actor, Removal.Kind.ENTRY, entry.pk, entry.team, preview.title, preview.goes)


def _tell(actor: User, entry: ModelEntry) -> None:
    """The others who could read it; their log says what went with it."""
    text = f"{actor.username} deleted the entry {entry.name} of {entry.team.title} with its runs."
    news = News(Kind.ENTRY_DELETED, entry, text, reverse("accounts:audit", args=[entry.team.name]), actor)
    notify(news=news, to=User.objects.filter(memberships__team=entry.team))


@in_peace
@transaction.atomic
def remove_team(*, actor: User, team: Team, name: str) -> Removal:
    """Send everybody out of a team, hide what it made public, and have all of it taken away. Safe to press twice.

    Raises as `remove_entry` does.
    """
    require(actor, team, May.MANAGE)
    confirm(name, team.name)
    team = Team.objects.select_for_update().get(pk=team.pk)
    if Removal.objects.filter(kind=Removal.Kind.TEAM, target=team.pk).exists():
        return _asked(Removal.Kind.TEAM, team.pk)
    _wait_for_users(team)
    preview = selectors.of_team(team)
    refuse(preview.obstacles)
    told = {"sign_offs": _signatures(team), "people": sorted(team.memberships.values_list("user__username", "role"))}
    record(actor=actor, team=team, verb="began deleting", target=team, before=dict(preview.goes), after=told)
    hide(team)
    Team.objects.filter(pk=team.pk).update(name=_unnamed(team.pk))
    look_again(team=team.pk)
    return _begin(actor, Removal.Kind.TEAM, team.pk, team, team.name, preview.goes)


def _wait_for_users(team: Team) -> None:
    """Boards, searches and suites that other teams are just making hold what they use: see `catalog.services.hold`."""
    for model in SHARED:
        rows = model._default_manager.select_for_update(no_key=True).filter(team=team)
        list(rows.order_by("pk").values_list("pk"))


def hide(team: Team) -> None:
    """From everybody, at once: its people are gone from it, and what was public is so no more."""
    for model in SEEN:
        model._default_manager.filter(team=team, visibility=Visibility.PUBLIC).update(visibility=REMOVED)
    Webhook.objects.filter(team=team).update(active=False, off_because="The team is being deleted.")
    Membership.objects.filter(team=team).delete()
    Invitation.objects.filter(team=team).delete()


def _signatures(team: Team) -> list[dict[str, Any]]:
    """Of what was signed, so that a downloaded record can be told from one that was never made here."""
    published = Review.objects.filter(team=team, state=Review.State.PUBLISHED).select_related("team", "leaderboard")
    return [
        {"review": one.pk, "title": one.title, "hash": one.subject_hash, "signature": sign_off(one)["signature"]}
        for one in published.order_by("pk")
    ]


def _asked(kind: str, target: int) -> Removal:
    return Removal.objects.get(kind=kind, target=target)


def _begin(actor: User, kind: str, target: int, team: Team, name: str, goes: Mapping[str, int]) -> Removal:
    made = Removal.objects.create(kind=kind, target=target, team=team, name=name, created_by=actor, expected=dict(goes))
    enqueue("remove", made.pk)
    return made


def _unnamed(pk: int) -> str:
    """Its own name is free at once, for something else."""
    return f"deleted-{pk}-{secrets.token_hex(4)}"


def confirm(typed: str, name: str) -> None:
    if typed.strip() != name:
        raise Unprocessable("This is another name.", field="name", remedy=f"Type {name} to confirm.")


def refuse(found: Sequence[Obstacle]) -> None:
    """Raises Conflict with all that stands in the way."""
    if found:
        remedy = " ".join(dict.fromkeys(one.remedy for one in found))
        raise Conflict(" ".join(one.text for one in found), remedy=remedy)


@transaction.atomic
def hand_over(*, actor: User, team: Team, to: Team) -> list[Shared]:
    """What other teams use of this one becomes another team's, with its versions; their results stay as they are.

    The actor owns both. Raises NotAllowed, Conflict where a name is taken there, Unprocessable where nothing is used.
    """
    require(actor, team, May.MANAGE)
    require(actor, to, May.MANAGE)
    if to.pk == team.pk:
        raise NotAllowed("This is the same team.", field="to", remedy="Choose another one.")
    moved = [one for one in obstacles.relied_on(team) if _moved(one, to)]
    if not moved:
        raise Unprocessable("No other team uses anything of this one.", field="to", remedy="Nothing has to be moved.")
    for one in moved:
        said = {"before": {"team": team.name}, "after": {"team": to.name}}
        for owner in (team, to):
            record(actor=actor, team=owner, verb="handed over", target=one, **said)
    entries_changed(entries=[one.pk for one in moved if isinstance(one, ModelEntry)])
    return moved


def _moved(one: Shared, to: Team) -> bool:
    rows = type(one)._default_manager
    said = f"{to.name} has something called {one.name} already."
    taken = Conflict(said, field="to", remedy="Choose another team.")
    if rows.filter(team=to, name=one.name).exists():
        raise taken
    try:
        with transaction.atomic():
            return bool(rows.filter(pk=one.pk).update(team=to))
    except IntegrityError as error:  # two at once
        raise taken from error
