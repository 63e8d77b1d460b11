"""The page of a multiplicity report: what it says, how its samples are sorted, and what each contender answered."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from django.test import Client

from evaluation.analyses.base import to_json
from evaluation.analyses.multiplicity import MultiplicityParams, compute
from evaluation.answers import AnswerTable
from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs.models import Job, Run
from webapp.results import reports
from webapp.results.ambiguous import PAGE, View
from webapp.results.models import Report
from webapp.results.multiplicity import MultiplicityView, amount, share
from webapp.results.tests.test_answers import choose
from webapp.tests import factories

LABELS = [[0, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]  # d is far away


def viewed(labels: list[list[int]] = LABELS, *, sure: bool = True, **parameters: Any) -> MultiplicityView:
    """Contenders a, b, ...; the right answer is 0; probabilities .9 and .1 unless they are not known."""
    chosen = np.array(labels)
    names = tuple("abcdefgh"[: len(labels)])
    likely = np.where(chosen[:, :, None] == np.arange(2), 0.9, 0.1) if sure else None
    groups = tuple("early" if at < 2 else "late" for at in range(chosen.shape[1]))
    samples = tuple(f"s:{at}" for at in range(chosen.shape[1]))
    truth = np.zeros(chosen.shape[1], dtype=int)
    table = AnswerTable(names, samples, ("x", "y"), chosen, chosen == 0, truth, likely, groups)
    params = MultiplicityParams(**parameters)
    return MultiplicityView(json.loads(json.dumps(to_json(compute(table, params)))), parameters)


def test_the_verdict_counts_competitors_and_names_the_worst() -> None:
    view = viewed([row * 8 for row in LABELS], epsilon=0.2)
    assert view.verdict[0] == (
        "2 contenders within 20 points of c disagree with it on 40.0 % of the samples; "
        "the worst single one, a, changes 20.0 %."
    )
    assert "2 contenders are neither surely inside the level set nor out of it" in view.verdict[1]
    assert view.verdict[2].startswith("By probabilities, 40.0 % of the samples are in conflict")
    assert view.verdict[3].startswith("No contender was run twice")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[0, 0, 0]], "nobody competes with it."),
        ([[0, 0, 0], [1, 1, 0]], "nobody competes with it. The nearest, b, is 66.7 points behind."),
        ([[0, 0, 0], [0, 0, 0]], "1 contender within 1 point of a gives its answer to every sample."),
        ([[0, 0, 1], [0, 1, 0]], "1 contender is within 1 point of a: b answers 66.7 % of the samples otherwise"),
    ],
)
def test_other_verdicts(labels: list[list[int]], said: str) -> None:
    assert said in viewed(labels).verdict[0]


def test_what_is_unknown_is_said_and_not_drawn() -> None:
    view = viewed(sure=False, epsilon=0.2)
    assert view.verdict[2].startswith("Some contender gives no probabilities")
    assert [figure.kind for figure in view.figures] == ["epsilon", "rarefaction", "disagreement", "excess"]
    assert [head["key"] for head in view.first_page.heads] == ["dissenters", "right"]
    assert view.first_page.rows[0].bar is None
    assert view.levels[1].ties is None


def test_the_level_set_stands_by_deficit_with_its_places_on_one_scale() -> None:
    view = viewed([row * 8 for row in LABELS], epsilon=0.2)
    assert [row.name for row in view.levels] == ["c", "a", "b", "d"]
    assert [row.inside for row in view.levels] == [True, True, True, False]
    assert [row.verdict for row in view.levels][1:] == ["? undecided", "? undecided", "✕ out"]
    assert [row.deficit for row in view.levels] == ["0.0", "20.0", "20.0", "100.0"]
    assert all(
        0 <= row.bar["start"] <= row.bar["mark"] <= row.bar["start"] + row.bar["length"] <= 100.01
        for row in view.levels
    )
    assert 0 <= view.marks["zero"] < view.marks["epsilon"] <= 100


def test_a_repeated_run_marks_what_is_noise() -> None:
    labels = [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    view = viewed(labels, epsilon=0.5, repeat="a=c")
    assert view.verdict[-1] == "Run twice, the same contender changes 25.0 % of its answers: that much is noise."
    assert [(row.name, row.noisy) for row in view.levels] == [("a", False), ("b", True)]


def test_a_repeated_run_that_changes_nothing_is_said() -> None:
    said = viewed([[0, 0], [0, 1], [0, 0]], epsilon=0.5, repeat="a=c").verdict[-1]
    assert said.startswith("Run twice, the same contender gives the same answers")


def test_figures_carry_their_numbers() -> None:
    view = viewed(epsilon=0.2)
    by_kind = {figure.kind: figure for figure in view.figures}
    assert by_kind["epsilon"].rows == [
        ("0.0", ["0", "0.0", "0.0"]),
        ("20.0", ["2", "40.0", "20.0"]),
        ("100.0", ["3", "100.0", "100.0"]),
    ]
    assert by_kind["rarefaction"].rows == [("1", ["20.0"]), ("2", ["40.0"])]
    assert by_kind["disagreement"].rows[1] == ("a", ["20.0", "0.0", "40.0", "80.0"])
    assert json.loads(json.dumps(view.charts))["names"] == ["c", "a", "b", "d"]
    assert [(group["name"], group["ambiguity"]) for group in view.groups] == [("early", 0.5), ("late", 1 / 3)]


def test_samples_are_filtered_sorted_and_paged() -> None:
    view = viewed(epsilon=0.2)
    assert [row.name for row in view.first_page.rows] == ["s:1", "s:4"]
    whole = view.samples_page(View.of({"show": "all", "sort": "-dissenters"}))
    assert [row.name for row in whole.rows] == ["s:0", "s:2", "s:3", "s:1", "s:4"]
    assert [size for _, size, _, _ in whole.shows] == [2, 5, 0, 3]
    assert View.of({"sort": "nonsense", "show": "x", "page": "-1"}) == View()
    assert View("range", "all", 3).query(page=4) == "sort=range&show=all&page=4"
    rng = np.random.default_rng(0)
    many = viewed(rng.integers(0, 2, (3, 2 * PAGE + 7)).tolist(), epsilon=1.0)
    found = [many.samples_page(View("margin", "all", page)) for page in (1, 2, 3, 99)]
    assert [len(page.rows) for page in found] == [PAGE, PAGE, 7, 7]
    assert (found[0].before, found[1].after) == (None, "sort=margin&show=all&page=3")


def test_numbers_are_written_with_their_unit() -> None:
    assert [amount(value, "accuracy") for value in (0.01, 0.025, 0.0002, 0.0)] == [
        "1 point",
        "2.5 points",
        "0.02 points",
        "0 points",
    ]
    assert amount(0.0123, "log-loss") == "0.0123 nats of log-loss"
    assert (share(float("nan")), share(0.125)) == ("—", "12.5 %")


@pytest.fixture
def flips(
    alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion, benchmark: BenchmarkVersion
) -> Report:
    """small is right on all four sums, large on three."""
    suite = factories.suite(alice, team, "only-sums", [benchmark])
    factories.job(alice, team, suite, [entry, other_entry])
    runs = [choose(0, 0, 0, 0).pk, choose(0, 0, 1, 0).pk]
    asked = {"analysis": "multiplicity", "parameters": {"epsilon": 0.5}, "runs": runs}
    report = reports.request_report(actor=alice, team=team, **asked)  # type: ignore[arg-type]
    reports.compute_report(report_id=report.pk)
    report.refresh_from_db()
    return report


def test_the_page_draws_all_of_it(client: Client, vera: User, flips: Report) -> None:
    client.force_login(vera)
    page = client.get(f"/reports/{flips.pk}/").content.decode()
    assert "1 contender is within 50 points of small@fp32: large@fp32 answers 25.0 % of the samples otherwise" in page
    assert re.findall(r'data-chart="(\w+)"', page) == ["epsilon", "delta", "disagreement", "excess"]
    assert page.count("data-plot") == page.count('role="img" aria-label="') - page.count('<svg class="bar"')
    assert "js/multiplicity.js" in page
    assert "sums:2" in page
    assert "sums:1" not in page, "not ambiguous"
    assert "sums:1" in client.get(f"/reports/{flips.pk}/?show=all").content.decode()


def test_the_fragment_of_samples_says_its_order(client: Client, vera: User, flips: Report) -> None:
    client.force_login(vera)
    alone = client.get(f"/reports/{flips.pk}/samples/?show=all&sort=-margin").content.decode()
    assert "<html" not in alone
    assert 'aria-sort="ascending"' in alone
    assert f'hx-push-url="/reports/{flips.pk}/?sort=margin&amp;show=all"' in alone
    assert len(re.findall(r'<th scope="row">', alone)) == 4


def test_a_sample_shows_what_everybody_answered(client: Client, vera: User, flips: Report) -> None:
    client.force_login(vera)
    shown = client.get(f"/reports/{flips.pk}/samples/2/")
    found = shown.context["found"]
    assert [(one.contender, one.right, one.chosen) for one in found.answers] == [
        ("small@fp32", True, 0),
        ("large@fp32", False, 1),
    ]
    assert found.answers[0].shares == pytest.approx([np.e / (1 + np.e), 1 / (1 + np.e)])
    assert found.choices == [("4", True), ("5", False)]
    assert "Q: 2+2\nA:" in shown.content.decode()
    assert client.get(f"/reports/{flips.pk}/samples/4/").status_code == 404


def test_a_report_does_not_publish_its_questions_or_runs(client: Client, flips: Report) -> None:
    Report.objects.filter(pk=flips.pk).update(visibility="public")
    shown = client.get(f"/reports/{flips.pk}/samples/2/").content.decode()
    assert "2+2" not in shown
    assert "None of these runs is yours to see." in shown
    Run.objects.update(visibility="public")
    shown = client.get(f"/reports/{flips.pk}/samples/2/").content.decode()
    assert "large@fp32" in shown
    assert "2+2" not in shown


def test_only_this_analysis_has_such_samples(client: Client, alice: User, team: Team, job: Job) -> None:
    client.force_login(alice)
    runs = [choose(0, 0, 0, 0).pk]
    report = reports.request_report(actor=alice, team=team, analysis="mean-score", parameters={}, runs=runs)
    reports.compute_report(report_id=report.pk)
    for address in ("samples/", "samples/0/"):
        assert client.get(f"/reports/{report.pk}/{address}").status_code == 404


def test_an_older_version_is_drawn_as_plain_tables(client: Client, vera: User, flips: Report) -> None:
    Report.objects.filter(pk=flips.pk).update(analysis_version="1")
    client.force_login(vera)
    page = client.get(f"/reports/{flips.pk}/").content.decode()
    assert "data-chart" not in page
    assert "discrepancy contender" in page
