"""A “?” in a real browser: by keyboard, by touch, and inside what a phone shows."""

from __future__ import annotations

import pytest

from workers.tests.conftest import browser  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ASK = "button[popovertarget=about-rank]"


@pytest.fixture
def address(request, transactional_db, quick_settings):
    return f"{request.getfixturevalue('live_server').url}/design/"


def test_a_question_mark_opens_by_keyboard_and_closes_again(address, browser):  # noqa: F811 - the fixture
    page = browser.new_page()
    page.goto(address)
    told = page.locator("#about-rank")

    page.locator(ASK).focus()
    page.keyboard.press("Enter")
    assert told.is_visible()
    assert "places that the data allow" in told.inner_text()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#about-rank') !== null"), "its links come next"
    page.keyboard.press("Escape")
    assert told.is_hidden()
    assert page.evaluate(f"document.activeElement.matches('{ASK}')"), "the focus is back"


def test_a_finger_opens_it_and_all_of_it_is_on_the_screen(address, browser):  # noqa: F811 - the fixture
    page = browser.new_context(viewport={"width": 360, "height": 700}, has_touch=True).new_page()
    page.goto(address)
    page.locator(ASK).scroll_into_view_if_needed()

    page.locator(ASK).tap()

    box = page.locator("#about-rank").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 700
    assert page.locator("#about-swiss").is_hidden()
