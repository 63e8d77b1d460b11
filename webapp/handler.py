"""One request, one visit to a thread."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ThreadHandler(ASGIHandler):
    """Middleware and views are all synchronous here. Django's own handler is prepared for others, too, and goes between
    its event loop and the request's thread for each middleware that looks at views, for the chain and for the view."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        respond: Any = sync_to_async(self.get_response)
        response: HttpResponseBase = await respond(request)
        return response
