"""Somebody leaves: their account is made nameless, and what was theirs alone goes.

What they submitted belongs to their teams and stays, under a name that says nothing. All of it is a few hundred rows,
so it happens at once: nobody is half gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.db.models import CASCADE, Model, QuerySet

from webapp.accounts.models import Membership, Role, User
from webapp.accounts.services import record
from webapp.catalog.models import ModelEntry
from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs.models import Job
from webapp.leaderboards.models import SavedView
from webapp.live import look_again
from webapp.removals import obstacles
from webapp.removals.counting import counts
from webapp.removals.obstacles import is_empty, owned_alone
from webapp.removals.selectors import AUDIT, Preview
from webapp.removals.services import confirm, refuse, remove_team
from webapp.results.models import Report
from webapp.reviews.models import Comment, Review, Reviewer, Verdict

# Closed reviews keep whom they asked: it is part of the record.
OPEN = [Review.State.DRAFT, Review.State.IN_REVIEW, Review.State.CHANGES_REQUESTED, Review.State.APPROVED]
WORK: dict[str, tuple[type[Model], str]] = {
    "jobs": (Job, "created_by"), "entries": (ModelEntry, "created_by"), "reports": (Report, "created_by"),
    "reviews": (Review, "created_by"), "verdicts": (Verdict, "author"), "comments": (Comment, "author"),
}  # fmt: skip


def of_account(user: User) -> Preview:
    alone = [team.name for team in owned_alone(user) if is_empty(team)]
    goes = {**_counted(dict(own_rows(user))), "empty teams": len(alone)}
    kept = {kind: model._default_manager.filter(**{field: user}) for kind, (model, field) in WORK.items()}
    stays = ", ".join(f"{kind}: {count:,}" for kind, count in _counted(kept).items() if count)
    return Preview(
        kind="account",
        name=user.username,
        title=user.username,
        goes={kind: count for kind, count in goes.items() if count},
        at_once=(
            "You are signed out on every device, your tokens stop working, and open pages hear nothing more.",
            "Name, e-mail address and password are forgotten: nobody can sign in as you, or bring the account back.",
        ),
        stays=(
            f"What you did for your teams belongs to them ({stays or 'nothing yet'}): it stays under the name "
            f"{nameless(user)}. Your jobs that are under way go on.",
            f"{AUDIT} It keeps your name, and so do sentences that name you, such as “Cancelled by {user.username}.”",
        ),
        obstacles=tuple(obstacles.of_account(user)),
        needs_password=user.has_usable_password(),
    )


def own_rows(user: User) -> Iterator[tuple[str, QuerySet[Any]]]:
    """What would be deleted with the row of the person: by kind, from the models themselves, so that nothing is missed.

    Shared views of boards and the people whom closed reviews asked are their teams'.
    """
    for relation in User._meta.get_fields(include_hidden=True):
        if getattr(relation, "on_delete", None) is not CASCADE:
            continue
        model: Any = relation.related_model
        rows = model._default_manager.filter(**{relation.field.name: user})  # type: ignore[union-attr]
        if model is SavedView:
            rows = rows.filter(shared=False)
        if model is Reviewer:
            rows = rows.filter(review__state__in=OPEN)
        yield str(model._meta.verbose_name_plural), rows


def _counted(rows: dict[str, QuerySet[Any]]) -> dict[str, int]:
    return dict(zip(rows, counts(list(rows.values())), strict=True))


def nameless(user: User) -> str:
    return f"deleted-{user.pk}"


@transaction.atomic
def remove_account(*, actor: User, name: str, password: str = "") -> None:
    """Forget who somebody is, by themselves only. name: typed again; password: where the account has one.

    Raises Unprocessable for what is typed wrongly, and Conflict where something stands in the way.
    """
    # Two operators who leave at once: the second one finds that it is the last.
    operators = User.objects.select_for_update(no_key=True).filter(is_superuser=True, is_active=True)
    list(operators.order_by("pk").values_list("pk"))
    user = User.objects.select_for_update().get(pk=actor.pk)
    if not user.is_active:
        raise NotAllowed("This account is deleted.")
    confirm(name, user.username)
    if user.has_usable_password() and not check_password(password, user.password):
        raise Unprocessable("This is not your password.", field="password", remedy="Type it again, or reset it first.")
    # Two owners who leave a team at once: the second one finds that it is the last.
    teams = Membership.objects.filter(user=user, role=Role.OWNER).values("team")
    owners = Membership.objects.select_for_update().filter(team__in=teams, role=Role.OWNER)
    list(owners.order_by("pk").values_list("pk"))
    refuse(obstacles.of_account(user))
    removed = {kind: count for kind, count in _counted(dict(own_rows(user))).items() if count}
    for team in owned_alone(user):
        remove_team(actor=user, team=team, name=team.name)
    record(actor=user, verb="deleted account", target=user, before=removed)
    for _, rows in own_rows(user):
        rows.delete()
    _forget(user)
    look_again(person=user.pk)


def _forget(user: User) -> None:
    taken = User.objects.filter(username__iexact=nameless(user)).exists()
    user.username = nameless(user) + (f"-{secrets.token_hex(4)}" if taken else "")
    user.email = f"{user.username}@deleted.invalid"  # RFC 2606: it is nobody's
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.set_unusable_password()
    user.save()
