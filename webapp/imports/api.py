"""REST of imports: begin, send the bytes in pieces, finish; resumable after any break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.selectors import May, require
from webapp.bounds import PIECE
from webapp.errors import TooLarge
from webapp.imports import selectors, services
from webapp.imports.models import Import
from webapp.imports.serializers import ImportIn, ImportOut
from webapp.imports.services import ImportRequest
from webapp.rest import Resource

STATE = OpenApiParameter("state", str, enum=Import.State.values, description="Only those in this state.")
OFFSET = OpenApiParameter(
    "Upload-Offset", int, OpenApiParameter.HEADER, required=True, description="The first byte of this piece."
)
REACHED = OpenApiParameter(
    "Upload-Offset", int, OpenApiParameter.HEADER, response=[204, 409], description="Where the upload goes on."
)
LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[200, 201], description="The import's address."
)
DIGITS = 16


class BytesParser(BaseParser):
    """The body as it is, of bounded size: the length that a client claims is not believed."""

    media_type = "application/offset+octet-stream"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        data: bytes = stream.read(settings.IMPORT_CHUNK_BYTES + 1)
        if len(data) > settings.IMPORT_CHUNK_BYTES:
            raise TooLarge(f"A piece may have {settings.IMPORT_CHUNK_BYTES:,} bytes.", remedy="Send smaller pieces.")
        return data


class PlainBytesParser(BytesParser):
    media_type = "application/octet-stream"


class Imports(Resource, ListAPIView[Import]):
    """Imports of the caller's teams, newest first."""

    serializer_class = ImportOut
    queryset = Import.objects.none()

    def get_queryset(self) -> QuerySet[Import]:
        state = self.request.query_params.get("state", "")
        if state and state not in Import.State.values:
            raise ValidationError({"state": [f"Use one of {', '.join(Import.State.values)}."]})
        return selectors.imports(self.request.user, state=state).prefetch_related("parts")

    @extend_schema(parameters=[STATE])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request=ImportIn,
        parameters=[LOCATION],
        responses={201: ImportOut, 200: OpenApiResponse(ImportOut, "These bytes are known: the earlier import.")},
    )
    def post(self, request: Request) -> Response:
        """Announce a file. Then PATCH its bytes to the address in `url`, from `offset` on, and call `finish`."""
        values = self.read(ImportIn)
        team = values.pop("team")
        made, new = services.begin_import(actor=self.actor, team=team, request=ImportRequest(**values))
        body = self.shown(ImportOut, selectors.imports(request.user).get(pk=made.pk))
        return Response(body, status=201 if new else 200, headers={"Location": body["url"]})


class NamedImport(Resource):
    serializer_class = ImportOut

    def get_object(self) -> Import:
        return get_object_or_404(selectors.imports(self.request.user), pk=self.kwargs["pk"])

    def act(self, action: Callable[..., Import], status: int) -> Response:
        action(actor=self.actor, job=self.get_object())
        return Response(self.shown(ImportOut, self.get_object()), status=status)


class ImportDetail(NamedImport, RetrieveAPIView[Import]):
    """An import: its state, how far it is, what it makes, what is wrong."""

    parser_classes = [BytesParser, PlainBytesParser]
    bounds = PIECE

    @extend_schema(
        request={"application/octet-stream": OpenApiTypes.BINARY},
        parameters=[OFFSET, REACHED],
        responses={204: None},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Send a piece of the file. At a wrong offset it is refused (409), with the header that says where to go on."""
        found = self.get_object()
        require(self.actor, found.team, May.SUBMIT)  # before the body is read
        data = request.data if isinstance(request.data, bytes) else b""
        try:
            job = services.append_chunk(actor=self.actor, job=found, offset=self._offset(), data=data)
        except services.WrongOffset as error:
            response = self.handle_exception(error)
            response["Upload-Offset"] = str(error.offset)
            return response
        return Response(status=204, headers={"Upload-Offset": str(job.received)})

    def _offset(self) -> int:
        text = self.request.headers.get("Upload-Offset", "")
        if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
            raise ValidationError({"Upload-Offset": ["Give the number of the piece's first byte."]})
        return int(text)


class FinishImport(NamedImport):
    @extend_schema(request=None, responses={202: ImportOut})
    def post(self, request: Request, pk: int) -> Response:
        """All bytes are sent: have the file read and, without `preview`, loaded. Safe to call twice."""
        return self.act(services.finish_upload, 202)


class LoadImport(NamedImport):
    @extend_schema(request=None, responses={202: ImportOut})
    def post(self, request: Request, pk: int) -> Response:
        """After a look: load what `summary` says. Safe to call twice."""
        return self.act(services.load_import, 202)


class CancelImport(NamedImport):
    @extend_schema(request=None, responses=ImportOut)
    def post(self, request: Request, pk: int) -> Response:
        """Stop and forget the bytes. Whatever was under way leaves nothing behind. Safe to call twice."""
        return self.act(services.cancel_import, 200)


urlpatterns = [
    path("imports/", Imports.as_view(), name="imports"),
    path("imports/<int:pk>/", ImportDetail.as_view(), name="import"),
    path("imports/<int:pk>/finish/", FinishImport.as_view(), name="finish_import"),
    path("imports/<int:pk>/load/", LoadImport.as_view(), name="load_import"),
    path("imports/<int:pk>/cancel/", CancelImport.as_view(), name="cancel_import"),
]
