"""What every REST resource shares: strict serializers, cursor pages, errors as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import exception_handler

from webapp.errors import PROBLEM, DomainError, internal_problem, problem


class Page(CursorPagination):
    """Newest first; a cursor costs the same on any page and never skips a row that moved."""

    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = 500


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know: a typing error must not become a default."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = set(data) - set(self.fields)
            if unknown:
                known = ", ".join(self.fields)
                raise serializers.ValidationError(
                    {name: [f"Unknown field. Known: {known}."] for name in sorted(unknown)}
                )
        return super().to_internal_value(data)


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER."""
    if isinstance(error, DomainError):
        more = {"errors": {error.field: [str(error)]}} if error.field else {}
        return _as_problem(Response(problem(error.status, error.message, error.remedy, **more), status=error.status))
    if isinstance(error, ModelValidationError):
        error = exceptions.ValidationError({"detail": error.messages})
    response = exception_handler(error, context)
    if response is None:
        return _as_problem(Response(internal_problem(error), status=500))
    body = problem(response.status_code, _title(error), "")
    if isinstance(error, exceptions.ValidationError):
        body["errors"] = response.data if isinstance(response.data, dict) else {"body": response.data}
        body["detail"] = "Correct the fields named in `errors`."
    elif isinstance(response.data, dict):
        body["detail"] = str(response.data.get("detail", ""))
    response.data = body
    return _as_problem(response)


def _title(error: Exception) -> str:
    if isinstance(error, Http404):
        return "Not found"
    return str(getattr(error, "default_detail", "")) or "Error"


def _as_problem(response: Response) -> Response:
    response.content_type = PROBLEM
    return response
