"""Errors by audience: a DomainError is for the user and becomes HTTP once, for pages and REST alike (RFC 9457)."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from psycopg.errors import ForeignKeyViolation

log = logging.getLogger("crosstable.errors")
PROBLEM = "application/problem+json"


class DomainError(Exception):
    """A rule of the product was broken. message: what is wrong; field: which input; remedy: what to do."""

    status = 400
    wait = 0  # seconds after which it may be tried again; also said in the header Retry-After

    def __init__(self, message: str, *, field: str = "", remedy: str = "", status: int | None = None) -> None:
        self.message, self.field, self.remedy = message, field, remedy
        self.status = status or self.status
        super().__init__(f"{message} {remedy}".strip())


class NotAllowed(DomainError):
    status = 403


class Conflict(DomainError):
    status = 409


class Unprocessable(DomainError):
    status = 422


class TooLarge(DomainError):
    status = 413


class Busy(DomainError):
    status = 503

    def __init__(self, message: str, *, wait: int) -> None:
        self.wait = wait
        super().__init__(message, remedy="Try again in a moment.")


class TooOften(DomainError):
    status = 429

    def __init__(self, message: str, *, wait: int) -> None:
        minutes = -(-wait // 60)
        self.wait = wait
        super().__init__(message, remedy=f"Try again in {minutes} minute{'s' * (minutes > 1)}.")


def gone(error: BaseException | None) -> Conflict | None:
    """Where the database refuses a row at its commit because what it refers to was deleted in the same moment."""
    if not isinstance(error, IntegrityError) or not isinstance(error.__cause__, ForeignKeyViolation):
        return None
    log.warning("a row refers to what is gone", exc_info=error)
    return Conflict("Something that this needs was deleted in the same moment.", remedy="Look at what is still there.")


def problem(status: int, detail: str = "", **more: Any) -> dict[str, Any]:
    """The body of a problem-details answer (RFC 9457); `errors` maps fields to messages."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}


class DomainErrorMiddleware:
    """Pages: a DomainError that no view turned into a form error becomes a page that says what to do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # PostgreSQL's text has no NUL. Forms and serializers refuse one; here it is refused in an address.
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return bad_address(request)
        refusal: DomainError | None = getattr(request, "refusal", None)
        return refused(request, refusal) if refusal else self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        error = gone(error) or error
        if isinstance(error, DomainError):
            return refused(request, error)
        return None


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    if is_api(request):
        body = problem(error.status, error.message, **({"remedy": error.remedy} if error.remedy else {}))
        answer: HttpResponse = JsonResponse(body, status=error.status, content_type=PROBLEM)
    else:
        answer = error_page(request, error.status, error.message, error.remedy)
    if error.wait:
        answer.headers["Retry-After"] = str(error.wait)
    return answer


def error_page(request: HttpRequest, status: int, message: str, remedy: str = "") -> HttpResponse:
    return render(request, "error.html", {"status": status, "message": message, "remedy": remedy}, status=status)


def bad_address(request: HttpRequest) -> HttpResponse:
    detail = "The address holds a character that nothing here contains."
    if is_api(request):
        return JsonResponse(problem(400, detail), status=400, content_type=PROBLEM)
    return error_page(request, 400, detail, "Check the address.")


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return JsonResponse(problem(404), status=404, content_type=PROBLEM)
    return error_page(
        request, 404, "There is nothing here that you may see.", "Check the address, or sign in as someone who may."
    )


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    detail = str(exception) if isinstance(exception, PermissionDenied) else ""
    return error_page(request, 403, detail or "You may not do this.", "Ask an owner of the team for the role that may.")


def internal_problem(error: BaseException | None) -> dict[str, Any]:
    """An error of ours: the reader gets a reference, the log the traceback under the same reference."""
    reference = uuid.uuid4().hex[:12]
    log.error("internal error %s", reference, exc_info=error)
    return problem(500, f"Tell the operator this reference: {reference}", reference=reference)


def internal(request: HttpRequest) -> HttpResponse:
    body = internal_problem(sys.exc_info()[1])
    if is_api(request):
        return JsonResponse(body, status=500, content_type=PROBLEM)
    return error_page(request, 500, "Something broke on our side.", body["detail"])
