"""What REST resources share: who may call them, strict input, cursor pages, errors as problem details (RFC 9457)."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Literal, TypeVar, cast

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelValidationError
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.fields import empty
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from webapp.bounds import SMALL, BadJSON, bounds_of, in_words, loads
from webapp.errors import PROBLEM, DomainError, TooLarge, gone, internal_problem, problem
from webapp.limits import count_refused
from webapp.prepared import Asked, at_once

S = TypeVar("S", bound=serializers.BaseSerializer[Any])
OUT_OF_SCOPE = "This token lacks the scope “{}” that the call needs. Make one that has it on your profile page."
SEARCH = OpenApiParameter("q", str, description="Only what contains this text.")
KEY, MAX_KEY = "Idempotency-Key", 100


def repeatable(what: str) -> list[OpenApiParameter]:
    """The headers of a submission that may be sent twice: its key, where what it made is, whether that was there."""
    header: Literal["header"] = OpenApiParameter.HEADER
    same = f"Up to {MAX_KEY} characters. Same key and body: the same {what}. Same key, other body: refused."
    was_there = f"`true` when the {what} was there."
    return [
        OpenApiParameter(KEY, str, header, description=same),
        OpenApiParameter("Location", str, header, response=[202], description=f"The {what}'s address."),
        OpenApiParameter("Idempotent-Replay", str, header, response=[202], description=was_there),
    ]


def told_apart(request: Request) -> dict[str, Any]:
    """`key` and `body_hash` of a submission: the same ones are the same submission."""
    key: str = request.headers.get(KEY, "")
    if len(key) > MAX_KEY or not key.isprintable():
        raise exceptions.ValidationError({KEY: [f"Use at most {MAX_KEY} printable characters."]})
    body = json.dumps(request.data, sort_keys=True)
    return {"key": key, "body_hash": hashlib.sha256(body.encode()).hexdigest()}


class Page(CursorPagination):
    """Newest first; a cursor costs the same on any page and never skips a row that moved."""

    ordering: str | tuple[str, ...] = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """A cursor whose position is no value of the ordering's field is not found: the database would fail on it."""
        cursor = self.decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            first = self.ordering if isinstance(self.ordering, str) else self.ordering[0]
            try:
                queryset.model._meta.get_field(first.lstrip("-")).clean(cursor.position, None)
            except ModelValidationError:
                raise exceptions.NotFound(self.invalid_cursor_message) from None
        found: list[Any] | None = super().paginate_queryset(queryset, request, view)
        return found


class Named(serializers.CharField):
    """A text that names something, which is looked up once the text itself is valid."""

    def ask(self, text: str) -> Asked[Any] | None:
        """The question on whose answer `find` relies, for fields that have it prepared."""
        return None

    def find(self, text: str, asked: Any) -> Any:
        """asked: what `ask` has given."""
        raise TypeError("a field that names something says how it is found")

    def run_validation(self, data: Any = empty) -> Any:
        text: str = super().run_validation(data)
        asked: Asked[Any] | None = self.context.get(ASKED, {}).pop((self, text), None)
        return self.find(text, asked or self.ask(text))


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know: a typing error must not become a default. What its fields name is asked for in
    one trip to the database."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = ", ".join(self.fields)
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError({name: [f"Unknown field. Known: {known}."] for name in unknown})
            self._ask({pair: None for name, value in data.items() for pair in _names(self.fields[name], value)})
        return super().to_internal_value(data)

    def _ask(self, names: Iterable[tuple[Named, str]]) -> None:
        chosen = list(names)[:MOST_AT_ONCE]
        if len(chosen) > 1:
            with at_once():
                asked = {(field, text): field.ask(text) for field, text in chosen}
            cast(dict[str, Any], self.context)[ASKED] = asked


ASKED = "asked"  # in a serializer's context: the questions that were sent already, by field and text
MOST_AT_ONCE, MOST_LETTERS = 100, 140


def _names(field: Any, value: Any) -> list[tuple[Named, str]]:
    """The texts of a field that can name something; what is wrong with the others is said by its validation."""
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        return [pair for each in value[:MOST_AT_ONCE] for pair in _names(field.child, each)]
    sound = isinstance(field, Named) and isinstance(value, str) and len(value) <= MOST_LETTERS and value.isprintable()
    return [(field, value)] if sound else []


@extend_schema_field(OpenApiTypes.OBJECT)
class JSONObject(serializers.JSONField):
    """A JSON object; in a multipart body it is written as text."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            value = loads(data) if getattr(data, "is_json_string", False) else super().to_internal_value(data)
        except BadJSON as error:
            raise serializers.ValidationError(f"This cannot be read as JSON: {error}.") from error
        if not isinstance(value, dict):
            raise serializers.ValidationError("This is not a JSON object.")
        return value


class Problem(serializers.Serializer[Any]):
    """Why a call failed, in the form of RFC 9457."""

    type = serializers.CharField(help_text="Always `about:blank`: `status` says it all.")
    title = serializers.CharField(help_text="The name of the status.")
    status = serializers.IntegerField()
    detail = serializers.CharField(allow_blank=True, help_text="What is wrong with this call.")
    remedy = serializers.CharField(required=False, help_text="What to do about it.")
    errors = serializers.DictField(required=False, help_text="Messages by field.")  # type: ignore[assignment]
    reference = serializers.CharField(required=False, help_text="Names an internal error in the server's log.")


class BoundedJSONParser(BaseParser):
    """JSON within the bounds of its resource: the length that a client claims is not believed. DRF hands its own JSON
    parser no stream but the body of a request, which is small everywhere."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        bounds = bounds_of((parser_context or {}).get("view"))
        body = stream.read(bounds.text + 1)
        if len(body) > bounds.text:
            raise TooLarge(f"The body is too large: JSON may have {in_words(bounds.text)} here.")
        try:
            return loads(body, bounds)
        except BadJSON as error:
            raise exceptions.ParseError(f"The body cannot be read as JSON: {error}.") from error


