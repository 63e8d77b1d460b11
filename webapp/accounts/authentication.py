"""`Authorization: Bearer ct_...`: a token acts for its user, within its scopes."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from webapp.accounts.models import Token, User
from webapp.accounts.selectors import token_of
from webapp.limits import count_refused

# Writing "last used" at every call would make each read a write.
USE_RESOLUTION = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token_of(secret.strip())
        if token is None:
            count_refused(request)
            raise AuthenticationFailed(
                "This token is unknown, revoked or expired. Make a new one on your profile page."
            )
        now = timezone.now()
        if token.last_used_at is None or now - token.last_used_at > USE_RESOLUTION:
            Token.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword


def is_known(request: HttpRequest) -> bool:
    """Whether somebody sends it who is signed in or has a token. It is asked before a large body is received."""
    try:
        if TokenAuthentication().authenticate(Request(request)):
            return True
    except APIException:
        return False
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    return get_user(request).is_authenticated


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token from your profile page: `ct_...`"}
