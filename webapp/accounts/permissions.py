"""What a token's scopes allow."""

from __future__ import annotations

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from webapp.accounts.models import Token


class InScope(BasePermission):
    """Reading needs the scope `read`; anything else the view's `scope` (default `submit`). Sessions have all scopes."""

    message = "This token does not have the scope that the call needs. Make one that has it on your profile page."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, Token):
            return True
        needed = "read" if request.method in SAFE_METHODS else getattr(view, "scope", "submit")
        return needed in request.auth.scopes
