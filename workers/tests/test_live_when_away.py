"""Live pages without their socket: polled where sockets are blocked, caught up after the server was away, at rest where
they are not for their reader any more."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from deploy.local.servers import EmbeddedValkey
from webapp.accounts.services import remove_member, set_member
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories
from workers.tests.conftest import Lab, Start, Web, free_port, wait_until
from workers.tests.test_live_tournament import land

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.django_db(transaction=True)]
SECONDS = 30_000
RIGHTS = [True, False] * 2
Open = Callable[..., Page]


@pytest.fixture
def field(lab: Lab) -> None:
    """Two entries on one benchmark; nothing is scored yet."""
    suite = factories.suite(lab.owner, lab.team, "basics", [factories.benchmark(lab.owner, lab.team, "a")])
    factories.job(lab.owner, lab.team, suite, [lab.entry(name) for name in ("tiny-xs", "tiny-s")])
    factories.refresh(factories.board(lab.owner, lab.team, "main", suite))


@pytest.fixture
def opened(lab: Lab, field: None, site: str, browser: Browser) -> Open:
    """The board in a browser of its owner; blocked: what a proxy does that knows no WebSockets."""

    def visit(*, blocked: bool = False) -> Page:
        page = signed_in(browser, site, lab)
        if blocked:
            page.route_web_socket(re.compile("/ws/"), lambda socket: socket.close(code=1011))
        page.goto(f"{site}/boards/lab/main/")
        page.evaluate("window.neverReloaded = true")
        return page

    return visit


def signed_in(browser: Browser, site: str, lab: Lab) -> Page:
    client = Client()
    client.force_login(lab.owner)
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
    return context.new_page()


def version(page: Page) -> int:
    return int(page.locator("#standings").get_attribute("data-version") or -1)


def test_a_page_whose_sockets_are_blocked_polls_and_says_so(opened: Open) -> None:
    page = opened(blocked=True)
    sign = page.locator("[data-live-state]")
    expect(sign).to_have_text(re.compile("Reconnecting|Polling"), timeout=SECONDS)
    expect(sign).to_have_text("Polling every 3 s", timeout=SECONDS)

    land(RIGHTS)

    expect(page.locator("#standings tbody")).to_contain_text("50.0", timeout=SECONDS)
    expect(sign).to_have_text("Polling every 3 s")
    assert page.evaluate("window.neverReloaded")


def test_a_page_beyond_what_one_person_may_open_polls_and_says_so(
    lab: Lab, field: None, start: Start, static_files: dict[str, str], browser: Browser
) -> None:
    site = Web(start, {**static_files, "CROSSTABLE_LIVE_VIEWS": "1"}, free_port())
    site.up()
    first, second = (signed_in(browser, site.address, lab) for _ in range(2))
    first.goto(f"{site.address}/boards/lab/main/")
    expect(first.locator("[data-live-state]")).to_have_text("Live", timeout=SECONDS)

    second.goto(f"{site.address}/boards/lab/main/?q=tiny")

    words = "Polling every 3 s: too many live pages are open"
    expect(second.locator("[data-live-state]")).to_have_text(words, timeout=SECONDS)
    with second.expect_response(re.compile(r"/standings/\?"), timeout=SECONDS) as polled:
        pass
    assert polled.value.ok
    expect(second.locator("[data-live-state]")).to_have_text(words)


def test_a_page_catches_up_by_its_version_when_the_server_is_back(opened: Open, web: Web) -> None:
    page = opened()
    sign = page.locator("[data-live-state]")
    expect(sign).to_have_text("Live", timeout=SECONDS)
    before = version(page)

    web.down()
    expect(sign).to_have_text(re.compile("Reconnecting|Polling"), timeout=SECONDS)
    land(RIGHTS, RIGHTS)
    wait_until(lambda: Leaderboard.objects.get().stale_since is None)
    assert version(page) == before, "nobody is there to tell"
    web.up()

    expect(sign).to_have_text("Live", timeout=SECONDS)
    expect(page.locator("#standings tbody")).to_contain_text("50.0", timeout=SECONDS)
    assert version(page) == Leaderboard.objects.get().version > before
    assert page.evaluate("window.neverReloaded")


# Keeps each word that the sign of a page shows, however short.
WATCH = """() => {
  const sign = document.querySelector("[data-live-state]");
  window.shown = [sign.textContent];
  new MutationObserver(() => window.shown.push(sign.textContent)).observe(sign, { childList: true });
}"""


def test_a_page_that_opens_while_valkey_is_frozen_polls_and_is_live_only_once_it_hears(
    lab: Lab, field: None, start: Start, static_files: dict[str, str], broker: EmbeddedValkey, browser: Browser
) -> None:
    """It tries again and again, and each try ends in silence: none of them is a live page."""
    site = Web(start, {**static_files, "CHANNEL_LAYER_URL": broker.channel_layer_url()}, free_port())
    site.up()
    assert broker.process is not None
    os.kill(broker.process.pid, signal.SIGSTOP)
    page = signed_in(browser, site.address, lab)
    page.goto(f"{site.address}/boards/lab/main/")
    page.evaluate(WATCH)
    sign = page.locator("[data-live-state]")
    expect(sign).to_have_text("Polling every 3 s", timeout=SECONDS)

    factories.finish(RIGHTS)
    factories.refresh(Leaderboard.objects.get())

    expect(page.locator("#standings tbody")).to_contain_text("50.0", timeout=SECONDS)
    assert "Live" not in page.evaluate("window.shown")
    os.kill(broker.process.pid, signal.SIGCONT)
    expect(sign).to_have_text("Live", timeout=SECONDS)


def test_a_page_whose_reader_left_the_team_says_so_and_asks_no_more(opened: Open, lab: Lab) -> None:
    page = opened()
    sign = page.locator("[data-live-state]")
    expect(sign).to_have_text("Live", timeout=SECONDS)

    def leave() -> None:
        set_member(actor=lab.owner, team=lab.team, username=factories.person("heir").username, role="owner")
        remove_member(actor=lab.owner, team=lab.team, user=lab.owner)
        connections.close_all()

    with ThreadPoolExecutor(1) as elsewhere:  # nothing is pushed from the thread of the browser's loop
        elsewhere.submit(leave).result()
    expect(sign).to_have_text("Not live: not open to you any more", timeout=SECONDS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.wait_for_timeout(4000)  # longer than a poll
    assert asked == []
    assert page.evaluate("window.neverReloaded")
