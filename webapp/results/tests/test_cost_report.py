"""The page of a cost report: what it says, draws and links, and that its numbers are those of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from django.test import Client
from rest_framework.test import APIClient

from evaluation.analyses.base import to_json
from evaluation.analyses.cost_of_pass import CostOfPassParams, compute
from evaluation.costs import CostTable
from webapp.accounts.models import Team, User
from webapp.catalog.models import Contender, EntryVersion, ModelEntry, Suite
from webapp.catalog.prices import set_expert_cost
from webapp.jobs.models import Run
from webapp.results import reports
from webapp.results.cost_figures import curve, days, share, span, usd
from webapp.results.cost_report import CostOfPassView
from webapp.results.cost_table import cost_table
from webapp.results.models import Report
from webapp.tests import factories

# The worked example: expert 10, correct A = 1,0,0 at 2 each, B = 1,1,0 at 3 each.
RIGHT, COST = [[1, 0, 0], [1, 1, 0]], [[2, 2, 2], [3, 3, 3]]


def viewed(right: Any = RIGHT, cost: Any = COST, *, expert: float = 10, **more: Any) -> CostOfPassView:
    names = tuple("ABCDEFGH"[: len(right)])
    samples = tuple(("sums", str(at)) for at in range(len(right[0])))
    parameters = {"bootstrap": 0, **more.pop("parameters", {})}
    fields = {"benchmarks": ("sums",), "samples": samples, "expert_cost_usd": np.array([expert]), **more}
    arrays = (np.array(values, dtype=float)[:, :, None] for values in (right, cost))
    correct, cost_usd = arrays
    table = CostTable(contenders=names, correct=correct, cost_usd=cost_usd, **fields)
    stored = json.loads(json.dumps(to_json(compute(table, CostOfPassParams(**parameters)))))
    return CostOfPassView(stored, parameters)


def test_the_worked_example_reads_as_sentences_and_rows() -> None:
    view = viewed()
    assert view.verdict[1] == (
        "All contenders and the expert together answer a sample for $5.00, 50.0 % less than the expert alone ($10.00)."
    )
    assert view.verdict[2].startswith("Nobody passes 33.3 % of the 3 samples: there the expert’s cost counts")
    assert [(fact.name, fact.value) for fact in view.facts][:4] == [
        ("Frontier value V", "$5.00"),
        ("The expert alone", "$10.00"),
        ("Unsolved", "33.3 %"),
        ("V without the expert", "∞"),
    ]
    assert [row.name for row in view.contenders] == ["B", "A"]
    assert [usd(row.value_with_expert) for row in view.contenders] == ["$5.33", "$7.33"]
    assert [usd(row.cost_per_pass) for row in view.contenders] == ["$4.50", "$6.00"]


def test_holders_and_essentialness_carry_their_numbers() -> None:
    view = viewed(families={"cheap": ("A",)})
    tables = {figure.kind: figure.rows for figure in view.figures}
    assert list(tables) == ["pareto", "holders", "essentialness"]
    assert tables["pareto"][0] == ("A", ["$2.00", "—", "33.3", "—", "yes"])
    assert tables["holders"] == [
        ("A", ["1", "33.3", "1"]),
        ("B", ["1", "33.3", "1"]),
        ("the expert", ["1", "33.3", "1"]),
    ]
    assert tables["essentialness"][0] == ("cheap (family)", ["6.2", "A"])
    assert tables["essentialness"][1] == ("B", ["31.8", "alone"])


def test_progress_is_drawn_where_dates_are_known() -> None:
    view = viewed(released=("2025-01-31", "2025-06-30"))
    (figure,) = (figure for figure in view.figures if figure.kind == "progress")
    assert [row[0] for row in figure.rows] == ["2025-01-31", "2025-06-30"]
    assert figure.rows[1][1] == ["B", "$5.00", "$2.33", "31.8"]
    assert "takes at least four dates" in figure.text
    assert [step["value"] for step in view.charts["progress"]] == pytest.approx([22 / 3, 5.0])


def test_a_fit_is_told_with_its_half_time() -> None:
    months = (0, 2, 4, 6, 8)
    cost = [[1 + 64 / 4**at] * 4 for at in range(len(months))]
    view = viewed([[1] * 4] * 5, cost, expert=200, released=tuple(f"2025-{1 + month:02d}-01" for month in months))
    assert view.result.trend is not None
    assert view.result.trend.half_time == pytest.approx(30, abs=2)
    assert view.verdict[-1].startswith("Over the release dates V falls towards $1.")
    assert "halves every" in next(figure.text for figure in view.figures if figure.kind == "progress")
    drawn = curve(view.result.trend, "2025-09-01")
    assert drawn[0][0] == "2025-01-01"
    assert drawn[-1][0] == "2025-09-01"
    assert all(before[1] > after[1] for before, after in pairwise(drawn))


def test_what_has_no_cost_stands_last_and_is_not_drawn() -> None:
    view = viewed([[1, 0, 0], [1, 1, 1]], [[2, 2, 2], [nan] * 3])
    assert [row.name for row in view.contenders] == ["A", "B"]
    assert view.unpriced == ["B"]
    assert [one["name"] for one in view.charts["contenders"]] == ["A"]
    assert "Not drawn, for want of a cost above 0: B." in view.figures[0].text
    assert view.figures[0].rows[-1] == ("B", ["—", "—", "100.0", "—", "no"])


def test_an_unknown_expert_is_infinite_and_said_so() -> None:
    view = viewed(expert=nan)
    assert view.facts[0].value == "∞"
    assert "what an expert asks for them is not known" in view.verdict[2]
    assert json.loads(json.dumps(view.charts))["expert"]["value"] == "inf"


def test_benchmarks_are_columns_where_there_are_several() -> None:
    samples = (("sums", "0"), ("facts", "0"), ("facts", "1"))
    fields = {"benchmarks": ("sums", "facts"), "samples": samples, "expert_cost_usd": np.array([10.0, 1.0])}
    view = viewed([[1, 0, 0], [1, 1, 0]], [[2, 2, 2], [3, 0.5, 0.5]], **fields)
    rows = {name: [dict(cell.values) for cell in cells] for name, cells in view.benchmark_rows}
    assert list(rows) == ["A", "B"]
    assert [cell["value_with_expert"] for cell in rows["B"]] == ["$3.00", "$0.75"]
    assert [cell["cost_per_pass"] for cell in rows["A"]] == ["$2.00", "∞"]
    best = {name: [cell.best for cell in cells] for name, cells in view.benchmark_rows}
    assert best == {"A": [True, False], "B": [False, True]}
    assert viewed().benchmark_rows == []


def test_numbers_are_written_one_way() -> None:
    assert [usd(value) for value in (0.0123456, 1234.5, inf, nan, None)] == ["$0.0123", "$1,234.50", "∞", "—", "—"]
    assert (share(0.834), share(nan)) == ("83.4", "—")
    assert (span((1, inf)), span((nan, nan))) == ("$1.00 to ∞", "")
    assert [days(value) for value in (12.3, 200, 1000)] == ["12 days", "6.6 months", "2.7 years"]


@pytest.fixture
def priced(
    alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion, suite: Suite, benchmark: Any
) -> Report:
    """small at 36 dollars an hour of the device, large twice that; an expert for one of the two benchmarks."""
    factories.price(alice, entry)
    factories.price(alice, other_entry, hour_usd=Decimal(72))
    ModelEntry.objects.filter(pk=entry.entry_id).update(released_on="2025-01-31")
    set_expert_cost(actor=alice, benchmark=benchmark.benchmark, usd=Decimal("0.02"), source="An invoice")
    factories.job(alice, team, suite, [entry, other_entry])
    runs = [
        factories.finish(rights) for rights in ([True, False, False, True],) * 2 + ([True] * 4, [True] * 3 + [False])
    ]
    return asked(alice, team, runs)


def asked(alice: User, team: Team, runs: list[Run]) -> Report:
    report = reports.request_report(
        actor=alice, team=team, analysis="cost-of-pass", parameters={"bootstrap": 100}, runs=[run.pk for run in runs]
    )
    reports.compute_report(report_id=report.pk)
    report.refresh_from_db()
    assert report.state == "done", report.reason
    return report


def test_the_page_draws_the_numbers_of_the_api(
    client: Client, vera: User, priced: Report, api: Callable[[User], APIClient]
) -> None:
    client.force_login(vera)
    page = client.get(f"/reports/{priced.pk}/").content.decode()
    said = api(vera).get(f"/api/v1/reports/{priced.pk}/").json()["result"]
    drawn = json.loads(re.search(r'<script id="cost-data" type="application/json">(.*?)</script>', page)[1])
    names = ("name", "accuracy", "mean_cost", "value_with_expert", "holds", "essentialness", "mean_cost_interval")
    told = [{name: one[name] for name in names} for one in said["contenders"]]
    assert [{name: one[name] for name in names} for one in drawn["contenders"]] == told
    assert drawn["expert"] == {"value": said["expert_value"], "holds": said["expert_holds"]}
    assert [(one["name"], one["essentialness"]) for one in drawn["families"]] == [
        (one["name"], one["essentialness"]) for one in said["families"]
    ]
    assert drawn["progress"] == [one for one in said["progress"] if one["value"] != "inf"]
    assert said["verdict"] in page


def test_the_page_has_every_part(client: Client, vera: User, priced: Report) -> None:
    client.force_login(vera)
    page = client.get(f"/reports/{priced.pk}/").content.decode()
    assert re.findall(r'data-chart="(\w+)"', page) == ["pareto", "holders", "progress", "essentialness"]
    assert page.count("data-plot") == page.count('role="img" aria-label="')
    assert page.count("data-save=") == 3 * page.count("data-plot")
    assert "js/costs.js" in page
    assert 'name="contender" value="large@fp32"' in page
    assert "There is no expert cost of written" in page
    assert 'title="Infinite: it never passes there">∞' in page
    assert "n = 1): pass rates are 0 or 1" in page
    assert f'hx-get="/reports/{priced.pk}/efficiency/"' in page


def test_missing_prices_lead_to_where_they_are_added(
    client: Client, alice: User, team: Team, entry: EntryVersion, suite: Suite
) -> None:
    factories.job(alice, team, suite, [entry])
    report = asked(alice, team, [factories.finish([True] * 4) for _ in range(2)])
    client.force_login(alice)
    page = client.get(f"/reports/{report.pk}/").content.decode()
    assert re.search(r'Price unknown for <a href="/entries/\?q=small">small</a>', page)
    assert "$0" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_the_chosen_ones_are_compared(client: Client, vera: User, priced: Report, suite: Suite) -> None:
    client.force_login(vera)
    chosen = {"contender": ["large@fp32", "small@fp32", "nobody"]}
    answer = client.get(f"/reports/{priced.pk}/compare/", chosen)
    ids = dict(Run.objects.values_list("contender__name", "contender"))
    assert answer.url == f"/compare/?suite={suite.pk}&contenders={ids['small@fp32']},{ids['large@fp32']}"
    assert client.get(answer.url).status_code == 200
    one = Run.objects.filter(contender__name="small@fp32").order_by("pk").first()
    Report.objects.filter(pk=priced.pk).update(inputs={**priced.inputs, "runs": [one.pk]})
    assert client.get(f"/reports/{priced.pk}/compare/").url == f"/compare/?benchmark={one.version_id}&contenders="


def test_schemes_are_families_where_there_are_several(
    client: Client, alice: User, team: Team, entry: EntryVersion, suite: Suite
) -> None:
    factories.price(alice, entry)
    runs = []
    for scheme in ("fp32", "bf16"):
        factories.job(alice, team, suite, [entry], scheme)
        runs += [factories.finish([True, False, False, True]) for _ in range(2)]
    assert list(cost_table([run.pk for run in runs]).families) == ["tiny"], "all of them are references"
    Contender.objects.filter(scheme="bf16").update(scheme="int8")
    found = cost_table([run.pk for run in runs]).families
    assert dict(found) == {
        "quantised": ("small@bf16",),
        "reference": ("small@fp32",),
        "tiny": ("small@fp32", "small@bf16"),
    }


def test_suites_and_benchmarks_lead_to_their_costs(client: Client, alice: User, suite: Suite, benchmark: Any) -> None:
    client.force_login(alice)
    pages = {"/suites/lab/basics/": f"suite={suite.pk}", "/benchmarks/lab/sums/": f"benchmark={benchmark.pk}"}
    for page, data in pages.items():
        address = f"/reports/new/?analysis=cost-of-pass&{data}"
        assert address.replace("&", "&amp;") in client.get(page).content.decode()
        assert client.get(address).status_code == 200
