"""What changes releases: they are frozen, shown to more or fewer people, and withdrawn. Their numbers never change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.errors import Conflict, Unprocessable
from webapp.leaderboards.models import Leaderboard
from webapp.releases import snapshots
from webapp.releases.models import Release
from webapp.releases.snapshots import Frozen


def freeze(
    *,
    actor: User,
    board: Leaderboard,
    name: str,
    title: str = "",
    note: str = "",
    on: date | None = None,
    visibility: str = "",
    review: int | None = None,
) -> Release:
    """The board as it is now, or as it stood at the end of an earlier day (UTC), under a name.

    Only owners may show a release to more people than see the board. Raises NotAllowed, Conflict or Unprocessable.
    """
    seen_by = visibility or board.visibility
    require(actor, board.team, May.MANAGE if shows_more(board, seen_by) else May.SUBMIT)
    moment = end_of(on)
    past = snapshots.as_of(board, moment) if moment < timezone.now() - timedelta(seconds=1) else None
    with transaction.atomic():
        board = Leaderboard.objects.select_for_update(of=("self",)).select_related("team", "suite").get(pk=board.pk)
        frozen = past or _now(board, moment)
        if not any(row["position"] for row in frozen["standings"]):
            problem = "Nobody was ranked then." if past else "Nobody is ranked on this board yet."
            raise Unprocessable(problem, field="on", remedy="A release needs a contender with all results.")
        made = Release(
            team=board.team, created_by=actor, visibility=seen_by, leaderboard=board, name=name, note=note,
            title=title.strip() or f"{board.title}, {name}"[:120], as_of=moment, frozen=frozen,
            sha256=snapshots.sha256(frozen), review=review,
        )  # fmt: skip
        _check(made)
        made.save()
        after = {"board": frozen["board"], "as_of": frozen["as_of"], "sha256": made.sha256, "visibility": seen_by}
        record(actor=actor, team=board.team, verb="released", target=made, after=after)
    return made


def shows_more(board: Leaderboard, visibility: str) -> bool:
    """Whether a release of this visibility, if it has one of its own, is seen by more people than the board."""
    order = Visibility.values
    return bool(visibility) and order.index(visibility) > order.index(board.visibility)


def end_of(day: date | None) -> datetime:
    """The last moment of a day in UTC, but never later than now. Raises Unprocessable for days to come."""
    now = timezone.now()
    if day is None:
        return now
    if day > now.date():
        raise Unprocessable("This day has not come yet.", field="on", remedy="Choose today or an earlier day.")
    return min(now, datetime.combine(day + timedelta(days=1), time.min, UTC))


def _now(board: Leaderboard, moment: datetime) -> Frozen:
    if board.stale_since is not None:
        problem = "The board is being brought up to results that have just arrived."
        raise Conflict(problem, field="leaderboard", remedy="Freeze it in a moment.")
    return snapshots.of_board(board, moment)


def _check(release: Release) -> None:
    if Release.objects.filter(leaderboard=release.leaderboard, name=release.name).exists():
        raise Conflict("The board has a release of this name.", field="name", remedy="Choose another name.")
    try:
        release.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Unprocessable(" ".join(messages), field=field) from error


@transaction.atomic
def show_to(*, actor: User, release: Release, visibility: str) -> Release:
    """Owners decide who sees a release."""
    require(actor, release.team, May.MANAGE)
    release = Release.objects.select_for_update().get(pk=release.pk)
    if visibility not in Visibility.values:
        known = ", ".join(Visibility.values)
        raise Unprocessable(f"{visibility} is not a visibility.", field="visibility", remedy=f"Use {known}.")
    before, release.visibility = release.visibility, visibility
    release.save(update_fields=["visibility"])
    seen = {"before": {"visibility": before}, "after": {"visibility": visibility}}
    record(actor=actor, team=release.team, verb="changed", target=release, **seen)
    return release


@transaction.atomic
def withdraw(*, actor: User, release: Release, reason: str) -> Release:
    """It stays readable and says why nobody should rely on it. Doing it twice changes nothing."""
    require(actor, release.team, May.MANAGE)
    release = Release.objects.select_for_update().get(pk=release.pk)
    if release.withdrawn_at is not None:
        return release
    if not reason.strip():
        raise Unprocessable("Say why it is withdrawn.", field="reason", remedy="One sentence will do.")
    release.withdrawn_at, release.withdrawn_by = timezone.now(), actor
    release.withdrawn_reason = reason.strip()[:300]
    release.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_reason"])
    record(actor=actor, team=release.team, verb="withdrew", target=release, after={"reason": release.withdrawn_reason})
    return release
