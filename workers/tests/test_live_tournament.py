"""A tournament in a real browser: it follows new results, is run again by the real worker, and nothing reloads."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from webapp.leaderboards.services import run_landed
from webapp.results.models import Report
from webapp.tests import factories
from workers.tests.conftest import Lab

SECONDS = 30_000
ALL, HALF, NONE = [True] * 4, [True, False] * 2, [False] * 4
NAMES = ["tiny-xs", "tiny-s", "tiny-m"]


def land(*results: list[bool]) -> None:
    """Runs finish, and the analysis worker is rung."""
    for rights in results:
        run = factories.finish(rights)
        with transaction.atomic():
            run_landed(run=run)


@pytest.fixture
def field(lab: Lab) -> None:
    """Three entries on a board of two benchmarks; nothing is scored yet."""
    versions = [factories.benchmark(lab.owner, lab.team, name) for name in ("a", "b")]
    suite = factories.suite(lab.owner, lab.team, "basics", versions)
    factories.job(lab.owner, lab.team, suite, [lab.entry(name) for name in NAMES])
    factories.board(lab.owner, lab.team, "main", suite, order="swiss")


@pytest.fixture
def broken() -> list[str]:
    """What goes wrong inside of the browser."""
    return []


@pytest.fixture
def page(lab: Lab, field: None, site: str, browser: Browser, broken: list[str]) -> Page:
    """The board's tournament, as its owner sees it."""
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    page = context.new_page()
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    page.goto(f"{site}/boards/lab/main/tournament/")
    expect(page.locator("[data-live-state]")).to_have_text("Live", timeout=SECONDS)
    page.evaluate("window.neverReloaded = true")
    return page


@pytest.mark.browser
@pytest.mark.process
def test_the_tournament_follows_new_results(page: Page, broken: list[str]) -> None:
    land(ALL, ALL, HALF, ALL)
    expect(page.locator(".verdict")).to_contain_text("tiny-xs@fp32 leads", timeout=SECONDS)
    expect(page.locator("[data-plot] canvas")).to_have_count(3)
    page.get_by_text("How this was computed").click()

    land(NONE, HALF)
    expect(page.locator(".tournament tbody tr")).to_have_count(3, timeout=SECONDS)
    expect(page.get_by_role("link", name="Download as JSON")).to_be_visible()  # what the reader opened stays open
    expect(page.locator("[data-plot] canvas")).to_have_count(3)
    assert page.evaluate("window.neverReloaded")
    assert broken == []


@pytest.mark.browser
@pytest.mark.process
def test_a_tournament_is_run_again(page: Page, broken: list[str]) -> None:
    land(ALL, ALL, HALF, ALL, NONE, HALF)
    expect(page.locator(".tournament tbody tr")).to_have_count(3, timeout=SECONDS)
    page.get_by_text("Run again with").click()
    page.get_by_label("Seed").fill("42")
    page.get_by_label("Exact").uncheck()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/reports/*/#main")
    expect(page.locator(".verdict")).to_contain_text("seed 42", timeout=SECONDS)
    assert Report.objects.get(leaderboard=None).state == Report.State.DONE

    with page.expect_download() as saved:
        page.locator("[data-save=csv]").first.click()
    lines = Path(saved.value.path()).read_text().splitlines()
    first, *others = [line.split(",")[0].strip('"') for line in lines]
    assert (first, sorted(others)) == ("Contender", sorted(f"{name}@fp32" for name in NAMES))
    assert broken == []
