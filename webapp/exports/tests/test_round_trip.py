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
from webapp.leaderboards import selectors
from webapp.leaderboards.viewing import View
from webapp.results.models import Score
from webapp.tests import factories

WHOLE = "leaderboard=lab/main"
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
    data = exported(client, kind, WHOLE)
    other = accounts.create_team(actor=bob, name="other", title="Other")

    made = load(bob, other, data, f"scores.{kind}")

    assert made.state == "done", made.reason
    again = exported(client, kind, "runs=" + ",".join(str(run.pk) for run in Run.objects.filter(team=other)))
    assert rows(again, kind) == rows(data, kind)
    assert set(Run.objects.filter(team=other).values_list("origin", flat=True)) == {"imported"}


def names(board):
    return set(factories.refresh(board).standings.values_list("contender__name", flat=True))


@pytest.mark.parametrize("kind", READERS)
def test_a_copy_says_whose_it_is_and_stays_off_the_board_of_its_original(client, filled, bob, team, kind):
    client.force_login(bob)
    here = list(Run.objects.order_by("pk"))
    made = load(bob, team, exported(client, kind, WHOLE), f"scores.{kind}")

    assert made.reason.endswith(" rows. 4 have the scores of a run that was made here."), made.reason
    copies = {run.provenance["same_as"]: run for run in made.runs.all()}
    assert {pk: run.version_id for pk, run in copies.items()} == {run.pk: run.version_id for run in here}
    assert names(filled) == {"small@fp32", "large@fp32"}
    page = client.get(f"/imports/{made.pk}/").content.decode()
    assert f'same scores as <a href="/runs/{here[0].pk}/">run {here[0].pk}</a>, made here' in page
    page = client.get(f"/runs/{copies[here[0].pk].pk}/").content.decode()
    assert f'same scores as <a href="/runs/{here[0].pk}/">run {here[0].pk}</a>' in page

    Run.objects.filter(pk__in=[run.pk for run in here if run.contender.name == "small@fp32"]).delete()
    assert names(filled) == {"small-imported@fp32", "large@fp32"}, "without its original a copy is all there is"
    board = selectors.board(filled, View())
    assert {row.name: [badge.key for badge in board.badges(row)] for row in board.rows} == {
        "small-imported@fp32": ["imported"], "large@fp32": [],
    }  # fmt: skip


def test_equal_scores_of_others_are_no_copy(client, filled, bob, team):
    client.force_login(bob)
    data = exported(client, "csv", WHOLE)

    renamed = load(bob, team, data.replace(b"small", b"tiny"), "renamed.csv")
    changed = load(bob, team, data.replace(b",1.0,", b",0.5,", 1), "changed.csv")

    assert [run.provenance.get("same_as") for run in renamed.runs.all() if run.contender.name == "tiny@fp32"] == [
        None
    ] * 2
    assert sum("same_as" in run.provenance for run in changed.runs.all()) == 3
    assert names(filled) >= {"small@fp32", "large@fp32", "tiny@fp32", "large-imported@fp32"}


def test_what_somebody_keeps_private_is_not_told_of(client, filled, bob, team):
    client.force_login(bob)
    data = exported(client, "csv", WHOLE)
    Run.objects.update(visibility="private")

    made = load(bob, team, data)

    assert not [run for run in made.runs.all() if "same_as" in run.provenance]
