"""Reports about spending less: drawn with the numbers that REST gives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from webapp.accounts.models import User
from webapp.jobs.models import Job, Run
from webapp.results.models import Report
from webapp.results.reports import compute_report, request_report
from webapp.tests import factories

PARAMETERS = {
    "adaptive": {"budget": 0.75, "batch": 1, "seeds": 20, "stop_error": 0.4},
    "estimation": {"samples": 4, "method": "lure", "seeds": 20},
    "routing": {"resamples": 50},
}


@pytest.fixture
def runs(job: Job) -> list[Run]:
    made = [factories.finish(rights) for rights in ([True, False] * 2, [True, False] * 2, [True] * 4, [True] * 4)]
    for run in made:
        run.scores.update(cost_usd=0.5 if run.contender.name.startswith("small") else 2.0)
    return made


def reported(user: User, runs: list[Run], analysis: str) -> Report:
    asked = request_report(
        actor=user,
        team=runs[0].team,
        analysis=analysis,
        parameters=PARAMETERS[analysis],
        runs=[run.pk for run in runs],
    )
    compute_report(report_id=asked.pk)
    asked.refresh_from_db()
    assert asked.state == "done", asked.reason
    return asked


def drawn(page: str) -> Any:
    found = re.search(r'<script id="spending-data" type="application/json">(.*?)</script>', page)
    assert found is not None
    return json.loads(found.group(1))


@pytest.mark.parametrize("analysis", PARAMETERS)
def test_the_page_draws_what_rest_gives(
    analysis: str, runs: list[Run], bob: User, client: Client, api: Callable[..., APIClient]
) -> None:
    report = reported(bob, runs, analysis)
    client.force_login(bob)
    page = client.get(f"/reports/{report.pk}/").content.decode()
    result = api(bob).get(f"/api/v1/reports/{report.pk}/").json()["result"]
    assert result["verdict"] in page.replace("&#x27;", "'")
    assert "js/spending.js" in page
    data = drawn(page)
    if analysis == "adaptive":
        assert [y / 100 for _, y in data["own"]] == pytest.approx([point["found_best"] for point in result["curve"]])
        assert "Stopped early" in page
    elif analysis == "estimation":
        assert [x / 100 for x in data["estimates"]] == pytest.approx(sorted(result["estimates"]), abs=1e-4)
    else:
        assert [one["cost"] for one in data["contenders"]] == pytest.approx(result["cost"])
        assert [y / 100 for _, y in data["hull"]] == pytest.approx([place["quality"] for place in result["hull"]])
        assert "instead of" in page
    figures = page.count('data-chart="')
    assert figures == page.count('data-save="csv"') == page.count("<summary>Numbers</summary>") > 0


def test_nothing_to_route_is_said(runs: list[Run], bob: User, client: Client) -> None:
    """The best contender is the cheapest, too."""
    for run in runs:
        run.scores.update(cost_usd=2.0 if run.contender.name.startswith("small") else 0.5)
    report = reported(bob, runs, "routing")
    client.force_login(bob)
    page = client.get(f"/reports/{report.pk}/").content.decode()
    assert "there is nothing to route" in page
    assert "instead of" not in page