class ProblemSchema(AutoSchema):
    """Documents, for every operation, the problems that any call can meet."""

    always = (400, 401, 403, 404, 429)
    writing = (409, 413, 415, 422)

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self.always + (() if self.method == "GET" else self.writing):
            response = OpenApiResponse(Problem, HTTPStatus(status).phrase)
            described = self._get_response_for_code(response, str(status), [PROBLEM])  # type: ignore[no-untyped-call]
            bodies.setdefault(str(status), described)
        return bodies


class InScope(BasePermission):
    """What a token may: reading needs the scope `read`, anything else the view's `scope`. Sessions have all scopes."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        require_scopes(request, ["read" if request.method in SAFE_METHODS else getattr(view, "scope", "submit")])
        return True


def require_scopes(request: Request, needed: Iterable[str]) -> None:
    """Raises PermissionDenied when the call comes with a token that lacks one of the scopes."""
    token: Any = request.auth
    missing = [] if token is None else sorted(set(needed) - set(token.scopes))
    if missing:
        raise exceptions.PermissionDenied(OUT_OF_SCOPE.format(missing[0]))


_of_thread = threading.local()


@contextmanager
def kept(serializer: type[S], context: Mapping[str, Any]) -> Iterator[S]:
    """The thread's own serializer. DRF makes all fields anew for each one, which takes longer than what is done with
    them; they hold nothing of a call but its context, for as long as it lasts."""
    idle: dict[type, Any] = vars(_of_thread).setdefault("idle", {})
    found: Any = idle.pop(serializer, None) or serializer()
    found._context = context
    try:
        yield found
    finally:
        found._context = {}
        idle[serializer] = found


class Resource(GenericAPIView[Any]):
    """Signed-in people and tokens; reading needs the scope `read`, writing the view's `scope`. `bounds`: of a body."""

    permission_classes = [IsAuthenticated, InScope]
    # Not in the settings: DRF would import this file while it imports the generic views that this file needs.
    pagination_class = Page
    parser_classes = [BoundedJSONParser]
    schema = ProblemSchema()
    metadata_class = None  # OPTIONS: what there is to know stands in the OpenAPI schema
    scope = "submit"
    bounds = SMALL

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except exceptions.PermissionDenied:  # a session without its proof (CSRF); wrong tokens are counted as such
            count_refused(request)
            raise

    def check_permissions(self, request: Request) -> None:
        """DRF would count what is allowed. Calls that are refused cost as much."""
        super().check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        """Done: before the permissions."""

    @property
    def actor(self) -> Any:
        """Who writes: the permissions let nobody do so without a sign-in."""
        return self.request.user

    def read(self, serializer: type[serializers.BaseSerializer[Any]]) -> dict[str, Any]:
        """The body, validated; raises a problem that names each wrong field."""
        with kept(serializer, self.get_serializer_context()) as reader:
            values: dict[str, Any] = reader.run_validation(self.request.data)
        return values

    def shown(self, serializer: type[serializers.BaseSerializer[Any]], value: Any, *, many: bool = False) -> Any:
        if many:
            return serializer(value, many=True, context=self.get_serializer_context()).data
        with kept(serializer, self.get_serializer_context()) as writer:
            return writer.to_representation(value)


class PublicResource(Resource):
    """Also readable without a sign-in: the selector shows strangers only what is public."""

    permission_classes = [IsAuthenticatedOrReadOnly, InScope]


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER."""
    error = gone(error) or error
    if isinstance(error, RequestDataTooBig):
        error = TooLarge(f"The fields of a form may have {in_words(SMALL.size)}.", remedy="Send a file.")
    if isinstance(error, DomainError):
        headers = {"Retry-After": str(error.wait)} if error.wait else None
        return _as_problem(Response(_of_domain(error), status=error.status, headers=headers))
    error = _translated(error)
    response = exception_handler(error, context)
    if response is None:
        return _as_problem(Response(internal_problem(error), status=500))
    more = {}
    if isinstance(error, exceptions.ValidationError):
        detail = "Correct the fields named in `errors`."
        more["errors"] = response.data if isinstance(response.data, dict) else {"body": response.data}
    else:
        detail = str(response.data.get("detail", "")) if isinstance(response.data, dict) else ""
    response.data = problem(response.status_code, detail, **more)
    return _as_problem(response)


def _translated(error: Exception) -> Exception:
    """What Django itself refuses, as DRF says it."""
    if isinstance(error, ModelValidationError):
        by_field = error.message_dict if hasattr(error, "error_dict") else {"body": error.messages}
        return exceptions.ValidationError(by_field)
    return exceptions.ParseError(str(error)) if isinstance(error, SuspiciousOperation) else error


def _of_domain(error: DomainError) -> dict[str, Any]:
    more: dict[str, Any] = {"remedy": error.remedy} if error.remedy else {}
    if error.field:
        more["errors"] = {error.field: [str(error)]}
    return problem(error.status, error.message, **more)


def _as_problem(response: Response) -> Response:
    response.content_type = PROBLEM
    return response
