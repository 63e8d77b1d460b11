"""Small requests that would become large ones: packed, nested, of many parts, or numbers that take long to read."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from webapp.accounts.models import Team, User
from webapp.bounds import NESTING, SMALL, UPLOAD, BadJSON, Bounds, loads

Api = Callable[[User | None], APIClient]
PACKED = gzip.compress(b'{"name": "' + b"a" * 50_000_000 + b'"}')
MIB = 2**20
BODIES: dict[str, tuple[bytes, int]] = {
    "packed": (PACKED, 400),
    "nested lists": (b"[" * MIB, 400),
    "nested objects": (b'{"a":' * 400_000, 400),
    "small objects": (b'{"name":[' + b"{}," * 600_000 + b"{}]}", 400),
    "objects of one field": (b'{"name":[' + b'{"a":1},' * 200_000 + b"{}]}", 400),
    "short texts": (b'{"name":[' + b'"ab",' * 400_000 + b"{}]}", 400),
    "a text without an end": (b'{"name":[[' + b'"' + rb"\"" * 900_000, 400),
    "a number of a million digits": (b'{"name": ' + b"9" * MIB + b"}", 400),
    "a number beyond all bounds": (b'{"name": 1e999999}', 400),
    "large": (b'{"name":[' + b"{}," * 8_000_000 + b"{}]}", 413),
}
LARGE_BODIES: dict[str, tuple[bytes, int]] = {
    "small objects": (b'{"documents":[' + b"{}," * 8_000_000 + b"{}]}", 400),
    "objects of one field": (b'{"documents":[' + b'{"a":1},' * 3_000_000 + b"{}]}", 400),
    "fields": (b'{"documents":[{' + b'"":1,' * 5_000_000 + b'"":1}]}', 400),
    "large": (b" " * 33 * MIB, 413),
}
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
TEXTS = {
    "deep": (DEEP.decode(), "nested deeper than 64 levels"),
    "no number": ('{"max_tokens": NaN}', "NaN is not JSON"),
    "infinite": ('{"max_tokens": 1e999999}', "a number is too large"),
    "digits": ('{"max_tokens": ' + "9" * 5000 + "}", "integer string conversion"),
    "no JSON": ("{", "Expecting property name"),
    "a list": ("[1]", "not a JSON object"),
}


def most_memory(client: APIClient, path: str, body: bytes, **headers: str) -> tuple[int, int]:
    """Status, and bytes that were in use at once."""
    client.get("/api/v1/me/")  # what is loaded once is loaded
    tracemalloc.start()
    answer: Any = client.generic("POST", path, body, content_type="application/json", **headers)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return answer.status_code, most


@pytest.mark.parametrize("kind", BODIES)
def test_a_bomb_is_refused_in_little_memory(api: Api, alice: User, kind: str) -> None:
    body, expected = BODIES[kind]
    headers = {"HTTP_CONTENT_ENCODING": "gzip"} if kind == "packed" else {}
    status, most = most_memory(api(alice), "/api/v1/teams/", body, **headers)
    assert status == expected
    assert most < 6 * len(body) + 20_000_000


@pytest.mark.parametrize("kind", LARGE_BODIES)
def test_so_it_is_where_documents_are_brought(api: Api, alice: User, kind: str) -> None:
    body, expected = LARGE_BODIES[kind]
    status, most = most_memory(api(alice), "/api/v1/benchmarks/", body)
    assert status == expected
    assert most < 6 * len(body) + 20_000_000


@pytest.mark.parametrize("bounds", [SMALL, UPLOAD])
def test_what_is_let_through_takes_little(bounds: Bounds) -> None:
    """Objects take most for their text, then short texts."""
    objects = bounds.containers - 2
    text = "[[" + '{"a":1},' * objects + "0]" + ',"ab"' * (bounds.values - 2 * objects - 1) + "]"
    tracemalloc.start()
    assert loads(text, bounds)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 * bounds.values
    with pytest.raises(BadJSON, match="values"):
        loads(text[:-1] + ',"ab"]', bounds)


def test_brackets_and_commas_in_texts_do_not_count() -> None:
    grid = "[1, 2], {" * 100_000 + r"\""
    assert loads('[{"grid": "' + grid + '"}]') == [{"grid": grid.replace("\\", "")}]


def test_as_deep_as_it_may_be() -> None:
    deepest = "[" * NESTING + "]" * NESTING
    assert loads(deepest) is not None
    with pytest.raises(BadJSON, match="deeper"):
        loads(f"[{deepest}]")


@pytest.mark.parametrize("kind", TEXTS)
def test_json_in_a_field_names_it(api: Api, alice: User, team: Team, kind: str) -> None:
    text, words = TEXTS[kind]
    data = {"team": team.name, "name": "sums", "definition": text, "file": SimpleUploadedFile("a.jsonl", b"{}")}
    answer: Any = api(alice).post("/api/v1/benchmarks/", data, format="multipart")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["definition"])
    assert words in answer.json()["errors"]["definition"][0]


@pytest.mark.parametrize(("path", "field"), [("/jobs/new/", "bits"), ("/benchmarks/new/", "more")])
@pytest.mark.parametrize("kind", TEXTS)
def test_json_in_a_form_names_it(client: Client, alice: User, team: Team, path: str, field: str, kind: str) -> None:
    text, words = TEXTS[kind]
    client.force_login(alice)
    answer = client.post(path, {field: text})
    assert answer.status_code == 422
    assert words in answer.context["form"].errors[field][0]
    assert answer.context["form"][field].value() == text


def test_fields_of_a_form_are_bounded(api: Api, alice: User, team: Team) -> None:
    data = {"team": team.name, "name": "sums", "definition": " " * 3 * MIB}
    answer: Any = api(alice).post("/api/v1/benchmarks/", data, format="multipart")
    assert (answer.status_code, answer.json()["remedy"]) == (413, "Send a file.")
