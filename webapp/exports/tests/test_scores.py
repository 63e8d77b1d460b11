"""Raw scores come out whole, in three kinds of file that hold the same rows, and only for those who may read them."""

from __future__ import annotations

import io
from math import inf, nextafter

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from evaluation.importing.limits import Limits
from evaluation.importing.tables import read_csv, read_jsonl, read_parquet
from webapp.catalog.models import Sample
from webapp.errors import Conflict
from webapp.exports import scores, selectors
from webapp.jobs.models import Run
from webapp.removals import work
from webapp.removals.services import remove_entry
from webapp.results.models import Score

READERS = {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet}


def fetch(client, kind, query):
    answer = client.get(f"/api/v1/exports/scores.{kind}?{query}")
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def rows_of(data, kind):
    return [row for _, row in READERS[kind](io.BytesIO(data), file=f"f.{kind}", limits=Limits())]


@pytest.fixture
def odd(filled):
    """Values that a careless writer would lose."""
    run = Run.objects.order_by("pk").first()
    first = Score.objects.filter(run=run, index=0)
    first.update(
        score=nextafter(0.1, 1), answer='a "quoted", text\r\nwith lines', output="=1+1\n\u2028 ☃", choice=0,
        log_likelihoods=[-inf, -1.25], tokens_in=0, tokens_out=None, seconds=1e-300, cost_usd=0.1 + 0.2,
    )  # fmt: skip
    return run


@pytest.mark.parametrize("kind", READERS)
def test_every_value_comes_back_to_its_last_bit(reader, odd, kind):
    rows = rows_of(fetch(reader, kind, f"runs={odd.pk}"), kind)

    assert [row.sample for row in rows] == [0, 1, 2, 3]
    stored = Score.objects.get(run=odd, index=0)
    for name in scores.VALUES:
        value = getattr(stored, name)
        assert getattr(rows[0], name) == (tuple(value) if name == "log_likelihoods" else value), name
    asked = Sample.objects.get(version=odd.version, index=0)
    assert (rows[0].prompt, rows[0].target, rows[0].choices) == (asked.prompt, asked.target, tuple(asked.choices))
    assert rows[0].document_hash == asked.document_hash


def test_three_kinds_of_file_hold_the_same_rows(reader, odd):
    found = [rows_of(fetch(reader, kind, "leaderboard=lab/main"), kind) for kind in READERS]

    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 16


def test_a_question_is_told_once_everywhere_or_nowhere(reader, filled):
    told = {
        asked: sum(bool(row.prompt) for row in rows_of(fetch(reader, "csv", f"leaderboard=lab/main&{asked}"), "csv"))
        for asked in ("questions=once", "questions=every", "questions=none", "")
    }

    assert told == {"questions=once": 8, "questions=every": 16, "questions=none": 0, "": 8}


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_partial_run_before_a_whole_one_costs_no_question(filled, monkeypatch, size):
    monkeypatch.setattr(scores, "PAGE", size)
    runs = list(
        Run.objects.select_related("contender__version__entry", "version__benchmark").order_by("version_id", "pk")
    )
    part, whole = runs[:2]
    assert part.version_id == whole.version_id
    Score.objects.filter(run=part).exclude(index=2).delete()
    part.done = 1

    rows = [row for page in scores.pages([part, whole]) for row in page]

    assert [(row.run, row.sample) for row in rows if row.prompt] == [
        (str(part.pk), 2), (str(whole.pk), 0), (str(whole.pk), 1), (str(whole.pk), 3),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_pages_lose_and_double_nothing(filled, monkeypatch, size):
    monkeypatch.setattr(scores, "PAGE", size)
    runs = list(Run.objects.select_related("contender__version__entry", "version__benchmark").order_by("pk"))
    Score.objects.bulk_create([Score(run=runs[0], index=1, attempt=n, score=0.5, answer="", output="") for n in (1, 2)])

    found = [row for page in scores.pages(runs) for row in page]

    assert len(found) == 18
    assert [(row.sample, row.attempt) for row in found[:6]] == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0)]


def test_a_view_narrows_what_comes_out(reader, filled):
    rows = rows_of(fetch(reader, "jsonl", "leaderboard=lab/main&q=small&cols=sums"), "jsonl")

    assert {(row.entry, row.benchmark) for row in rows} == {("small", "sums")}


@pytest.mark.parametrize("source", ["job", "report", "runs", "leaderboard"])
def test_each_source_gives_the_scores_of_its_runs(reader, filled, job, bob, source):
    from webapp.tests import factories  # the report is computed where the world is made

    runs = list(Run.objects.values_list("pk", flat=True))
    named = {
        "job": job.pk, "report": factories.report(bob, filled, "multiplicity", epsilon=0.5).pk,
        "runs": ",".join(map(str, runs)), "leaderboard": "lab/main",
    }  # fmt: skip

    assert len(rows_of(fetch(reader, "csv", f"{source}={named[source]}"), "csv")) == 16


def test_strangers_get_nothing_and_learn_nothing(client, charlie, filled, job):
    client.force_login(charlie)
    run = Run.objects.first().pk

    for query in (f"runs={run}", f"job={job.pk}", "leaderboard=lab/main", "runs=999999"):
        assert client.get(f"/api/v1/exports/scores.csv?{query}").status_code == 404, query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "runs"),
        ("job=1&runs=1", "runs"),
        ("runs=x", "runs"),
        ("job=-1", "job"),
        ("job=1&questions=all", "questions"),
    ],
)
def test_what_is_wrong_is_named(reader, filled, query, field):
    answer = reader.get(f"/api/v1/exports/scores.csv?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_more_runs_than_one_file_takes_are_refused_and_never_cut_off(reader, filled, monkeypatch):
    monkeypatch.setattr(selectors, "MOST_RUNS", 3)

    answer = reader.get("/api/v1/exports/scores.csv?leaderboard=lab/main")

    assert answer.status_code == 400
    assert "more than 3 runs" in answer.json()["errors"]["leaderboard"][0]


def test_a_file_breaks_off_where_its_runs_are_deleted(reader, filled, alice, monkeypatch):
    monkeypatch.setattr(scores, "PAGE", 2)
    run = Run.objects.order_by("pk").first()
    pieces = reader.get(f"/api/v1/exports/scores.csv?runs={run.pk}").streaming_content
    header, two = next(pieces), next(pieces)
    assert len(rows_of(header + two, "csv")) == 2
    entry = run.contender.version.entry
    removal = remove_entry(actor=alice, entry=entry, name=entry.name)
    while not work.work_on(removal_id=removal.pk):
        pass

    with pytest.raises(Conflict, match="was deleted while it was read"):
        list(pieces)


@pytest.mark.django_db(transaction=True)
def test_under_asgi_it_streams_from_a_thread(filled, vera):
    client = AsyncClient()
    client.force_login(vera)

    async def fetched():
        answer = await client.get("/api/v1/exports/scores.csv?leaderboard=lab/main")
        return [piece async for piece in answer.streaming_content]

    pieces = async_to_sync(fetched)()

    assert len(pieces) == 5, "the header, and a piece for each run"
    assert len(rows_of(b"".join(pieces), "csv")) == 16
