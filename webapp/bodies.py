"""How bodies of requests are received: counted as they come, and no further than their address and sender allow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import IO, Any, cast

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from webapp.bounds import SMALL, bounds_of, in_words
from webapp.errors import Busy, TooLarge

log = logging.getLogger("crosstable.bodies")
# Large bodies lie in the temporary folder, and their files once more while a form is read: twice this is its size in
# deploy/compose.yaml, with room for others.
MOST_HELD = 512 * 2**20
WAIT = 30  # seconds, for who is told that there is no room
DIGITS = 15

IsKnown = Callable[[HttpRequest], bool]


class Bodies:
    """is_known: whether a request comes from somebody who is signed in. It is asked for large ones only."""

    def __init__(self, is_known: IsKnown) -> None:
        self._is_known, self._held = is_known, 0

    async def receive(self, scope: Any, receive: Any, file: IO[bytes], until: ExitStack) -> None:
        """Write the body to the file. Its room is given back when `until` closes. Raises TooLarge, Busy and
        RequestAborted: who says how much is coming is refused before it comes."""
        size, more = 0, True
        claimed = _claimed(scope)
        limit = await self._larger(scope, claimed, until) if claimed > SMALL.size else SMALL.size
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestAborted
            piece, more = message.get("body", b""), message.get("more_body", False)
            size += len(piece)
            if size > limit:
                limit = await self._larger(scope, size, until)
            await _write(file, piece)

    async def _larger(self, scope: Any, size: int, until: ExitStack) -> int:
        """The limit of this address for this person, if so many bytes are within it."""
        limit, known = cast(tuple[int, bool], await database_sync_to_async(self._ask)(scope))
        if size > limit:
            raise TooLarge(f"The body is too large: {in_words(limit)} are taken here.")
        if not known:
            few = f"Without a sign-in a body may have {in_words(SMALL.size)}."
            raise TooLarge(few, remedy="Sign in, or call with a valid token.")
        until.enter_context(self._room(_claimed(scope) or limit))
        return limit

    def _ask(self, scope: Any) -> tuple[int, bool]:
        request = ASGIRequest(scope, BytesIO())
        try:
            limit = bounds_of(resolve(request.path_info).func).size
        except Resolver404:
            limit = SMALL.size
        return limit, limit > SMALL.size and self._is_known(request)

    @contextmanager
    def _room(self, size: int) -> Iterator[None]:
        if self._held + size > MOST_HELD:
            raise Busy("Too many large files are on their way.", wait=WAIT)
        self._held += size
        try:
            yield
        finally:
            self._held -= size


def _claimed(scope: Any) -> int:
    """What a client says it sends, or 0. It is not believed: the server refuses what is none, and we count."""
    text = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(text[:DIGITS]) if text.isdigit() else 0


async def _write(file: IO[bytes], piece: bytes) -> None:
    try:
        if getattr(file, "_rolled", False):
            await sync_to_async(file.write, thread_sensitive=False)(piece)
        else:
            file.write(piece)
    except OSError as error:
        log.error("a body cannot be kept in %s: %s", settings.FILE_UPLOAD_TEMP_DIR or "the temporary folder", error)
        raise Busy("There is no room for this file.", wait=WAIT) from error
