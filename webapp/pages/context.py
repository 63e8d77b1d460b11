"""What every page's frame needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from webapp.pages.first_steps import looked_at
from webapp.pages.guide.finding import explained


def site(request: HttpRequest) -> dict[str, Any]:
    here = request.resolver_match.view_name if request.resolver_match else ""
    shell = {"help_section": explained(here), "step_seen": looked_at(request, here)}
    return {"demo": settings.DEMO, "sign_up_open": settings.SIGN_UP_OPEN, **shell}
