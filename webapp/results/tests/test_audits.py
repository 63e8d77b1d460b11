"""Audits of linear models: from a table that somebody uploads to the page of its report."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from evaluation.analyses.base import to_json
from evaluation.analyses.linear_multiplicity import LinearMultiplicityParams, compute
from evaluation.features import FeatureTable
from webapp.accounts.models import Team, User
from webapp.errors import NotAllowed, Unprocessable
from webapp.results import reports, uploads
from webapp.results.audits import AUDIT, request_audit
from webapp.results.models import FeatureUpload, Report

FORM = {"label": "sick", "epsilon": "0.01", "epsilon_kind": "absolute", "delta": "0.1", "ridge": "0.01", "search": "2"}


def table(rows: int = 60) -> FeatureTable:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(rows, 2))
    labels = (features @ (1.0, -0.5) + rng.logistic(size=rows) > 0).astype(np.int64)
    return FeatureTable(("age", "dose"), features, labels)


def text(found: FeatureTable) -> str:
    rows = zip(found.features.tolist(), found.labels.tolist(), strict=True)
    return "\n".join(["age,sick,dose", *(f"{age!r},{label},{dose!r}" for (age, dose), label in rows)])


def asked(actor: User, team: Team, content: str, label: str = "sick", **parameters: Any) -> Report:
    return request_audit(
        actor=actor, team=team, content=content.encode(), name="trial.csv", label=label, parameters=parameters
    )


def done(report: Report) -> Report:
    assert reports.compute_report(report_id=report.pk) is True
    report.refresh_from_db()
    assert report.state == "done", report.reason
    return report


def test_the_report_holds_what_the_analysis_says_of_the_table(bob: User, team: Team) -> None:
    found = table()
    report = done(asked(bob, team, text(found), ridge=0.01))
    assert report.result == json.loads(json.dumps(to_json(compute(found, LinearMultiplicityParams(ridge=0.01)))))
    upload = FeatureUpload.objects.get(pk=report.inputs["features"])
    assert (upload.names, upload.label, upload.rows) == (["age", "dose"], "sick", 60)
    assert report.inputs["sha256"] == upload.sha256
    assert report.inputs["about"] == "trial.csv: 60 rows, 2 features, label “sick”"
    back = uploads.feature_table(upload.pk)
    assert (back.features == found.features).all()
    assert (back.labels == found.labels).all()


def test_the_same_table_is_audited_again_with_other_parameters(bob: User, team: Team) -> None:
    first = done(asked(bob, team, text(table()), ridge=0.01))
    second = done(reports.repeat_report(actor=bob, report=first, parameters={"ridge": 0.01, "epsilon": 0.1}))
    assert FeatureUpload.objects.count() == 1
    assert second.result["ambiguity"] > first.result["ambiguity"]


@pytest.mark.parametrize(
    ("content", "label", "field", "says"),
    [
        ("x,y\n1,0\n2,oops\n", "y", "label", "line 3, column “y”: “oops” is neither 0 nor 1"),
        ("x,y\n1,0\n,1\n", "y", "table", "line 3, column “x”: the cell is empty"),
        ("x,y\n1,0\n2,1\n", "z", "label", "has no column “z”"),
        ("x,y\n1,0\n2,0\n", "y", "label", "the same label"),
        ("", "y", "table", "is empty"),
    ],
)
def test_a_bad_table_is_refused_where_it_is_wrong(
    bob: User, team: Team, content: str, label: str, field: str, says: str
) -> None:
    with pytest.raises(Unprocessable, match=says) as refused:
        asked(bob, team, content, label)
    assert refused.value.field == field
    assert not FeatureUpload.objects.exists()


def test_an_audit_that_takes_too_long_is_refused_before_it_is_queued(bob: User, team: Team, settings: Any) -> None:
    settings.REPORT_MAX_SECONDS = 1
    with pytest.raises(Unprocessable, match="a report may take 1"):
        asked(bob, team, text(table()), search=1000)
    assert not Report.objects.exists()
    assert not FeatureUpload.objects.exists()


def test_nobody_uses_the_table_of_another_team(bob: User, charlie: User, team: Team) -> None:
    report = asked(bob, team, text(table()))
    with pytest.raises(NotAllowed):
        asked(charlie, team, text(table()))
    other = Team.objects.create(name="others")
    other.memberships.create(user=charlie, role="owner")
    with pytest.raises(Unprocessable, match="gone"):
        reports.request_report(
            actor=charlie, team=other, analysis=AUDIT, parameters={}, runs=[], features=report.inputs["features"]
        )


def test_an_analysis_of_runs_takes_no_table(bob: User, team: Team) -> None:
    report = asked(bob, team, text(table()))
    with pytest.raises(Unprocessable, match="not computed from a table"):
        reports.request_report(
            actor=bob, team=team, analysis="swiss", parameters={}, runs=[], features=report.inputs["features"]
        )


def test_a_file_becomes_a_report_and_its_page(client: Any, bob: User, team: Team) -> None:
    client.force_login(bob)
    file = SimpleUploadedFile("trial.csv", text(table()).encode(), "text/csv")
    sent = {**FORM, "source": "file", "table": file, "team": team.pk, "visibility": "team"}
    assert client.post(reverse("results:linear_audit"), sent).status_code == 302
    report = done(Report.objects.get())
    page = client.get(reverse("results:report", args=[report.pk])).content.decode()
    said = ("Viable ranges", "Ambiguity over ε", "Ambiguity over δ", "Certificate gap", "2nε", "dose", "(intercept)")
    for part in said:
        assert part in page
    assert report.inputs["sha256"] in page


def test_the_page_says_what_is_wrong_with_a_table(client: Any, bob: User, team: Team) -> None:
    client.force_login(bob)
    sent = {**FORM, "source": "pasted", "pasted": "age,sick\n1,0\nold,1\n", "team": team.pk, "visibility": "team"}
    response = client.post(reverse("results:linear_audit"), sent)
    assert response.status_code == 422
    assert "line 3, column “age”: “old” is not a finite number" in response.content.decode()
    response = client.post(reverse("results:linear_audit"), {**sent, "pasted": ""})
    assert "Paste a table." in response.content.decode()


def test_separable_data_are_warned_of(client: Any, bob: User, team: Team) -> None:
    report = done(asked(bob, team, "x,sick\n1,0\n2,0\n3,1\n4,1\n"))
    client.force_login(bob)
    assert "separable" in client.get(reverse("results:report", args=[report.pk])).content.decode()


@pytest.mark.parametrize("multipart", [True, False])
def test_rest_takes_a_file_or_its_text(client: Any, bob: User, team: Team, multipart: bool) -> None:
    client.force_login(bob)
    same = {"team": "lab", "label": "sick"}
    parameters = {"epsilon": 0.02, "ridge": 0.01}
    content = text(table())
    address = reverse("api:linear_audits")
    if multipart:
        file = SimpleUploadedFile("trial.csv", content.encode(), "text/csv")
        response = client.post(address, {**same, "file": file, "parameters": json.dumps(parameters)})
    else:
        body = {**same, "csv": content, "name": "trial.csv", "parameters": parameters}
        response = client.post(address, json.dumps(body), content_type="application/json")
    assert response.status_code == 202, response.content
    report = done(Report.objects.get())
    assert response["Location"].endswith(f"/api/v1/reports/{report.pk}/")
    assert report.title == "Audit of trial.csv"
    assert report.parameters["epsilon"] == 0.02
    assert len(report.result["ranges"]) == 60
    both = client.post(address, json.dumps({**same, "csv": "", "file": ""}), content_type="application/json")
    assert both.status_code == 400


def test_an_audit_has_no_runs_to_compare(client: Any, bob: User, team: Team) -> None:
    """What reads the runs behind a report says that there is nothing, and does not break."""
    report = done(asked(bob, team, text(table())))
    client.force_login(bob)
    assert client.get(f"/reports/{report.pk}/").status_code == 200
    assert client.get(reverse("results:report_compare", args=[report.pk])).status_code == 404
    assert client.get(reverse("results:report_efficiency", args=[report.pk])).status_code == 200
