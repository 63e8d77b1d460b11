"""A link with which somebody sets a new password: it works once, for a day, and nothing of it is stored.

Django's token is keyed with SECRET_KEY over the password's hash, the e-mail address and the last sign-in: it ends when
one of them changes. Whoever has the link becomes the person, in all of their teams. So only superusers can make one for
somebody else, not the owners of a team, who can add anybody to it.
"""

from __future__ import annotations

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from webapp.accounts.models import User
from webapp.accounts.services import record
from webapp.errors import NotAllowed, Unprocessable


def reset_path(user: User) -> str:
    """The path of the link. Anybody who has it can take over the account: show it to nobody else."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("accounts:new_password", args=[uid, default_token_generator.make_token(user)])


@transaction.atomic
def make_reset_link(*, actor: User | None, username: str) -> str:
    """For somebody who cannot sign in. actor: the operator; None: on the server's command line. Returns its path."""
    if actor is not None and not actor.is_superuser:
        raise NotAllowed("Only an operator can make a link for a new password.", remedy="Ask who runs this server.")
    user = User.objects.filter(username__iexact=username, is_active=True).first()
    if user is None:
        raise Unprocessable(f"Nobody here is called {username}.", field="username", remedy="Check the name.")
    record(actor=actor, verb="made a password link", target=user)
    return reset_path(user)
