"""import(export(x)) = x: scores that leave by one file and come back by it are the same scores."""

from __future__ import annotations

import io
from math import inf, nextafter

import pytest

from evaluation.importing.limits import Limits
from evaluation.importing.tables import read_csv, read_jsonl, read_parquet
from webapp.accounts import services as accounts
from webapp.imports.tests.files import load
from webapp.jobs.models import Run
from webapp.results.models import Score

READERS = {"csv": read_csv, "jsonl": read_jsonl, "parquet": read_parquet}
OWN = {"run"}  # what names the row in one database, and not in another


def exported(client, kind, query):
    answer = client.get(f"/api/v1/exports/scores.{kind}?{query}")
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def rows(data, kind):
    found = [row for _, row in READERS[kind](io.BytesIO(data), file="f", limits=Limits())]
    return sorted(tuple((n, v) for n, v in row._asdict().items() if n not in OWN) for row in found)


@pytest.mark.parametrize("kind", READERS)
def test_what_comes_back_is_what_left(client, filled, bob, kind):
    Score.objects.filter(run=Run.objects.order_by("pk").first(), index=0).update(
        score=nextafter(0.1, 1), answer='a "b",\r\nc', output="=1\n☃", choice=0, log_likelihoods=[-inf, -1.25],
        tokens_in=0, tokens_out=None, seconds=1e-300, cost_usd=0.1 + 0.2,
    )  # fmt: skip
    client.force_login(bob)
    data = exported(client, kind, "leaderboard=lab/main")
    other = accounts.create_team(actor=bob, name="other", title="Other")

    made = load(bob, other, data, f"scores.{kind}")

    assert made.state == "done", made.reason
    again = exported(client, kind, "runs=" + ",".join(str(run.pk) for run in Run.objects.filter(team=other)))
    assert rows(again, kind) == rows(data, kind)
    assert set(Run.objects.filter(team=other).values_list("origin", flat=True)) == {"imported"}
