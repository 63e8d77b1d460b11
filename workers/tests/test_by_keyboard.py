"""Without a mouse: a job is submitted and cancelled in a real browser by keys alone. (For a ruling see the review.)"""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories
from workers.tests.conftest import Lab
from workers.tests.test_review_in_browser import tab_to

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.django_db(transaction=True)]
SECONDS = 30_000


@pytest.fixture
def board(lab: Lab) -> Leaderboard:
    lab.entry("tiny-xs")
    versions = [factories.benchmark(lab.owner, lab.team, name) for name in ("a", "b")]
    return factories.board(lab.owner, lab.team, "main", factories.suite(lab.owner, lab.team, "basics", versions))


@pytest.fixture
def page(lab: Lab, board: Leaderboard, site: str, browser: Browser) -> Page:
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context(base_url=site)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    return context.new_page()


def press(page: Page, selector: str) -> None:
    """Tab to a control that shows its focus, and press Enter on it."""
    tab_to(page, selector)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", f"{selector} does not show that it has the focus"
    page.keyboard.press("Enter")


def test_from_the_board_to_a_job_and_its_end(page: Page, board: Leaderboard) -> None:
    page.goto(f"/boards/{board.team.name}/{board.name}/")
    press(page, "a.skip")
    press(page, "a.button.primary[href^='/jobs/new/']")
    page.wait_for_url("**/jobs/new/?suite=*")
    tab_to(page, "input[name=entries]")
    if not page.locator("input[name=entries]").first.is_checked():
        page.keyboard.press("Space")
    tab_to(page, "input[name=schemes]")
    assert page.locator("input[name=schemes]:checked").count(), "a scheme is chosen to begin with"
    press(page, "main form button.primary")
    page.wait_for_url("**/jobs/*/")
    job = Job.objects.get()
    assert set(job.runs.values_list("state", flat=True)) == {Run.State.QUEUED}
    expect(page.locator("[data-live-state]")).to_have_text("Live", timeout=SECONDS)
    expect(page.locator("#job_progress")).to_contain_text("No worker is running")

    press(page, "button[form=cancel]")

    expect(page.locator("#job_progress")).to_contain_text("Cancelled", timeout=SECONDS)
    press(page, "button[form=retry]")
    expect(page.locator("#job_progress")).to_contain_text("Queued", timeout=SECONDS)
    assert set(job.runs.values_list("state", flat=True)) == {Run.State.QUEUED}
