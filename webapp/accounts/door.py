"""Guessing passwords is slow, and nobody is locked out by strangers who guess.

Attempts are counted by address, and by account. What strangers try at an account counts against strangers only: a
browser in which somebody has signed in before carries a signed cookie and is counted by itself (the device cookies of
OWASP's advice against guessing). An attempt is counted before its password is looked at, and given back when it was
right: many at once do not slip through.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from webapp.clients import client_of
from webapp.errors import TooOften
from webapp.limits import Limit

BY_ADDRESS = Limit("sign-in.address", 30, 600)
BY_ACCOUNT = Limit("sign-in.account", 10, 600)
BY_DEVICE = Limit("sign-in.device", 10, 600)
SIGN_UPS = Limit("sign-up.address", 20, 3600)
COOKIE = "crosstable_device"
SALT = "crosstable.accounts.door"
REMEMBERED = 365 * 86400


@dataclass(frozen=True)
class Attempt:
    """One try at an account that is looked at."""

    counted: tuple[tuple[Limit, str], ...]

    def succeeded(self, response: HttpResponse, username: str) -> None:
        """Give the counts back, and know this browser from now on."""
        for limit, key in self.counted:
            limit.refund(key)
        response.set_cookie(
            COOKIE,
            signing.dumps([_account(username), secrets.token_hex(8)], salt=SALT),
            max_age=REMEMBERED,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )


def knock(request: HttpRequest, username: str) -> Attempt:
    """Count an attempt. Raises TooOften, alike for accounts that exist and others; then it counts nowhere."""
    device = _device(request, username)
    keys = ((BY_ADDRESS, client_of(request)), (BY_DEVICE, device) if device else (BY_ACCOUNT, _account(username)))
    counted: list[tuple[Limit, str]] = []
    for limit, key in keys:
        if wait := limit.spend(key):
            for earlier, its_key in counted:
                earlier.refund(its_key)
            raise TooOften("There were too many attempts to sign in.", wait=wait)
        counted.append((limit, key))
    return Attempt(tuple(counted))


def knock_for_an_account(request: HttpRequest) -> None:
    """Accounts cost a hash and a row each. Raises TooOften."""
    if wait := SIGN_UPS.spend(client_of(request)):
        raise TooOften("Too many accounts were asked for from your address.", wait=wait)


def _account(username: str) -> str:
    """As the form reads it: other spellings of a name are no other account."""
    return unicodedata.normalize("NFKC", username.strip()[:150]).lower()


def _device(request: HttpRequest, username: str) -> str:
    """The browser's own number, if it has signed in to this account before."""
    try:
        account, number = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=REMEMBERED)
    except (signing.BadSignature, TypeError, ValueError):
        return ""
    return str(number) if account == _account(username) else ""
