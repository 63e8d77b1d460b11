"""The audit of linear models: its page, and REST."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation.analyses import ANALYSES
from evaluation.features import MAXIMUM_FEATURES, MAXIMUM_ROWS
from webapp.accounts.selectors import May, may, require, teams_where
from webapp.bounds import UPLOAD, brings_files
from webapp.catalog.models import BenchmarkVersion
from webapp.catalog.selectors import benchmark_versions
from webapp.requests import MemberRequest
from webapp.rest import BoundedJSONParser, PublicResource
from webapp.results import candidates
from webapp.results.audit_forms import KEPT, AuditForm, MarginsForm
from webapp.results.audits import AUDIT, audit_arrays, audit_margins, audit_upload, request_audit
from webapp.results.candidates import LISTED, Candidates
from webapp.results.models import Report
from webapp.results.selectors import report_address
from webapp.results.serializers import AuditIn, ReportOut

CHOICES = "multiple_choice"


@brings_files
def linear_audit(request: MemberRequest) -> HttpResponse:
    """Upload a table, or take the margins of a benchmark, say what is near and what is far, and ask for the audit."""
    asked = (request.POST if request.method == "POST" else request.GET).dict()
    found = _candidates(request, asked)
    form: AuditForm | MarginsForm
    if found:
        form = MarginsForm(found, request.POST or None)
    else:
        form = AuditForm(request.user, request.POST or None, request.FILES or None)
    if request.method == "POST" and (made := _requested(request, form, found)):
        return redirect(report_address(made))
    context = {
        "form": form,
        "found": found,
        "benchmarks": _benchmarks(request),
        "analysis": ANALYSES[AUDIT],
        "limits": {"rows": MAXIMUM_ROWS, "features": MAXIMUM_FEATURES, "seconds": settings.REPORT_MAX_SECONDS},
        "may_submit": _may_submit(request, found),
        "crumbs": [("Reports", reverse("results:reports")), ("Linear audit", "")],
    }
    return render(request, "results/linear_audit.html", context, status=form.status)


def _candidates(request: MemberRequest, asked: dict[str, str]) -> Candidates | None:
    """Who has results on the benchmark that the address names, if it names one."""
    if not asked.get("benchmark"):
        return None
    data = candidates.find(request.user, {name: asked.get(name, "") for name in ("benchmark", "team")})
    return candidates.candidates(request.user, data) if data else None


def _requested(request: MemberRequest, form: AuditForm | MarginsForm, found: Candidates | None) -> Report | None:
    if found:
        require(request.user, found.data.team, May.SUBMIT)
        return form.attempt(audit_margins, actor=request.user, found=found)
    service = audit_upload if request.POST.get("source") == KEPT else request_audit
    return form.attempt(service, actor=request.user)


def _benchmarks(request: MemberRequest) -> QuerySet[BenchmarkVersion]:
    """Those with choices: a written answer has no margin."""
    versions = benchmark_versions(request.user).filter(kind=CHOICES)
    return versions.order_by("benchmark__name", "-number")[:LISTED]


def _may_submit(request: MemberRequest, found: Candidates | None) -> bool:
    if found:
        return may(request.user, found.data.team, May.SUBMIT)
    return teams_where(request.user, May.SUBMIT).exists()


class LinearAudits(PublicResource):
    serializer_class = ReportOut
    parser_classes = [BoundedJSONParser, MultiPartParser]
    bounds = UPLOAD

    @extend_schema(
        request=AuditIn, responses={202: OpenApiResponse(ReportOut, "Queued; `Location` is where it will be.")}
    )
    def post(self, request: Request) -> Response:
        """Ask for an audit of linear models on a CSV file, its text, arrays, a kept table or margins of contenders."""
        report = _audited(self.actor, self.read(AuditIn))
        location = request.build_absolute_uri(reverse("api:report", args=[report.pk]))
        return Response(self.shown(ReportOut, report), status=202, headers={"Location": location})


def _audited(actor: Any, values: dict[str, Any]) -> Report:
    """By what was sent: margins, arrays, a kept table, a file, or its text."""
    values.setdefault("parameters", {})
    if "benchmark" in values:
        return _margins(actor, values)
    if "features" in values:
        return audit_arrays(actor=actor, **values)
    if "upload" in values:
        known = ("upload", "parameters", "title", "visibility")
        return audit_upload(actor=actor, **{name: values[name] for name in known if name in values})
    file, text = values.pop("file", None), values.pop("csv", "")
    content = file.read() if file else text.encode()
    name = file.name if file else values.pop("name", "table.csv")
    return request_audit(actor=actor, **{**values, "content": content, "name": name})


def _margins(actor: Any, values: dict[str, Any]) -> Report:
    asked = {"benchmark": str(values["benchmark"].pk), "team": values["team"].name if "team" in values else ""}
    data = candidates.find(actor, asked)
    assert data is not None  # noqa: S101 - the serializer has found the benchmark
    found = candidates.candidates(actor, data)
    return audit_margins(
        actor=actor,
        found=found,
        contenders=[found.named(name, "contenders") for name in values["contenders"]],
        outcome=found.named(values["outcome"], "outcome"),
        parameters=values["parameters"],
        title=values.get("title", ""),
    )


urlpatterns = [path("reports/linear/", LinearAudits.as_view(), name="linear_audits")]
