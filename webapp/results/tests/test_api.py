"""REST of scored samples and analyses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from evaluation.analyses import ANALYSES
from webapp.accounts.models import User
from webapp.catalog.models import Benchmark
from webapp.jobs.models import Job, Run
from webapp.tests import factories

Api = Callable[..., APIClient]


@pytest.fixture
def run(job: Job) -> Run:
    return factories.finish([True, False, True, False])


def test_samples_stand_beside_their_questions(api: Api, vera: User, run: Run) -> None:
    rows = api(vera).get(f"/api/v1/runs/{run.pk}/samples/").json()["results"]
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert rows[1]["score"] == 0.0
    assert rows[1]["prompt"] == "Q: 1+1\nA:"
    assert rows[1]["choices"] == ["2", "3"]
    assert rows[1]["target"] == "2"
    assert rows[1]["log_likelihoods"] == [-3.0, -0.5]
    assert (rows[1]["tokens_in"], rows[1]["tokens_out"]) == (12, 1)


def test_samples_are_filtered_searched_and_paged(api: Api, vera: User, run: Run) -> None:
    client, url = api(vera), f"/api/v1/runs/{run.pk}/samples/"
    assert [row["index"] for row in client.get(f"{url}?outcome=wrong").json()["results"]] == [1, 3]
    assert [row["index"] for row in client.get(f"{url}?outcome=right").json()["results"]] == [0, 2]
    assert [row["index"] for row in client.get(f"{url}?q=2%2B2").json()["results"]] == [2]
    assert client.get(f"{url}?outcome=odd").status_code == 400
    page = client.get(f"{url}?page_size=3").json()
    assert [row["index"] for row in client.get(page["next"]).json()["results"]] == [3]


def test_a_public_run_does_not_publish_its_benchmark(api: Api, vera: User, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(visibility="public")
    url = f"/api/v1/runs/{run.pk}/samples/"
    hidden = api().get(url).json()["results"]
    assert [row["score"] for row in hidden] == [1.0, 0.0, 1.0, 0.0]
    assert {(row["prompt"], row["choices"], row["target"]) for row in hidden} == {(None, None, None)}
    assert api().get(f"{url}?q=2%2B2").json()["results"] == [], "a search must not tell either"
    Benchmark.objects.filter(versions=run.version_id).update(visibility="public")
    assert api().get(url).json()["results"][0]["prompt"] == "Q: 0+0\nA:"


def test_samples_of_others_are_not_there(api: Api, charlie: User, run: Run) -> None:
    assert api(charlie).get(f"/api/v1/runs/{run.pk}/samples/").status_code == 404
    assert api().get(f"/api/v1/runs/{run.pk}/samples/").status_code == 404


def test_every_analysis_is_listed_with_its_parameters(api: Api, db: None) -> None:
    rows = {row["key"]: row for row in api().get("/api/v1/analyses/").json()}
    assert list(rows) == list(ANALYSES)
    for key, analysis in ANALYSES.items():
        assert rows[key]["version"] == analysis.version
        assert rows[key]["source"]
        assert all(parameter["help"] for parameter in rows[key]["parameters"])
    assert rows["mean-score"]["orders_boards"] is True


def test_nor_do_its_pages(client: Client, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(visibility="public")
    for address in (f"/runs/{run.pk}/samples/", f"/runs/{run.pk}/samples/1/", f"/runs/{run.pk}/samples/?q=1%2B1"):
        page = client.get(address)
        assert page.status_code == 200
        assert "Q: 1+1" not in page.content.decode()
    Benchmark.objects.filter(versions=run.version_id).update(visibility="public")
    assert "Q: 1+1" in client.get(f"/runs/{run.pk}/samples/1/").content.decode()
