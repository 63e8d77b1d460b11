"""The search of a board: what each term finds, what is refused in words, and that a pattern keeps a deadline."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from webapp.catalog.models import Contender
from webapp.leaderboards import selectors
from webapp.leaderboards.patterns import BadPattern, contenders_like
from webapp.leaderboards.viewing import View
from webapp.tests import factories


@pytest.fixture
def filled(job, board):
    """small: 75 and 100 per cent; large: one failed so far, one running, both without a result."""
    factories.finish([True, True, True, False])
    factories.finish([True] * 4)
    factories.score(factories.claim(), [False, True])
    return factories.refresh(board)


def found(board, search):
    return {row.name.partition("@")[0] for row in selectors.board(board, View(search=search)).rows}


def errors(board, search):
    return [term.error for term in selectors.board(board, View(search=search)).terms if term.error]


BOTH = {"small", "large"}


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("", BOTH),
        ("SMALL", {"small"}),
        ('"small one"', {"small"}),
        ("-small", {"large"}),
        ("@tag:tiny", {"small"}),
        ("-@tag:tiny", {"large"}),
        ("@tag:tin", set()),
        ("@team:lab", BOTH),
        ("@scheme:fp32 @family:reference", BOTH),
        ("@scheme:int8", set()),
        ("@entry:large", {"large"}),
        ("@state:running", {"large"}),
        ("@score:>87", {"small"}),
        ("@score:>88", set()),
        ("@sums:70..80", {"small"}),
        ("@sums:=75", {"small"}),
        ("@written:>=100%", {"small"}),
        ("@rank:<=1", {"small"}),
        ("-@rank:1", {"large"}),
        ("@parameters:<1k", BOTH),
        ("/^(small|tiny)@/", {"small"}),
        ("/ONE$/", {"small"}),
        ("-/^small/", {"large"}),
        ("small @tag:none", set()),
    ],
)
def test_a_term_finds(filled, search, expected):
    if search == "@parameters:<1k":
        expected = {row.name.partition("@")[0] for row in selectors.board(filled, View()).rows
                    if row.standing.parameters is not None}  # fmt: skip
    assert found(filled, search) == expected
    assert errors(filled, search) == []


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("/(small/", "Parentheses () not balanced."),
        ("/[a/", "Brackets [] not balanced."),
        ("/small", "stands between two slashes"),
        ("@tag:", "A field has a value"),
        ("@nope:1", "no such field"),
        ("@score:much", "A number is compared as in"),
        (f"/{'a' * 81}/", "longer than 80"),
    ],
)
def test_a_term_that_cannot_be_used_says_why_and_filters_nothing(filled, search, said):
    (error,) = errors(filled, search)
    assert said in error
    assert found(filled, search) == BOTH


def test_a_pattern_that_explodes_elsewhere_is_quick(filled):
    """Exponential in Python's re, which would take longer than anybody lives."""
    Contender.objects.update(name="a" * 130 + "b")
    began = time.monotonic()
    assert contenders_like(r"^(a+)+$", filled.pk) == set()
    assert time.monotonic() - began < 1


def test_a_pattern_that_takes_too_long_is_stopped(filled):
    Contender.objects.update(name="a" * 129)  # odd: no way to write it as twice the same
    began = time.monotonic()
    with pytest.raises(BadPattern, match="takes too long"):
        contenders_like(r"^(a*)(a*)(a*)(a*)(a*)\1\2\3\4\5$", filled.pk)
    assert time.monotonic() - began < 3
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",), "the deadline ends with the pattern"


def test_rest_refuses_a_search_that_it_cannot_read(api, vera, filled):
    answer = api(vera).get("/api/v1/leaderboards/lab/main/", {"q": "/(small/"})
    assert answer.status_code == 422
    assert "not balanced" in answer.json()["detail"] + str(answer.json().get("errors"))
