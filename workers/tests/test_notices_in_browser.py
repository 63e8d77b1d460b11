"""The bell: it counts, looks again when its page is told of news, and leads to what is new."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Browser, expect

from webapp.notices.models import Notice
from webapp.tests import factories
from workers.tests.conftest import Lab

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_the_bell_rings_without_a_reload(site: str, browser: Browser, lab: Lab) -> None:
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    page = context.new_page()
    page.goto(f"{site}/workers/")
    bell = page.locator(".bell")
    expect(bell).to_have_text("Notices")

    factories.notice(lab.owner, lab.team)
    page.wait_for_timeout(2000)  # it looks at most that often
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(bell).to_contain_text("1 unread")
    bell.click()
    page.get_by_role("link", name="Look at this, please.").click()
    expect(page).to_have_url(f"{site}/jobs/")
    expect(page.locator("#unread_count")).to_be_empty()
    assert Notice.objects.get().read_at is not None
