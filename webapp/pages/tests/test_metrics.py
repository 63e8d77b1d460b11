"""Each metric is explained in two sentences somewhere, and each “?” opens what it promises."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.urls import reverse

from webapp.leaderboards.ordering import ORDERS
from webapp.pages.metrics import BY_LABEL, METRICS
from webapp.pages.tests.test_guide import exists, parsed
from webapp.tests import factories

TEMPLATES = settings.BASE_DIR / "templates"
LITERAL = re.compile(r'\{% explain "([a-z0-9-]+)"')
ASKED = re.compile(r'popovertarget="(about-[^"]+)"')


def sources(folder, pattern):
    return "\n".join(path.read_text() for path in sorted((settings.BASE_DIR / folder).rglob(pattern)))


def test_a_metric_has_two_sentences_a_formula_and_a_section():
    for metric in METRICS.values():
        assert 2 <= len(re.findall(r"[.!](?= |$)", metric.text)) <= 3, metric.key
        assert metric.formula, metric.key
        assert metric.source, metric.key
        assert exists(metric.section), (metric.key, metric.section)
        assert metric.link == "" or metric.link.startswith("https://arxiv.org/abs/"), metric.key


def test_no_label_means_two_metrics():
    assert len(BY_LABEL) == sum(len(metric.labels) for metric in METRICS.values())


def test_every_question_mark_is_of_a_metric_that_exists():
    assert set(LITERAL.findall(sources("templates", "*.html"))) <= set(METRICS)


def test_every_metric_is_explained_where_it_is_shown():
    """By its key in a template, as an order of boards, or by a label that a result's page writes."""
    named = set(LITERAL.findall(sources("templates", "*.html")))
    written = sources("webapp/results", "*.py")
    labelled = {one.key for label, one in BY_LABEL.items() if f'"{label}"' in written or f'f"{label[:3]} ' in written}

    assert set(METRICS) - named - labelled - set(ORDERS) == set()
    assert set(ORDERS) <= set(METRICS)


@pytest.fixture
def pages(job, board, alice, other_entry, suite, benchmark):
    """Addresses with metrics, by what they show."""
    factories.worker()
    runs = [factories.finish([True, False, True, right]) for right in (True, False, True, True)]
    factories.refresh(board)
    reports = {
        analysis: factories.report(alice, board, analysis, **parameters).pk
        for analysis, parameters in {
            "multiplicity": {"epsilon": 0.5},
            "cost-of-pass": {"expert_cost": 1.0},
            "quantization": {"reference": "small@fp32"},
            "routing": {},
            "adaptive": {"budget": 0.5, "batch": 1, "seeds": 2},
            "win-rate": {},
            "swiss": {"exact": True},
        }.items()
    }
    chosen = ",".join(str(pk) for pk in sorted({run.contender_id for run in runs}))
    return {
        "board": reverse("leaderboards:leaderboard", args=["lab", "main"]) + "?costs=1",
        "ranks": reverse("leaderboards:leaderboard", args=["lab", "main"]) + "?view=ranks",
        "compare": reverse("results:compare") + f"?suite={suite.pk}&contenders={chosen}",
        "design": reverse("pages:design"),
        **{analysis: reverse("results:report", args=[pk]) for analysis, pk in reports.items()},
    }


EXPECTED = {
    "board": {"about-rank", "about-mean-score", "about-cost", "about-cost-per-pass", "about-score"},
    "ranks": {"about-rank", "about-score"},
    "swiss": {"about-swiss", "about-drop", "about-byes", "about-buchholz"},
    "compare": {"about-difference", "about-p-value", "about-equivalence", "about-samples-needed"},
    "multiplicity": {"about-ambiguity", "about-discrepancy", "about-kappa", "about-level-set"},
    "cost-of-pass": {"about-frontier-value-v", "about-essentialness", "about-value-with-expert"},
    "quantization": {"about-answers-changed-1", "about-lost-1", "about-p-value-1"},
    "win-rate": {"about-win-rate"},
    "design": {"about-swiss", "about-rank"},
}


def test_each_question_mark_opens_what_explains_the_number(pages, client, alice):
    client.force_login(alice)
    for name, address in pages.items():
        page = client.get(address).content.decode()
        asked, ids = ASKED.findall(page), parsed(page).ids

        assert EXPECTED.get(name, set()) <= set(asked), name
        assert len(ids) == len(set(ids)), (name, sorted({one for one in ids if ids.count(one) > 1}))
        assert set(asked) <= set(ids), name
        assert page.count(" popover") >= len(asked), name
