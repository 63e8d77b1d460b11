"""Charts in a browser: each answers to the keyboard and saves its own numbers; curves grow while scores come in."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from webapp.catalog.models import EntryVersion
from webapp.jobs.models import Run
from webapp.results.curves import curves
from webapp.tests import factories, reported
from workers.tests.conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.django_db(transaction=True)]
SECONDS = 30_000
TIP = """plot => [...plot.querySelectorAll("div")].some(
    (one) => one.style.position === "absolute" && one.style.visibility !== "hidden" && one.style.opacity !== "0"
        && one.textContent.trim())"""
NUMBERS = (
    "figure => [...figure.querySelector('table').rows].map((row) => [...row.cells].map((c) => c.textContent.trim()))"
)


@pytest.fixture
def entry(lab: Lab) -> EntryVersion:
    return lab.entry("tiny-xs")


@pytest.fixture
def pages(lab: Lab, entry: EntryVersion) -> dict[str, str]:
    """Addresses of a report of each kind, and of a job; made before the site runs: its worker computes reports, too."""
    made = reported.runs(lab.owner, lab.team, entry)
    reports = reported.reports(lab.owner, lab.team, made)
    addresses = {name: reverse("results:report", args=[one.pk]) for name, one in reports.items()}
    return {**addresses, "job": reverse("jobs:job", args=[made[0].jobs.get().pk])}


@pytest.fixture
def broken() -> list[str]:
    return []


@pytest.fixture
def page(lab: Lab, pages: dict[str, str], site: str, browser: Browser, broken: list[str]) -> Page:
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context(base_url=site, color_scheme="dark", reduced_motion="reduce")
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    page = context.new_page()
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    return page


def saved(page: Page, figure: object, ending: str) -> bytes:
    with page.expect_download() as download:
        figure.locator(f"[data-save={ending}]").click()  # type: ignore[attr-defined]
    return Path(download.value.path()).read_bytes()


def test_every_chart_answers_to_the_keyboard_and_saves_its_numbers(
    page: Page, pages: dict[str, str], broken: list[str]
) -> None:
    walked = set()
    for name, address in pages.items():
        page.goto(address)
        figures = page.locator("figure[data-chart], figure[data-drawing]")
        expect(figures.first).to_be_visible(timeout=SECONDS)
        for figure in figures.all():
            kind = figure.get_attribute("data-chart") or figure.get_attribute("data-drawing")
            _walk(page, figure, f"{kind} of {name}")
            rows = list(csv.reader(saved(page, figure, "csv").decode().splitlines()))
            assert rows == figure.evaluate(NUMBERS), kind
            walked.add(kind)
        assert saved(page, figures.first, "svg").startswith(b"<svg")
        assert saved(page, figures.first, "png").startswith(b"\x89PNG")
    assert len(walked) == 22
    assert broken == []


def _walk(page: Page, figure: object, name: str) -> None:
    if figure.get_attribute("data-drawing"):  # type: ignore[attr-defined]
        figure.locator("[data-mark][tabindex='0']").focus()  # type: ignore[attr-defined]
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#tip")).to_be_visible()
        return
    plot = figure.locator("[data-plot]")  # type: ignore[attr-defined]
    expect(plot.locator("canvas").first).to_be_visible()
    plot.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(TIP, arg=plot.element_handle(), timeout=5000)
    assert plot.evaluate(TIP), name


def test_a_curve_grows_while_scores_come_in(page: Page, lab: Lab, broken: list[str]) -> None:
    version = factories.benchmark(lab.owner, lab.team, "slow", 40)
    job = factories.job(
        lab.owner, lab.team, factories.suite(lab.owner, lab.team, "slow", [version]), [lab.entry("tiny-s")]
    )
    lease = factories.claim()
    factories.score(lease, [True, False] * 5)
    page.goto(reverse("jobs:job", args=[job.pk]))
    line, numbers = page.locator(".curves .line"), page.locator("[data-curves] tbody tr")
    expect(numbers).to_have_count(10, timeout=SECONDS)
    page.evaluate("window.drawn = document.querySelector('.curves .line')")
    page.get_by_text("Numbers").click()
    before = line.get_attribute("d") or ""

    factories.score(lease, [True] * 10, start=10)

    expect(numbers).to_have_count(20, timeout=SECONDS)
    assert page.evaluate("window.drawn === document.querySelector('.curves .line')"), "patched, not drawn anew"
    expect(page.locator("[data-curves] table")).to_be_visible()  # what was opened stays open
    assert (line.get_attribute("d") or "").count("L") == before.count("L") + 10
    (curve,) = curves([Run.objects.get(pk=lease.run_id)])
    last = curve.points[-1]
    told = numbers.last.locator("td").all_inner_texts()
    assert told == [str(last.n), *(f"{100 * (value or 0):.1f}" for value in (last.mean, last.low, last.high))]
    assert broken == []
