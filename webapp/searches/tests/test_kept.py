"""Each look at a search reads the scores of runs that are new, and knows what reading everything would tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from webapp.results.models import PackedScores
from webapp.searches import advancing, kept, scores
from webapp.searches.kept import Kept
from webapp.searches.models import Search

TABLE = PackedScores._meta.db_table


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kept]:
    """A process that remembers nothing."""

    def forget(most: int = kept.MOST_BYTES) -> Kept:
        memory = Kept(most)
        monkeypatch.setattr(scores, "KEPT", memory)
        return memory

    return forget


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The runs whose scores each reading asked for."""
    seen: list[list[int]] = []
    read = kept._read
    monkeypatch.setattr(kept, "_read", lambda runs: seen.append(list(runs)) or read(runs))
    return seen


def test_a_run_is_read_once_in_a_search(fresh: Any, asked: list[list[int]], ask: Any, drive: Any) -> None:
    fresh()
    search = drive(ask(batch=8))
    runs = sorted(search.job.runs.values_list("pk", flat=True))
    assert search.state == Search.State.DONE
    assert len(runs) > 20
    assert sorted(pk for read in asked for pk in read) == runs


def test_what_is_remembered_decides_as_what_is_read(fresh: Any, ask: Any, answer: Any, truth: Any) -> None:
    fresh()
    search: Search = ask()
    told = []
    while not search.is_over:
        advancing.advance(job_id=search.job_id)
        while answer():
            pass
        search.refresh_from_db()
        told.append(search.found)
    remembered = scores.known_scores(search, scores.contenders_of(search), scores.versions_of(search))
    fresh()
    read = scores.known_scores(search, scores.contenders_of(search), scores.versions_of(search))
    np.testing.assert_array_equal(remembered, read)
    for row, one in zip(read, scores.contenders_of(search), strict=True):
        known = ~np.isnan(row)
        np.testing.assert_array_equal(row[known], truth[one.pk][known])


def test_a_second_look_reads_no_scores(fresh: Any, ask: Any, drive: Any) -> None:
    fresh()
    search = drive(ask(budget=60))
    contenders, versions = scores.contenders_of(search), scores.versions_of(search)
    scores.known_scores(search, contenders, versions)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        scores.known_scores(search, contenders, versions)
    assert not [query for query in seen.captured_queries if TABLE in query["sql"]]


def test_what_was_used_last_stays_where_room_is_short(fresh: Any, asked: list[list[int]], ask: Any, drive: Any) -> None:
    memory = fresh()
    drive(ask(budget=60))
    asked.clear()
    runs = list(memory._runs)
    small = Kept(sum(memory._runs[pk].bytes for pk in runs[:2]))
    for pk in (*runs[:3], runs[2], runs[0]):
        assert list(small.scores([pk])) == [pk]
    assert asked == [[runs[0]], [runs[1]], [runs[2]], [runs[0]]]
