"""Where the table of an audit comes from: kept ones, arrays, and the margins of stored answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from evaluation.errors import NotEnoughData
from evaluation.features import MAXIMUM_BYTES
from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion
from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs.models import Job, Run
from webapp.results import candidates, linear, uploads
from webapp.results.audits import audit_margins
from webapp.results.candidates import Candidates
from webapp.results.margins import margin_table
from webapp.results.models import FeatureUpload, Report, Score
from webapp.results.tests.test_audits import FORM, asked, done, table, text
from webapp.tests import factories

ADDRESS, REST = "/reports/linear/new/", "/api/v1/reports/linear/"
RIGHTS = ([True, False, True, True], [False, True, True, False])


@pytest.fixture
def runs(job: Job) -> list[Run]:
    """small on sums and written, then large on sums: a right answer has a margin of 1.5 nats, a wrong one of 2.5."""
    return [factories.finish(rights) for rights in (RIGHTS[0], [True] * 4, RIGHTS[1])]


def found(user: User, benchmark: BenchmarkVersion) -> Candidates:
    data = candidates.find(user, {"benchmark": str(benchmark.pk)})
    assert data is not None
    return candidates.candidates(user, data)


def pks(rows: Candidates) -> dict[str, int]:
    return {row.name: row.pk for row in rows.complete}


def test_a_margin_is_the_best_minus_the_second_log_likelihood(runs: list[Run]) -> None:
    made = margin_table({"small": runs[0].pk, "large": runs[2].pk}, runs[2].pk)
    assert made.names == ("small", "large")
    assert made.features.tolist() == [[1.5, 2.5], [2.5, 1.5], [1.5, 1.5], [1.5, 2.5]]
    assert made.labels.tolist() == [0, 1, 1, 0]


def test_only_samples_that_all_answered_are_rows(runs: list[Run]) -> None:
    Score.objects.filter(run=runs[0], index=2).delete()
    made = margin_table({"small": runs[0].pk}, runs[2].pk)
    assert made.features[:, 0].tolist() == [1.5, 2.5, 1.5]
    assert made.labels.tolist() == [0, 1, 0]
    Score.objects.filter(run=runs[0], index__lt=3).delete()
    Score.objects.filter(run=runs[2], index=3).delete()
    with pytest.raises(NotEnoughData, match="share no sample"):
        margin_table({"small": runs[0].pk}, runs[2].pk)


def test_a_written_answer_has_no_margin(runs: list[Run]) -> None:
    Score.objects.filter(run=runs[0], index=1).update(log_likelihoods=[])
    with pytest.raises(NotEnoughData, match="on sample 1"):
        margin_table({"small": runs[0].pk}, runs[2].pk)


def test_margins_become_a_kept_table_and_a_report(bob: User, benchmark: BenchmarkVersion, runs: list[Run]) -> None:
    rows = found(bob, benchmark)
    named = pks(rows)
    report = audit_margins(
        actor=bob,
        found=rows,
        contenders=[named["small@fp32"]],
        outcome=named["large@fp32"],
        parameters={"ridge": 0.1, "standardize": True},
    )
    assert report.inputs["runs"] == [runs[0].pk, runs[2].pk]
    upload = FeatureUpload.objects.get()
    assert (upload.names, upload.label) == (["small@fp32"], "large@fp32 is right")
    assert uploads.feature_table(upload.pk).features[:, 0].tolist() == [1.5, 2.5, 1.5, 1.5]
    result: Any = done(report).result
    assert result["n"] == 4


def test_margins_are_refused_where_they_say_nothing(
    bob: User, vera: User, benchmark: BenchmarkVersion, runs: list[Run]
) -> None:
    rows = found(bob, benchmark)
    named = pks(rows)
    good: dict[str, Any] = {"contenders": [named["small@fp32"]], "outcome": named["large@fp32"], "parameters": {}}
    for wrong, field in (({"outcome": 0}, "outcome"), ({"contenders": []}, "contenders"), ({"contenders": [0]}, "")):
        with pytest.raises(Unprocessable) as refused:
            audit_margins(actor=bob, found=rows, **{**good, **wrong})
        assert field in refused.value.field
    with pytest.raises(NotAllowed):
        audit_margins(actor=vera, found=found(vera, benchmark), **good)
    Score.objects.filter(run=runs[2]).update(score=1.0)
    with pytest.raises(Unprocessable, match="same label") as refused:
        audit_margins(actor=bob, found=rows, **good)
    assert refused.value.field == "outcome"
    assert not FeatureUpload.objects.exists()


def test_private_runs_make_a_private_table_and_report(bob: User, benchmark: BenchmarkVersion, runs: list[Run]) -> None:
    Run.objects.filter(pk=runs[0].pk).update(visibility="private", created_by=bob)
    data = candidates.find(bob, {"runs": f"{runs[0].pk},{runs[2].pk}"})
    assert data is not None
    rows = candidates.candidates(bob, data)
    named = pks(rows)
    report = audit_margins(
        actor=bob, found=rows, contenders=list(named.values()), outcome=named["large@fp32"], parameters={}
    )
    assert (report.visibility, FeatureUpload.objects.get().visibility) == ("private", "private")


def test_the_page_takes_the_margins_of_a_benchmark(
    client: Client, bob: User, vera: User, benchmark: BenchmarkVersion, runs: list[Run]
) -> None:
    client.force_login(bob)
    assert f"Margins on {benchmark}" in client.get(ADDRESS).content.decode()
    page = client.get(ADDRESS, {"benchmark": benchmark.pk})
    assert "Label: whether this contender is right" in page.content.decode()
    named = pks(page.context["found"])
    body = {**FORM, "benchmark": benchmark.pk, "contenders": [*named.values()], "outcome": named["small@fp32"]}
    assert client.post(ADDRESS, {**body, "contenders": []}).status_code == 422
    answer = client.post(ADDRESS, body)
    report = Report.objects.get()
    assert answer["Location"] == f"/reports/{report.pk}/#main"
    assert report.inputs["about"].startswith("margins on lab/sums v1: 4 rows, 2 features")
    client.force_login(vera)
    assert client.post(ADDRESS, body).status_code == 403
    assert client.get(ADDRESS, {"benchmark": 10**6}).status_code == 404


def test_a_benchmark_without_results_says_so(client: Client, bob: User, benchmark: BenchmarkVersion) -> None:
    client.force_login(bob)
    page = client.get(ADDRESS, {"benchmark": benchmark.pk}).content.decode()
    assert "Nobody has finished this benchmark" in page


def test_a_kept_table_is_audited_again_by_those_who_may(client: Client, bob: User, charlie: User, team: Team) -> None:
    first = asked(bob, team, text(table()), ridge=0.01)
    upload = first.inputs["features"]
    body = {**FORM, "source": "kept", "kept": upload, "team": team.pk, "visibility": "team"}
    client.force_login(bob)
    assert "trial.csv, 60 × 2, label “sick” (lab, " in client.get(ADDRESS).content.decode()
    assert client.post(ADDRESS, {**body, "kept": ""}).status_code == 422
    assert client.post(ADDRESS, body).status_code == 302
    assert Report.objects.latest("pk").inputs["features"] == upload
    assert FeatureUpload.objects.count() == 1
    client.force_login(charlie)
    assert client.post(ADDRESS, body).status_code == 422
    FeatureUpload.objects.update(visibility="public")
    assert not uploads.uploads(charlie).exists(), "those of one's own teams"


def test_a_huge_file_is_refused_before_it_is_read(client: Client, bob: User, team: Team) -> None:
    client.force_login(bob)
    file = SimpleUploadedFile("huge.csv", b"0" * (MAXIMUM_BYTES + 1), "text/csv")
    answer = client.post(ADDRESS, {**FORM, "source": "file", "table": file, "team": team.pk, "visibility": "team"})
    assert answer.status_code == 422
    assert "larger than 32 MB" in answer.content.decode()
    assert not FeatureUpload.objects.exists()


def test_the_page_shows_the_numbers_of_the_api(client: Client, bob: User, team: Team) -> None:
    report = done(asked(bob, team, text(table()), ridge=0.01))
    client.force_login(bob)
    result = client.get(f"/api/v1/reports/{report.pk}/").json()["result"]
    answer = client.get(f"/reports/{report.pk}/")
    page, view = answer.content.decode(), answer.context["audit"]
    low, high = result["discrepancy"]
    for number in (
        f"{100 * result['ambiguity']:.1f} %",
        f"{100 * low:.1f} %",
        f"{100 * high:.1f} %",
        f"{result['baseline_objective']:.6f}",
        f"{result['baseline_loss']:.6f}",
        f"{100 * result['baseline_error']:.1f} %",
        f"{result['two_n_epsilon']:.4g}",
    ):
        assert number in page
    ranges = np.array(result["ranges"])
    widest = int(np.argmax(ranges[:, 1] - ranges[:, 0]))
    first = view.widest[0]
    assert (first.number, first.low, first.high) == (widest + 1, *ranges[widest])
    assert f"{first.width:.4f}" in page
    assert [row[0] for row in view.figures[0].rows] == [str(at + 1) for at in np.argsort(result["predicted"])]
    coefficients = {row.name: row.baseline for row in view.coefficients}
    assert coefficients["age"] == f"{result['coefficients'][1]:.4f}".replace("-", "−")


def test_many_rows_are_thinned_evenly_and_it_is_said(bob: User, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    report = done(asked(bob, team, text(table()), ridge=0.01))
    monkeypatch.setattr(linear, "DRAWN", 7)
    result: Any = report.result
    view = linear.LinearView(result, report.parameters)
    order = np.argsort(result["predicted"], kind="stable")
    assert view.drawn.tolist() == [order[at] for at in (0, 10, 20, 30, 39, 49, 59)]
    assert "7 of 60 rows are drawn, evenly spaced" in view.figures[0].text
    assert len(view.charts["low"]) == len(view.figures[0].rows) == 7


def test_rest_takes_arrays_and_kept_tables(api: Callable[..., APIClient], bob: User, charlie: User, team: Team) -> None:
    made = table()
    arrays = {"names": list(made.names), "features": made.features.tolist(), "labels": made.labels.tolist()}
    body = {"team": "lab", "parameters": {"ridge": 0.01}, **arrays}
    answer = api(bob).post(REST, body, format="json")
    assert answer.status_code == 202, answer.content
    report = done(Report.objects.get())
    same = done(asked(bob, team, text(made), ridge=0.01))
    assert report.result == same.result
    upload = report.inputs["features"]
    answer = api(bob).post(REST, {"upload": upload, "parameters": {"epsilon": 0.1}}, format="json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["inputs"]["features"] == upload
    for wrong, status, field in (
        ({**body, "labels": [0] * 60}, 422, "labels"),
        ({**body, "labels": [0, 1]}, 422, "features"),
        ({**body, "features": [[1.0], [1.0, 2.0]]}, 422, "features"),
        ({**body, "names": ["age"]}, 422, "features"),
        ({**body, "parameters": {"epsilon": -1}}, 422, "epsilon"),
        ({**body, "csv": "x,y"}, 400, "one of file, csv, features, upload, benchmark"),
        ({"team": "lab", "features": arrays["features"]}, 400, "labels"),
        ({"upload": upload + 7}, 400, "upload"),
    ):
        answer = api(bob).post(REST, wrong, format="json")
        assert answer.status_code == status, wrong
        assert field in json.dumps(answer.json()["errors"]), wrong
    assert api(charlie).post(REST, {"upload": upload}, format="json").status_code == 400


def test_rest_takes_margins(
    api: Callable[..., APIClient], bob: User, vera: User, benchmark: BenchmarkVersion, runs: list[Run]
) -> None:
    body = {"benchmark": "lab/sums", "contenders": ["small@fp32"], "outcome": "large@fp32"}
    answer = api(bob).post(REST, {**body, "parameters": {"ridge": 0.1}}, format="json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["inputs"]["runs"] == [runs[0].pk, runs[2].pk]
    assert uploads.feature_table(answer.json()["inputs"]["features"]).labels.tolist() == [0, 1, 1, 0]
    answer = api(bob).post(REST, {**body, "outcome": "nobody@fp32"}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["outcome"])
    assert api(bob).post(REST, {"benchmark": "lab/sums"}, format="json").status_code == 400
    assert api(vera).post(REST, body, format="json").status_code == 403
