"""The board in a real browser: keys, columns, several sorts, saved views, comparison, and rows that do not jump."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories
from workers.tests.conftest import Lab
from workers.tests.test_live_tournament import land

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.django_db(transaction=True)]
SECONDS = 30_000
ALL, HALF, NONE = [True] * 4, [True, False] * 2, [False] * 4
NAMES = ["tiny-xs", "tiny-s", "tiny-m"]


@pytest.fixture
def broken() -> list[str]:
    return []


@pytest.fixture
def page(lab: Lab, site: str, browser: Browser, broken: list[str]) -> Page:
    """Two of three contenders are ranked: tiny-xs before tiny-s; tiny-m waits."""
    versions = [factories.benchmark(lab.owner, lab.team, name) for name in ("a", "b")]
    suite = factories.suite(lab.owner, lab.team, "basics", versions)
    factories.job(lab.owner, lab.team, suite, [lab.entry(name) for name in NAMES])
    factories.refresh(factories.board(lab.owner, lab.team, "main", suite))
    land(ALL, HALF, HALF, HALF)
    factories.refresh(Leaderboard.objects.get())
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    page = context.new_page()
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    page.goto(f"{site}/boards/lab/main/")
    expect(page.locator("[data-live-state]")).to_have_text("Live", timeout=SECONDS)
    page.evaluate("window.neverReloaded = true")
    return page


def rows(page: Page) -> list[str]:
    return [text.partition("@")[0] for text in page.locator("tbody .who a").all_inner_texts()]


def test_by_keyboard_alone(page: Page, site: str, broken: list[str]) -> None:
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.locator(".board-box").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    focused = page.locator(":focus")
    assert focused.get_attribute("data-c"), "the first benchmark of the first contender"
    expect(page.locator("#tip")).to_contain_text("tiny-xs@fp32 on a")
    expect(page.locator("#tip")).to_contain_text("4 samples")
    page.keyboard.press("c")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    opened = page.locator("[data-tray-open]")
    expect(opened).to_have_text("Compare 2")
    assert re.fullmatch(r"/compare/\?suite=\d+&contenders=\d+,\d+", opened.get_attribute("href") or "")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("tbody td a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/runs/*/")
    assert broken == []


def test_columns_sorts_and_a_saved_view(page: Page, site: str, broken: list[str]) -> None:
    page.locator(".chooser summary").click()
    page.locator("[data-chooser]").get_by_label("b", exact=True).uncheck()
    expect(page.locator("thead th")).to_have_count(4)
    page.wait_for_url("**/?cols=-b")
    page.locator("[data-sort=name]").click()
    page.wait_for_url("**/?sort=name&cols=-b")
    page.locator("[data-sort=a]").click(modifiers=["Shift"])
    page.wait_for_url("**/?sort=name,a&cols=-b")
    page.locator("[data-sort=name]").click(modifiers=["Shift"])
    page.wait_for_url("**/?sort=-name,a&cols=-b")
    expect(page.locator("th[aria-sort]")).to_have_text(re.compile("Contender ↓1"))

    page.get_by_text("Save this view").click()
    page.get_by_label("Name").fill("My columns")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="My columns")).to_have_attribute("aria-current", "page")
    page.goto(f"{site}/boards/lab/main/")
    page.get_by_role("link", name="My columns").click()
    page.wait_for_url("**/?sort=-name,a&cols=-b")
    page.get_by_role("button", name="Delete the view My columns").click()
    expect(page.get_by_role("link", name="My columns")).to_have_count(0)
    assert broken == []


def test_rows_do_not_jump_under_the_pointer(page: Page, broken: list[str]) -> None:
    assert rows(page)[:2] == ["tiny-xs", "tiny-s"]
    first = page.locator("tbody tr").first
    first.hover()
    before = first.bounding_box()
    button = page.locator("[data-held] button")
    land(ALL, ALL)  # tiny-m: the new first
    expect(button).to_have_text(re.compile(r"^\d+ new results?: show$"), timeout=SECONDS)
    assert rows(page)[:2] == ["tiny-xs", "tiny-s"]
    assert first.bounding_box() == before, "what says that rows wait does not move them"
    button.click()
    expect(page.locator("tbody .who a").first).to_have_text("tiny-m@fp32")
    expect(page.locator("[data-held]")).to_be_hidden()
    assert page.evaluate("window.neverReloaded")
    assert broken == []


def test_rows_move_by_themselves_where_nobody_reads(page: Page) -> None:
    page.mouse.move(0, 0)
    land(ALL, ALL)
    expect(page.locator("tbody .who a").first).to_have_text("tiny-m@fp32", timeout=SECONDS)


@pytest.mark.parametrize("kind", ["ranks", "heatmap"])
def test_a_drawing_is_walked_and_saved(page: Page, broken: list[str], kind: str) -> None:
    page.get_by_role("link", name=kind.title()).click()
    figure = page.locator(f"[data-drawing={kind}]")
    figure.locator("[tabindex='0'][data-mark], svg[tabindex='0']").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#tip")).to_contain_text("tiny-s@fp32" if kind == "ranks" else "tiny-xs@fp32")
    starts = {"png": b"\x89PNG", "svg": b"<svg", "csv": b'"Contender"'}
    for ending, start in starts.items():
        with page.expect_download() as saved:
            figure.locator(f"[data-save={ending}]").click()
        assert Path(saved.value.path()).read_bytes().startswith(start)
    assert broken == []
