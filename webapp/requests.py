"""What the middleware adds to a request, for type checking: views say which kind they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

    from webapp.accounts.models import User


class PageRequest(HttpRequest):
    """A request for a page or a fragment, by anybody."""

    htmx: HtmxDetails


class MemberRequest(PageRequest):
    """A request of somebody who is signed in: LoginRequiredMiddleware has seen to it."""

    user: User
