"""One request, one visit to a thread."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ThreadHandler(ASGIHandler):
    """Middleware and views are all synchronous here. Django's own handler is prepared for others, too: it goes between
    its event loop and the request's thread for each middleware that looks at views, for the chain and for the view; and
    it makes that thread anew for each request, where here the last one that is idle is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: deque[ThreadPoolExecutor] = deque()

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            self._idle.append(thread)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        respond: Any = sync_to_async(self.get_response)
        response: HttpResponseBase = await respond(request)
        return response
