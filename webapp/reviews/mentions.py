"""@names in what people write: whom they call, and where their names lead."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db.models.functions import Lower
from django.urls import reverse

from webapp.accounts.models import Team, User

# Not inside of a word, an address or a path. A name ends with a letter, a digit or an underscore, never a full stop.
MENTION = re.compile(r"(?<![\w@./-])@([A-Za-z0-9](?:[\w.-]{0,148}\w)?)", re.ASCII)
MOST = 50  # people that the texts of one page can name


def names_in(texts: Iterable[str]) -> list[str]:
    """The names that are mentioned, in lower case, in their order, each once."""
    return list(dict.fromkeys(name.lower() for text in texts for name in MENTION.findall(text)))


def mentioned(team: Team, texts: Iterable[str]) -> list[User]:
    """The members of the team among them, whatever the case in which they are written."""
    names = names_in(texts)[:MOST]
    if not names:
        return []
    members = User.objects.filter(memberships__team=team).annotate(lower=Lower("username"))
    return list(members.filter(lower__in=names).order_by("username"))


def links(team: Team, texts: Iterable[str]) -> dict[str, str]:
    """Name in lower case -> address, of the members of the team among those who are mentioned."""
    page = reverse("accounts:team", args=[team.name])
    return {user.username.lower(): f"{page}#member-{user.username}" for user in mentioned(team, texts)}
