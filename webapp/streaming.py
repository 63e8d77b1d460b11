"""Files that are too large to hold: made, compressed and sent a piece at a time, under WSGI and ASGI alike."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.cache import patch_vary_headers

GZIP = 16 + zlib.MAX_WBITS
ACCEPTS_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


def download(
    request: HttpRequest, pieces: Iterable[bytes], *, name: str, content_type: str, packed: bool = False
) -> StreamingHttpResponse:
    """An attachment called `name`. packed: the file is compressed as it is.

    The first piece is made before the answer begins, so that what goes wrong at once is still an error. Django's own
    compression makes a gzip member of each piece of an asynchronous stream, and clients read only the first one.
    """
    rest = iter(pieces)
    whole: Iterator[bytes] = chain([next(rest, b"")], rest)
    compress = not packed and bool(ACCEPTS_GZIP.search(request.headers.get("Accept-Encoding", "")))
    if compress:
        whole = compressed(whole)
    body: Any = in_thread(whole) if isinstance(request, ASGIRequest) else whole
    response = StreamingHttpResponse(body, content_type=content_type)
    # A file that is sent as it is says so: the middleware compresses whatever names no encoding.
    response.headers["Content-Encoding"] = "gzip" if compress else "identity"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """One gzip member, whatever the number of pieces."""
    packer = zlib.compressobj(wbits=GZIP)
    for piece in pieces:
        if made := packer.compress(piece):
            yield made
    yield packer.flush()


async def in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Under ASGI the database is asked in the request's own thread, a piece at a time. Between two of them the
    connection is back in the pool: a few who read slowly would keep them all."""

    def following() -> bytes | None:
        try:
            return next(pieces, None)
        finally:
            close_old_connections()

    while (piece := await sync_to_async(following)()) is not None:
        yield piece
