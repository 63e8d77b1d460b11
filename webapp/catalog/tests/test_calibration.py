"""Calibration sets: bounded, never the questions of a test, immutable; on pages and by REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.test import Client
from rest_framework.test import APIClient

from evaluation.records import Calibration
from webapp.accounts.models import Team, User
from webapp.catalog import calibration
from webapp.catalog.calibration import create_calibration_set, texts_of
from webapp.catalog.models import BenchmarkVersion, CalibrationSet, Sample, Suite
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.tests import factories


def test_equal_texts_are_kept_once_and_the_hash_is_the_engines(bob: User, team: Team) -> None:
    made = create_calibration_set(actor=bob, team=team, name="set", texts=["b", "a", "b", "  "])
    assert (made.texts, made.size) == (["b", "a"], 2)
    assert made.content_hash == Calibration("another name", ("b", "a")).hash


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        ([b'{"text": "one\\nmore"}\n', b"\n", b'{"text": "two"}'], ["one\nmore", "two"]),
        ([b"one\r\n", b"  two\n", b"\n"], ["one", "  two"]),
    ],
)
def test_an_upload_is_json_lines_or_plain_lines(lines: list[bytes], texts: list[str]) -> None:
    assert texts_of(lines) == texts


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([b'{"text": "one"}', b'{"words": "two"}'], "Line 2 has no text."),
        ([b'{"text": "one"}', b"{"], "Line 2: invalid JSON"),
        ([b"\xff\xfe"], "not UTF-8"),
    ],
)
def test_a_bad_line_is_named(lines: list[bytes], said: str) -> None:
    with pytest.raises(Unprocessable, match=said) as refused:
        texts_of(lines)
    assert refused.value.field == "texts"


@pytest.mark.parametrize(
    ("texts", "said"),
    [([" "], "no text"), (["a", "b", "c"], "at most 2 texts"), (["x" * 30], "20"), (["\0"], "U.0000")],
)
def test_bounds(bob: User, team: Team, monkeypatch: pytest.MonkeyPatch, texts: list[str], said: str) -> None:
    monkeypatch.setattr(calibration, "MAX_TEXTS", 2)
    monkeypatch.setattr(calibration, "MAX_CHARACTERS", 20)
    with pytest.raises(Unprocessable, match=said):
        create_calibration_set(actor=bob, team=team, name="set", texts=texts)


def test_a_question_of_the_suite_is_refused_by_name(
    bob: User, team: Team, suite: Suite, benchmark: BenchmarkVersion
) -> None:
    asked = Sample.objects.get(version=benchmark, index=2).prompt
    with pytest.raises(Unprocessable, match="sample 2 of sums") as refused:
        create_calibration_set(actor=bob, team=team, name="set", texts=["fine", f" {asked}\n"], suite=suite)
    assert refused.value.field == "texts"
    assert create_calibration_set(actor=bob, team=team, name="set", texts=["fine"], suite=suite).suite == suite


def test_names_are_once_in_a_team_and_only_submitters_make_one(bob: User, vera: User, team: Team) -> None:
    factories.calibration_set(bob, team)
    with pytest.raises(Conflict, match="a calibration set of this name"):
        factories.calibration_set(bob, team)
    with pytest.raises(NotAllowed):
        factories.calibration_set(vera, team, "other")


@pytest.mark.parametrize("change", [{"texts": ["else"]}, {"content_hash": "0" * 64}, {"name": "other"}, {"size": 1}])
def test_the_database_refuses_to_change_a_set(bob: User, team: Team, change: dict[str, Any]) -> None:
    made = factories.calibration_set(bob, team)
    with pytest.raises(DatabaseError), transaction.atomic():
        CalibrationSet.objects.filter(pk=made.pk).update(**change)


def test_a_suite_may_go_from_under_it(bob: User, team: Team, suite: Suite) -> None:
    made = factories.calibration_set(bob, team, suite=suite)
    suite.delete()
    made.refresh_from_db()
    assert made.suite is None


def test_uploading_on_the_page(client: Client, bob: User, team: Team) -> None:
    client.force_login(bob)
    form = {"name": "mine", "team": team.pk, "visibility": "team", "title": "My texts"}
    answer = client.post("/calibration-sets/new/", {**form, "texts": SimpleUploadedFile("t.txt", b"one\ntwo\n")})
    assert (answer.status_code, answer["Location"]) == (302, "/calibration-sets/")
    page = client.get("/calibration-sets/?q=mi").content.decode()
    assert "mine is there, with 2 texts." in page
    assert "My texts" in page
    refused = client.post("/calibration-sets/new/", {**form, "texts": SimpleUploadedFile("t.txt", b"\xff")})
    assert refused.status_code == 422
    assert "not UTF-8" in refused.content.decode()


def test_by_rest(api: Callable[[User | None], APIClient], bob: User, charlie: User, team: Team, suite: Suite) -> None:
    body = {"team": "lab", "name": "mine", "texts": [" one ", "two"], "suite": "lab/basics"}
    made = api(bob).post("/api/v1/calibration-sets/", body, format="json")
    assert made.status_code == 201, made.json()
    listed = api(bob).get("/api/v1/calibration-sets/").json()["results"]
    assert [(one["name"], one["suite"], one["size"]) for one in listed] == [("mine", "basics", 2)]
    assert "texts" not in listed[0]
    address = f"/api/v1/calibration-sets/{made.json()['id']}/"
    assert api(bob).get(address).json()["texts"] == [" one ", "two"]
    assert api(charlie).get(address).status_code == 404
