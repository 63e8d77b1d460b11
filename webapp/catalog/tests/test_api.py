"""REST of entries, benchmarks, suites and schemes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from evaluation.schemes import SCHEMES
from webapp.accounts.models import AuditEvent, Team, User
from webapp.catalog.models import Benchmark, BenchmarkVersion, EntryVersion, ModelEntry, Sample, Suite
from webapp.catalog.sealing import unseal
from webapp.tests import factories

Api = Callable[..., APIClient]
DEFINITION = {"kind": "multiple_choice", "prompt": "Q: {{ question }}\nA:"}
DOCUMENT = {"question": "1+1", "choices": ["2", "3"], "gold": 0}


def entry_body(folder: Path, **more: Any) -> dict[str, Any]:
    return {"team": "lab", "name": "tiny", "source": "directory", "location": str(folder), **more}


def test_register_an_entry(api: Api, bob: User, tmp_path: Path) -> None:
    folder = factories.checkpoint(tmp_path / "tiny", width=3)
    answer = api(bob).post("/api/v1/entries/", entry_body(folder, tags=["small"], title="Tiny"))
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["team"], shown["name"], shown["tags"], shown["created_by"]) == ("lab", "tiny", ["small"], "bob")
    (version,) = shown["versions"]
    assert version["number"] == 1
    assert version["parameters"] == 3
    assert version["location"] == str(folder)
    assert len(version["weights_hash"]) == 64
    assert api(bob).get("/api/v1/entries/lab/tiny/").json() == shown


def test_a_viewer_registers_nothing(api: Api, vera: User, tmp_path: Path) -> None:
    answer = api(vera).post("/api/v1/entries/", entry_body(factories.checkpoint(tmp_path / "tiny")))
    assert answer.status_code == 403
    assert not ModelEntry.objects.exists()


def test_a_stranger_names_no_team_of_others(api: Api, team: Team, charlie: User, tmp_path: Path) -> None:
    answer = api(charlie).post("/api/v1/entries/", entry_body(factories.checkpoint(tmp_path / "tiny")))
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"team": ["You are in no team named lab."]}


def test_a_folder_outside_the_roots_is_refused(api: Api, bob: User, tmp_path: Path) -> None:
    answer = api(bob).post("/api/v1/entries/", entry_body(tmp_path / ".." / ".." / "etc"))
    assert answer.status_code == 422
    assert "outside the allowed roots" in answer.json()["errors"]["location"][0]
    assert not ModelEntry.objects.exists(), "the entry must not stay behind without a version"


def test_corrupt_weights_are_refused(api: Api, bob: User, tmp_path: Path) -> None:
    folder = factories.checkpoint(tmp_path / "broken")
    folder.joinpath("model.safetensors").write_bytes(b"\xff" * 40)
    answer = api(bob).post("/api/v1/entries/", entry_body(folder))
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["location"]


def test_an_unpinned_repository_is_refused(api: Api, bob: User) -> None:
    body = {"team": "lab", "name": "hub", "source": "hub", "location": "somebody/something", "revision": "main"}
    answer = api(bob).post("/api/v1/entries/", body)
    assert answer.status_code == 422
    assert "40-character commit" in answer.json()["remedy"]


def test_a_private_endpoint_is_refused(api: Api, bob: User) -> None:
    body = {"team": "lab", "name": "served", "source": "endpoint", "location": "http://127.0.0.1:9/v1"}
    answer = api(bob).post("/api/v1/entries/", {**body, "endpoint_model": "m"})
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["location"]


@pytest.fixture
def served(api: Api, bob: User, settings: Any) -> EntryVersion:
    """An endpoint with a key, of a team whose operator allows this network."""
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    body = {
        "team": "lab",
        "name": "served",
        "source": "endpoint",
        "location": "http://127.0.0.1:9/v1",
        "endpoint_model": "m",
        "api_key": "sk-very-secret",
        "visibility": "public",
    }
    answer = api(bob).post("/api/v1/entries/", body)
    assert answer.status_code == 201, answer.content
    assert "sk-very-secret" not in answer.content.decode()
    return EntryVersion.objects.get(entry__name="served")


def test_a_key_is_sealed_and_never_shown(api: Api, bob: User, served: EntryVersion) -> None:
    assert unseal(served.sealed_key) == "sk-very-secret"
    assert b"sk-very-secret" not in bytes(served.sealed_key)
    shown = api(bob).get("/api/v1/entries/lab/served/")
    assert shown.json()["versions"][0]["has_key"] is True
    assert "sk-very" not in shown.content.decode()
    assert not [event for event in AuditEvent.objects.all() if "sk-very" in json.dumps(event.after)]


def test_addresses_of_a_teams_machines_are_not_told_outside(api: Api, bob: User, served: EntryVersion) -> None:
    assert api(bob).get("/api/v1/entries/lab/served/").json()["versions"][0]["location"] == "http://127.0.0.1:9/v1"
    public = api().get("/api/v1/entries/lab/served/").json()["versions"][0]
    assert (public["location"], public["tokenizer"]) == ("", "")


def test_versions_are_added_and_equal_ones_refused(api: Api, bob: User, entry: EntryVersion, tmp_path: Path) -> None:
    url = "/api/v1/entries/lab/small/versions/"
    body = {"source": "directory", "location": str(factories.checkpoint(tmp_path / "next", width=5))}
    added = api(bob).post(url, body)
    assert added.status_code == 201
    assert added.json()["number"] == 2
    assert api(bob).post(url, body).status_code == 409


def test_entries_are_searched_and_paged(api: Api, bob: User, entry: EntryVersion, other_entry: EntryVersion) -> None:
    names = [row["name"] for row in api(bob).get("/api/v1/entries/?q=lar").json()["results"]]
    assert names == ["large"]
    first = api(bob).get("/api/v1/entries/?page_size=1").json()
    second = api(bob).get(first["next"]).json()
    assert [first["results"][0]["name"], second["results"][0]["name"]] == ["large", "small"]
    assert second["next"] is None


def test_lists_cost_the_same_queries_whatever_their_length(
    api: Api,
    bob: User,
    alice: User,
    team: Team,
    entry: EntryVersion,
    django_assert_max_num_queries: Any,
    tmp_path: Path,
) -> None:
    for i in range(5):
        factories.entry(alice, team, f"e{i}", factories.checkpoint(tmp_path / f"e{i}", width=10 + i))
    client = api(bob)
    with django_assert_max_num_queries(5):
        assert len(client.get("/api/v1/entries/").json()["results"]) == 6


def benchmark_body(**more: Any) -> dict[str, Any]:
    return {"team": "lab", "name": "sums", "definition": DEFINITION, "documents": [DOCUMENT, DOCUMENT], **more}


def test_create_a_benchmark_from_json(api: Api, bob: User) -> None:
    answer = api(bob).post("/api/v1/benchmarks/", benchmark_body())
    assert answer.status_code == 201, answer.content
    (version,) = answer.json()["versions"]
    assert (version["kind"], version["metric"], version["samples"], version["chance"]) == (
        "multiple_choice",
        "acc",
        2,
        0.5,
    )
    assert version["definition"]["prompt"] == DEFINITION["prompt"]
    assert Sample.objects.get(index=1).prompt == "Q: 1+1\nA:"


def test_create_a_benchmark_from_a_file_of_json_lines(api: Api, bob: User) -> None:
    lines = b"\n".join(json.dumps({**DOCUMENT, "question": f"{i}+1"}).encode() for i in range(3))
    body = {
        "team": "lab",
        "name": "sums",
        "definition": json.dumps(DEFINITION),
        "file": SimpleUploadedFile("sums.jsonl", lines),
    }
    answer = api(bob).post("/api/v1/benchmarks/", body, format="multipart")
    assert answer.status_code == 201, answer.content
    assert [s.document["question"] for s in Sample.objects.order_by("index")] == ["0+1", "1+1", "2+1"]


def test_a_file_beyond_the_limit_is_refused(api: Api, bob: User, settings: Any) -> None:
    settings.BENCHMARK_UPLOAD_BYTES = 10
    body = {
        "team": "lab",
        "name": "sums",
        "definition": json.dumps(DEFINITION),
        "file": SimpleUploadedFile("sums.jsonl", json.dumps(DOCUMENT).encode()),
    }
    answer = api(bob).post("/api/v1/benchmarks/", body, format="multipart")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["file"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"question": "1+1", "choices": ["2", "3"]}, "Line 2: The field `gold` is missing"),
        ({"question": "1+1", "choices": ["2", "3"], "gold": 2}, "no index of 2 choices"),
        ({"question": "1+1", "choices": ["2"], "gold": 0}, "2 to 256 are possible"),
        ({"question": "a\0b", "choices": ["2", "3"], "gold": 0}, "U+0000"),
        ({"question": "\ud800", "choices": ["2", "3"], "gold": 0}, "UTF-8"),
    ],
)
def test_a_bad_document_is_named_by_line(api: Api, bob: User, document: dict[str, Any], said: str) -> None:
    body = json.dumps(benchmark_body(documents=[DOCUMENT, document]))
    answer = api(bob).post("/api/v1/benchmarks/", body, content_type="application/json")
    assert answer.status_code == 422, answer.content
    assert said in answer.json()["detail"]
    assert not Benchmark.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "essay"},
        {"prompt": "{% import os %}"},
        {"prompt": "{{ question.__class__ }}"},
        {"prompt": "a\0b {{ question }}"},
        {"prompt": "\ud800 {{ question }}"},
        {"metric": "vibes"},
        {"examples": [{"question": "\0"}]},
        {"unknown": 1},
        {"max_tokens": 10**9},
    ],
)
def test_a_bad_definition_is_refused(api: Api, bob: User, change: dict[str, Any]) -> None:
    body = json.dumps(benchmark_body(definition={**DEFINITION, **change}))
    answer = api(bob).post("/api/v1/benchmarks/", body, content_type="application/json")
    assert answer.status_code in {400, 422}, answer.content
    assert not Benchmark.objects.exists()


def test_a_benchmark_of_the_harness_by_name(api: Api, bob: User) -> None:
    answer = api(bob).post("/api/v1/benchmarks/", {"team": "lab", "name": "arc", "harness_task": "arc_easy"})
    assert answer.status_code == 201
    assert answer.json()["versions"][0]["samples"] is None


def test_versions_of_a_benchmark(api: Api, bob: User, benchmark: BenchmarkVersion) -> None:
    url = "/api/v1/benchmarks/lab/sums/versions/"
    body = {"definition": DEFINITION, "documents": [DOCUMENT]}
    assert api(bob).post(url, body).json()["number"] == 2
    assert api(bob).post(url, body).status_code == 409
    assert [v["number"] for v in api(bob).get("/api/v1/benchmarks/lab/sums/").json()["versions"]] == [2, 1]


def test_samples_are_paged_in_order(api: Api, bob: User, benchmark: BenchmarkVersion) -> None:
    page = api(bob).get("/api/v1/benchmarks/lab/sums/versions/1/samples/?page_size=3").json()
    assert [row["index"] for row in page["results"]] == [0, 1, 2]
    rest = api(bob).get(page["next"]).json()["results"]
    assert [row["index"] for row in rest] == [3]
    assert rest[0]["prompt"] == "Q: 3+3\nA:"
    assert rest[0]["choices"] == ["6", "7"]
    assert api(bob).get("/api/v1/benchmarks/lab/sums/versions/9/samples/").status_code == 404


def test_a_suite_keeps_its_order(api: Api, bob: User, benchmark: BenchmarkVersion, written: BenchmarkVersion) -> None:
    body = {"team": "lab", "name": "both", "benchmarks": ["lab/written", "lab/sums:1"]}
    answer = api(bob).post("/api/v1/suites/", body)
    assert answer.status_code == 201, answer.content
    shown = api(bob).get("/api/v1/suites/lab/both/").json()
    assert [(item["position"], item["benchmark"]) for item in shown["benchmarks"]] == [(1, "written"), (2, "sums")]
    assert answer.json() == shown


@pytest.mark.parametrize(
    "benchmarks", [[], ["lab/none"], ["lab/sums:2"], ["sums"], ["lab/sums:x"], ["lab/sums", "lab/sums:1"]]
)
def test_a_suite_of_unknown_or_doubled_benchmarks_is_refused(
    api: Api, bob: User, benchmark: BenchmarkVersion, benchmarks: list[str]
) -> None:
    answer = api(bob).post("/api/v1/suites/", {"team": "lab", "name": "both", "benchmarks": benchmarks})
    assert answer.status_code in {400, 422}
    assert "benchmarks" in answer.json()["errors"]
    assert not Suite.objects.exists()


def test_a_private_benchmark_is_there_for_its_author_and_owners(
    api: Api, alice: User, bob: User, vera: User, charlie: User
) -> None:
    api(bob).post("/api/v1/benchmarks/", benchmark_body(visibility="private"))
    url = "/api/v1/benchmarks/lab/sums/"
    found = {user.username: api(user).get(url).status_code for user in (alice, bob, vera, charlie)}
    assert found == {"alice": 200, "bob": 200, "vera": 404, "charlie": 404}
    assert api().get(url).status_code == 404
    refused = api(vera).post("/api/v1/suites/", {"team": "lab", "name": "s", "benchmarks": ["lab/sums"]})
    assert "There is no benchmark lab/sums" in refused.json()["errors"]["benchmarks"]["0"][0]


def test_schemes_are_listed_for_everybody(api: Api, db: None) -> None:
    assert [row["key"] for row in api().get("/api/v1/schemes/").json()] == list(SCHEMES)
