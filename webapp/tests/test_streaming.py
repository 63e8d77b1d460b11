"""Downloads arrive whole, however they are made, compressed and sent."""

from __future__ import annotations

import gzip
import zlib

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.test import AsyncRequestFactory, RequestFactory

from webapp.streaming import download

pytestmark = pytest.mark.django_db
PIECES = [b"name,score\n", b"", *(f"{n},{n / 7}\n".encode() for n in range(2000))]
WHOLE = b"".join(PIECES)


def answer(factory, accepts="", **more):
    request = factory().get("/", headers={"accept-encoding": accepts} if accepts else {})
    made = download(request, PIECES, name="a.csv", content_type="text/csv", **more)
    return GZipMiddleware(lambda request: made)(request)


def body(response: HttpResponse) -> bytes:
    if not response.is_async:
        return b"".join(response.streaming_content)

    async def read():
        return b"".join([piece async for piece in response.streaming_content])

    return async_to_sync(read)()


@pytest.mark.parametrize("factory", [RequestFactory, AsyncRequestFactory])
def test_compressed_it_is_one_member_that_any_client_reads(factory):
    response = answer(factory, "gzip, deflate, br")
    data = body(response)

    first = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert response.headers["Content-Encoding"] == "gzip"
    assert first.decompress(data) == WHOLE
    assert first.unused_data == b""
    assert len(data) < len(WHOLE) / 2


@pytest.mark.parametrize("factory", [RequestFactory, AsyncRequestFactory])
@pytest.mark.parametrize("accepts", ["", "br", "gzip;q=0"])
def test_who_does_not_read_gzip_gets_none(factory, accepts):
    assert body(answer(factory, accepts)) == WHOLE


def test_what_is_packed_already_is_sent_as_it_is():
    response = answer(AsyncRequestFactory, "gzip", packed=True)

    assert body(response) == WHOLE
    assert response.headers["Content-Encoding"] == "identity"


def test_an_error_before_the_first_byte_is_an_error():
    def broken():
        raise ValueError
        yield b""

    with pytest.raises(ValueError):
        download(RequestFactory().get("/"), broken(), name="a", content_type="text/csv")


def test_gzip_made_here_is_gzip():
    assert gzip.decompress(body(answer(RequestFactory, "gzip"))) == WHOLE
