"""Every page in a real browser: axe finds nothing serious in either theme, and no page scrolls sideways on a phone."""

from __future__ import annotations

import functools
from importlib.resources import files

import pytest
from django.test import Client
from django.urls import reverse

from webapp.results.selectors import report_address
from webapp.tests import reported
from webapp.tests.test_templates import FOR_OPERATORS, PAGES, SIGNED_OUT
from workers.tests.conftest import browser, site, start, static_files, web  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WIDTHS = (360, 768, 1440)
RULES = """async (rules) => (await axe.run(document, {resultTypes: ["violations"], ...rules})).violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ")}`)"""
CONTRAST = {"runOnly": ["color-contrast"]}


@functools.cache
def axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


def faults(page, address, name):
    """All rules in the light theme; in the dark one those of colour, for only colours differ."""
    page.emulate_media(color_scheme="light")
    page.goto(address)
    page.evaluate(axe())
    found = [f"{name}, light: {one}" for one in page.evaluate(RULES, {})]
    page.emulate_media(color_scheme="dark")
    found += [f"{name}, dark: {one}" for one in page.evaluate(RULES, CONTRAST)]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            found.append(f"{name}: {wide} pixels wide at {width}")
    return found


@pytest.fixture
def drawn(addresses, alice, team, entry):
    """(name, address) of pages that one address shows in several ways: views of a board, and a report of each kind.

    Made before the site runs, whose worker would compute the reports, too.
    """
    made = reported.runs(alice, team, entry)
    board = reverse("leaderboards:leaderboard", args=[team.name, reported.board(alice, team, made).name])
    contenders = ",".join(str(run.contender_id) for run in made[::2])
    return [
        *((f"board with {query}", f"{board}?{query}") for query in ("view=ranks", "view=heatmap", "costs=1")),
        *((f"report {name}", report_address(one)) for name, one in reported.reports(alice, team, made).items()),
        ("job with curves", reverse("jobs:job", args=[made[0].jobs.get().pk])),
        ("comparison", f"{reverse('results:compare')}?benchmark={made[0].version_id}&contenders={contenders}"),
    ]


def test_axe_finds_nothing_serious_on_any_page(drawn, site, browser, addresses, alice):  # noqa: F811 - fixtures
    client = Client()
    client.force_login(alice)
    member, anybody = browser.new_context(reduced_motion="reduce"), browser.new_context(reduced_motion="reduce")
    member.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    control = anybody.new_page()
    control.set_content("<!doctype html><html lang=en><title>t</title><main><img src=x><button></button></main>")
    control.evaluate(axe())
    assert len(control.evaluate(RULES, {})) == 2, "axe sees what is wrong"
    pages = {True: anybody.new_page(), False: member.new_page()}
    found = []
    for name in PAGES:
        alice.is_staff = name in FOR_OPERATORS
        alice.save()
        address = f"{site}{reverse(name, args=addresses.get(name, ()))}"
        found += faults(pages[name in SIGNED_OUT], address, name)
    for name, address in drawn:
        found += faults(pages[False], f"{site}{address}", name)
    assert not found, "\n".join(found)
