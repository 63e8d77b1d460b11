"""How much the platform takes, and what it will throw away: for operators."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.accounts.selectors import require_operator
from webapp.operations.disk import HEIGHT, WIDTH, disk
from webapp.operations.housekeeping import COUNTED
from webapp.requests import MemberRequest


@require_safe
def disk_usage(request: MemberRequest) -> HttpResponse:
    require_operator(request.user)
    context = {"disk": disk(), "counted": COUNTED, "width": WIDTH, "height": HEIGHT}
    return render(request, "operations/disk_usage.html", context)
