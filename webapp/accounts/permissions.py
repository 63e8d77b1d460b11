"""What a token's scopes allow."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from webapp.accounts.models import Token

REFUSAL = "This token does not have the scope “{}” that the call needs. Make one that has it on your profile page."


class InScope(BasePermission):
    """Reading needs the scope `read`; anything else the view's `scope` (default `submit`). Sessions have all scopes."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = "read" if request.method in SAFE_METHODS else getattr(view, "scope", "submit")
        require_scopes(request, [needed])
        return True


def require_scopes(request: Request, needed: Iterable[str]) -> None:
    """Raises PermissionDenied when the call comes with a token that lacks one of the scopes."""
    if not isinstance(request.auth, Token):
        return
    missing = sorted(set(needed) - set(request.auth.scopes))
    if missing:
        raise PermissionDenied(REFUSAL.format(missing[0]))
