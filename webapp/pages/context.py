"""What every page's frame needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from webapp.pages.guide.finding import explained


def site(request: HttpRequest) -> dict[str, Any]:
    match = request.resolver_match
    here = explained(match.view_name) if match else ""
    return {"demo": settings.DEMO, "sign_up_open": settings.SIGN_UP_OPEN, "help_section": here}
