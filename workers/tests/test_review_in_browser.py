"""A review in real browsers: one person asks, another rules with the keyboard alone, and the board shows the mark."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from webapp.accounts import services as accounts
from webapp.accounts.models import Role, User
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.reviews.models import Review, Verdict
from webapp.tests import factories
from workers.tests.conftest import Lab

RIGHTS = ([True, False, True, True], [True, True, False, True])
Open = Callable[[User, str], Page]


@pytest.fixture
def board(lab: Lab) -> Leaderboard:
    """Two contenders on four sums."""
    version = factories.benchmark(lab.owner, lab.team, "sums")
    suite = factories.suite(lab.owner, lab.team, "basics", [version])
    factories.job(lab.owner, lab.team, suite, [lab.entry(name) for name in ("tiny-xs", "tiny-s")])
    for rights in RIGHTS:
        factories.finish(rights)
    return factories.refresh(factories.board(lab.owner, lab.team, "main", suite))


@pytest.fixture
def reviewer(lab: Lab) -> User:
    rita = factories.person("rita")
    accounts.set_member(actor=lab.owner, team=lab.team, username="rita", role=Role.REVIEWER)
    return rita


@pytest.fixture
def broken() -> list[str]:
    """What goes wrong inside of the browsers."""
    return []


@pytest.fixture
def visit(site: str, browser: Browser, broken: list[str]) -> Open:
    """Open a page in a browser of somebody's own."""

    def opened(user: User, path: str) -> Page:
        client = Client()
        client.force_login(user)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
        page = context.new_page()
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
        page.goto(f"{site}{path}")
        return page

    return opened


def tab_to(page: Page, selector: str, *, most: int = 80) -> None:
    """Press the tabulator key until this has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


@pytest.mark.browser
@pytest.mark.process
def test_from_the_request_to_the_mark_on_the_board(
    lab: Lab, board: Leaderboard, reviewer: User, visit: Open, broken: list[str]
) -> None:
    author = visit(lab.owner, f"/boards/{lab.team.name}/main/")
    author.get_by_text("Analyses", exact=True).click()
    author.get_by_role("link", name="Request review …").click()
    author.get_by_label("rita").check()
    author.get_by_role("button", name="Request review").click()
    expect(author.locator(".review-now")).to_contain_text("Waiting for rita.")
    expect(author.locator("[data-live-state]")).to_have_text("Live")

    page = visit(reviewer, "/reviews/")
    expect(page.locator("#inbox_count")).to_contain_text("1")
    page.get_by_role("link", name=f"Sign off {board.title}").first.click()
    _rule_by_keyboard(page)
    expect(page.locator(".review-now")).to_contain_text("Approved by rita.")
    expect(page.locator("#inbox_count")).not_to_contain_text("1")

    expect(author.locator(".review-now")).to_contain_text("Approved by rita.")  # pushed, without a reload
    expect(author.locator(".review-thread")).to_contain_text("Why is this one wrong?")
    author.get_by_text("Answer …").click()
    author.get_by_label("Your answer").fill("The target is right.")
    author.get_by_role("button", name="Answer").click()
    expect(page.locator(".review-thread")).to_contain_text("The target is right.")

    _publish(visit, lab)

    page.goto(f"{page.url.partition('/reviews/')[0]}/boards/{lab.team.name}/main/")
    signed = page.locator(".board .who").get_by_role("link", name="signed off")
    expect(signed).to_have_count(2)
    signed.first.click()
    page.get_by_role("link", name="Sign-off record").click()
    expect(page.get_by_role("heading", name="Sign-off record")).to_be_visible()
    expect(page.locator("main")).to_contain_text(Review.objects.get().subject_hash)
    assert broken == []


def _publish(visit: Open, lab: Lab) -> None:
    """By another owner."""
    olga = factories.person("olga")
    accounts.set_member(actor=lab.owner, team=lab.team, username="olga", role=Role.OWNER)
    owner = visit(olga, f"/reviews/{Review.objects.get().pk}/")
    owner.get_by_role("button", name="Publish").click()
    expect(owner.locator(".review-now")).to_contain_text("Published by olga.")


def _rule_by_keyboard(page: Page) -> None:
    """Approve, with a text, and with a remark on a sample: no pointer."""
    page.wait_for_url(re.compile(r"/reviews/\d+/$"))
    tab_to(page, "input[name=ruling]")
    page.keyboard.press("Space")
    tab_to(page, "textarea[name=body]")
    page.keyboard.type("Looked at it.")
    tab_to(page, "select[name=remarks-0-place]")
    page.keyboard.type("tiny-s@")
    tab_to(page, "input[name=remarks-0-sample]")
    page.keyboard.type("2")
    tab_to(page, "textarea[name=remarks-0-text]")
    page.keyboard.type("Why is this one wrong?")
    tab_to(page, "[data-more-remarks]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.name") == "remarks-1-place", "the focus goes to the new remark"
    tab_to(page, "#rule button.primary")
    page.keyboard.press("Enter")
    expect(page.locator(".note.success")).to_have_text("Your review is submitted.")
    verdict = Verdict.objects.get()
    assert (verdict.ruling, verdict.body) == ("approve", "Looked at it.")
    run = Run.objects.get(contender__name="tiny-s@fp32")
    assert [one.anchor for one in verdict.comments.all()] == [{"run": run.pk, "sample": 2}]
