"""The compare page in a real browser: choosing, filters without a reload, and the keyboard from sample to sample."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from webapp.jobs.models import Run
from webapp.tests import factories
from workers.tests.conftest import Lab

RIGHTS = ([True, False, True, True], [True, True, False, True], [False, False, False, True])


@pytest.fixture
def runs(lab: Lab) -> list[Run]:
    """Three entries on four sums."""
    version = factories.benchmark(lab.owner, lab.team, "sums")
    suite = factories.suite(lab.owner, lab.team, "basics", [version])
    factories.job(lab.owner, lab.team, suite, [lab.entry(name) for name in ("tiny-xs", "tiny-s", "tiny-m")])
    return [factories.finish(rights) for rights in RIGHTS]


@pytest.fixture
def broken() -> list[str]:
    """What goes wrong inside of the browser."""
    return []


@pytest.fixture
def page(lab: Lab, site: str, browser: Browser, runs: list[Run], broken: list[str]) -> Page:
    """The first screen, as the owner sees it."""
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    page = context.new_page()
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    page.goto(f"{site}/compare/")
    return page


@pytest.mark.browser
@pytest.mark.process
def test_from_the_choice_to_one_sample_and_back(page: Page, runs: list[Run], broken: list[str]) -> None:
    page.locator(f'a[href="?benchmark={runs[0].version_id}"]').click()
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()
    for box in page.locator("input[name=contenders]").all():
        box.check()
    expect(page.locator("[data-compare-count]")).to_contain_text("3 chosen")
    compare.click()
    page.wait_for_url(re.compile(r"/compare/\?benchmark=\d+&contenders=\d+,\d+,\d+$"))
    expect(page.locator(".compare-pairs tbody tr")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "only boxes scroll sideways"

    page.evaluate("window.neverReloaded = true")
    page.get_by_role("link", name="Disagree 3").click()
    expect(page.locator(".compare-list tbody tr")).to_have_count(3)
    page.wait_for_url(re.compile("filter=disagree$"))
    assert page.evaluate("window.neverReloaded")

    page.locator(".compare-list tbody a").first.click()
    shows_sample(page, 0)
    page.keyboard.press("j")
    shows_sample(page, 1)
    page.keyboard.press("k")
    shows_sample(page, 0)
    page.keyboard.press("u")
    page.wait_for_url(re.compile("filter=disagree#samples$"))
    expect(page.locator(".compare-list tbody tr")).to_have_count(3)
    assert broken == []


def shows_sample(page: Page, index: int) -> None:
    """The page of this sample, with its scripts: keys are heard from then on."""
    expect(page.get_by_role("heading", name=f"Sample {index}", exact=True)).to_be_visible()
    page.wait_for_load_state("load")
