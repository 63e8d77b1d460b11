"""What every chart of every report has, and that it shows the numbers of the API: in its data, and in its table."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.urls import reverse

from webapp.results.flips import KINDS
from webapp.results.selectors import DRAWN
from webapp.tests import reported

CHARTS = {
    "swiss": ["sensitivity", "eliminations", "points"],
    "multiplicity": ["epsilon", "delta", "rarefaction", "disagreement", "excess"],
    "cost-of-pass": ["pareto", "holders", "essentialness"],
    "quantization": ["size-quality", "flips-margin"],
    "adaptive": ["search"],
    "estimation": ["estimates"],
    "routing": ["plane", "pair"],
    "linear-multiplicity": ["viable-ranges", "over-delta", "over-epsilon"],
}


@pytest.fixture
def reports(alice, team, entry):
    return reported.reports(alice, team, reported.runs(alice, team, entry))


@pytest.fixture
def pages(client, alice, reports):
    client.force_login(alice)
    return {
        name: client.get(reverse("results:report", args=[one.pk])).content.decode() for name, one in reports.items()
    }


def figures(page):
    return re.findall(r"<figure.*?</figure>", page, re.S)


def data(page, name):
    return json.loads(re.search(rf'<script id="{name}-data" type="application/json">(.*?)</script>', page)[1])


def table(figure):
    rows = re.findall(r"<tr.*?</tr>", figure, re.S)
    return [
        [unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows
    ]


def test_every_chart_has_a_name_words_focus_files_and_a_table(pages):
    assert set(CHARTS) == set(DRAWN)
    for name, page in pages.items():
        assert re.findall(r'data-chart="(.*?)"', page) == CHARTS[name], name
        for figure in figures(page):
            assert re.search(r"<h2>[^<]+</h2><p class=\"quiet\">[^<]{20,}", figure), "a title and what it shows"
            assert re.search(r'role="(img|group)" aria-label="[^"]{40,}Arrow keys', figure), "alternative text"
            assert 'tabindex="0"' in figure
            assert re.findall(r'data-save="(.*?)"', figure) == ["png", "svg", "csv"]
            rows = table(figure)
            assert len(rows) > 1
            assert len({len(row) for row in rows}) == 1, "each row has a cell under each head"


def test_the_charts_of_a_tournament_are_its_result(reports, pages):
    result, drawn = reports["swiss"].result, data(pages["swiss"], "tournament")
    places = {name: at for at, name in enumerate(result["contenders"])}
    sensitivity, eliminations, points = map(table, figures(pages["swiss"]))
    for at, row in enumerate(drawn["rows"]):
        own = places[row["name"]]
        stored = [one["expected_points"][own] for one in result["eliminations"].values()]
        assert [value for value, _ in row["points"]] == stored
        assert row["drop"] == result["sensitivity"]["drop"][own]
        assert eliminations[at + 1] == [row["name"], *(f"{value:.3f}" for value in stored)]
        assert sensitivity[at + 1][2] == f"{row['drop']:.3f}".replace("-", "−")
        chances = result["eliminations"]["0"]["distribution"][own]
        assert drawn["distribution"][at] == chances
        assert points[at + 1] == [row["name"], *(f"{100 * chance:.2f}" for chance in chances)]


def test_flips_add_up_to_the_samples_and_are_those_of_the_result(reports, pages):
    result = reports["quantization"].result
    (flips,) = (figure for figure in figures(pages["quantization"]) if 'data-drawing="flips"' in figure)
    head, *rows = table(flips)

    assert head[3:] == list(KINDS)
    assert [row[0] for row in rows] == ["small@int8", "small@nvfp4"]
    for name, reference, n, *counts in rows:
        at, before = result["contenders"].index(name), result["contenders"].index(reference)
        stays, lost, won, other, wrong = map(int, counts)
        assert stays + lost + won + other + wrong == int(n) == result["n"][at]
        assert [lost, won, other] == [result[key]["count"][at] for key in ("lost", "won", "other_wrong")]
        assert stays + won == round(result["accuracy"][at] * int(n))
        assert stays + lost == round(result["accuracy"][before] * int(n))
        assert flips.count(f'data-tip="{name} against {reference}, ') == len(KINDS)


def test_heat_maps_of_disagreement_are_the_matrix_of_the_result(reports, pages):
    result, drawn = reports["multiplicity"].result, data(pages["multiplicity"], "multiplicity")
    place = [result["contenders"].index(name) for name in drawn["names"]]

    assert drawn["disagreement"] == [
        [pytest.approx(result["disagreement"][a][b], abs=1e-5) for b in place] for a in place
    ]
