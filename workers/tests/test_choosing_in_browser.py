"""Choosing among hundreds of entries in a real browser, by keys: what was ticked before is sent with what is found."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from webapp.catalog.models import EntryVersion
from webapp.jobs.choosing import LISTED
from webapp.jobs.models import Job
from webapp.tests import factories
from workers.tests.conftest import CHECKPOINTS, Lab
from workers.tests.test_by_keyboard import press
from workers.tests.test_review_in_browser import tab_to

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.django_db(transaction=True)]
BOXES = "input[name=entries]"


@pytest.fixture
def page(lab: Lab, site: str, browser: Browser) -> Page:
    lab.sums(4)
    factories.many_entries(lab.owner, lab.team, [f"llama-{at}" for at in range(LISTED + 10)], below=CHECKPOINTS)
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context(base_url=site)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    return context.new_page()


def box(page: Page, name: str) -> str:
    """The selector of an entry's box."""
    return f'{BOXES}[value="{EntryVersion.objects.get(entry__name=name).pk}"]'


def look_for(page: Page, words: str) -> None:
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(words)


def test_entries_are_found_ticked_and_sent(page: Page) -> None:
    page.goto("/jobs/new/")
    expect(page.locator(BOXES)).to_have_count(LISTED)
    tab_to(page, "#find")

    look_for(page, "llama-1")  # 1, and 10 to 19
    expect(page.locator(BOXES)).to_have_count(11)
    page.keyboard.press("Enter")
    assert page.url.endswith("/jobs/new/"), "Enter looks, and sends nothing"
    tab_to(page, box(page, "llama-17"))
    page.keyboard.press("Space")

    page.locator("#find").focus()
    look_for(page, "llama-3")
    expect(page.locator(BOXES)).to_have_count(12)  # 3, 30 to 39, and the chosen one
    expect(page.locator("#find")).to_be_focused()
    assert page.locator(BOXES).first.is_checked(), "the chosen one is on top"
    expect(page.locator("#entry_choices [role=status]")).to_have_text("11 entries match.")
    tab_to(page, box(page, "llama-3"))
    page.keyboard.press("Space")
    expect(page.locator("#estimate_job")).to_contain_text("2")
    press(page, "main form button.primary")

    page.wait_for_url(re.compile(r"/jobs/\d+/$"))
    versions = Job.objects.get().runs.values_list("contender__version__entry__name", flat=True)
    assert set(versions) == {"llama-3", "llama-17"}
