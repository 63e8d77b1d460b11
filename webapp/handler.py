"""One request, one visit to a thread, a few of them at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from io import SEEK_END
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.signals import request_started
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from webapp.bodies import Bodies, IsKnown
from webapp.errors import DomainError
from webapp.turns import Turns

MOST_IDLE = 16  # threads that are kept for the next requests; a slow database makes one for each that waits
LINGER = 5.0  # seconds that a client has to read why it was refused, before it is cut off


class ThreadHandler(ASGIHandler):
    """Middleware and views are all synchronous here. Django's own handler is prepared for others, too: it goes between
    its event loop and the request's thread for its signals, for each middleware that looks at views, for the chain, for
    the view and for the end; it has two tasks watch each answer; and it makes that thread anew for each request, where
    here the last one that is idle is taken."""

    def __init__(self, is_known: IsKnown = lambda request: False) -> None:
        super().__init__()
        self._bodies = Bodies(is_known)
        self._idle: deque[ThreadPoolExecutor] = deque()
        self._turns = Turns()

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if len(self._idle) < MOST_IDLE:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        refusal = None
        with ExitStack() as until:
            body = until.enter_context(
                SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE, dir=settings.FILE_UPLOAD_TEMP_DIR)
            )
            try:
                await self._bodies.receive(scope, receive, body, until)
            except RequestAborted:
                return
            except DomainError as error:
                refusal = error
            async with self._turns.turn():
                response: HttpResponseBase = await sync_to_async(self._response)(scope, body, refusal)
            if response.streaming:
                await self._stream(response, receive, send)
            elif refusal:
                await self._part(response, receive, send)
            else:
                await self.send_response(response, send)

    async def _part(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
        """Many clients read an answer only when they have sent all, and would not see that of a closed connection:
        what they still send is thrown away for a moment."""

        async def begin(message: Any) -> None:
            await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

        response.headers["Connection"] = "close"
        await self.send_response(response, begin)
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body"})

    def _response(self, scope: Any, body: IO[bytes], refusal: DomainError | None) -> HttpResponseBase:
        """Closed already, and its connection to the database back in the pool, unless it is still to be streamed.

        refusal: why the body was not read. It is answered by the middleware, as any other."""
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        request, wrong = self.create_request(scope, body)
        if request is not None:
            request.refusal = refusal  # type: ignore[attr-defined]
            # Without a length, as it comes in chunks, Django and DRF would take it for empty.
            request.META["CONTENT_LENGTH"] = str(body.seek(0, SEEK_END))
            body.seek(0)
        response: Any = wrong if request is None else self.get_response(request)
        response._handler_class = self.__class__
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        answered: HttpResponseBase = response
        return answered

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
        """Until all is sent or nobody listens any more."""
        sending = asyncio.ensure_future(self.send_response(response, send))
        listening = asyncio.ensure_future(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait([sending, listening], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, listening):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            await sync_to_async(response.close)()
