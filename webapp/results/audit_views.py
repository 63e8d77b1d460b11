"""The audit of linear models: its page, and REST."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation.analyses import ANALYSES
from evaluation.features import MAXIMUM_FEATURES, MAXIMUM_ROWS
from webapp.accounts.selectors import May, teams_where
from webapp.requests import MemberRequest
from webapp.rest import BoundedJSONParser, PublicResource
from webapp.results.audits import AUDIT, request_audit
from webapp.results.forms import AuditForm
from webapp.results.selectors import report_address
from webapp.results.serializers import AuditIn, ReportOut


def linear_audit(request: MemberRequest) -> HttpResponse:
    """Upload a table, say what counts as near and as far, and ask for the audit."""
    form = AuditForm(request.user, request.POST or None, request.FILES or None)
    if request.method == "POST":
        made = form.attempt(request_audit, actor=request.user)
        if made:
            return redirect(report_address(made))
    context = {
        "form": form,
        "analysis": ANALYSES[AUDIT],
        "limits": {"rows": MAXIMUM_ROWS, "features": MAXIMUM_FEATURES},
        "may_submit": teams_where(request.user, May.SUBMIT).exists(),
        "crumbs": [("Reports", reverse("results:reports")), ("Linear audit", "")],
    }
    return render(request, "results/linear_audit.html", context, status=form.status)


class LinearAudits(PublicResource):
    serializer_class = ReportOut
    parser_classes = [BoundedJSONParser, MultiPartParser]

    @extend_schema(
        request=AuditIn, responses={202: OpenApiResponse(ReportOut, "Queued; `Location` is where it will be.")}
    )
    def post(self, request: Request) -> Response:
        """Ask for an audit of linear models on a table of features: a CSV file (multipart), or its text as `csv`."""
        report = request_audit(actor=self.actor, **_content(self.read(AuditIn)))
        location = request.build_absolute_uri(reverse("api:report", args=[report.pk]))
        return Response(self.shown(ReportOut, report), status=202, headers={"Location": location})


def _content(values: dict[str, Any]) -> dict[str, Any]:
    """The bytes of the table in place of the file or the text."""
    file, text = values.pop("file", None), values.pop("csv", "")
    content = file.read() if file else text.encode()
    name = file.name if file else values.pop("name", "table.csv")
    return {"parameters": {}, **values, "content": content, "name": name}


urlpatterns = [path("reports/linear/", LinearAudits.as_view(), name="linear_audits")]
