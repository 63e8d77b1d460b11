"""The main job, as a person does it: sign up, register, submit, watch progress, and see the board move elsewhere."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from webapp.accounts.models import Team, User, Visibility
from webapp.catalog.models import BenchmarkVersion
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.results.models import Score
from webapp.tests import factories
from workers.tests.conftest import CHECKPOINTS, Start, evaluation_worker, living, wait_until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.browser,
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
]
PASSWORD = "a long and quiet walk"
SECONDS = 60_000


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def sign_up(browser: Browser, site: str, name: str) -> Page:
    page = browser.new_context().new_page()
    page.set_default_timeout(SECONDS)
    page.goto(f"{site}/sign-up/")
    page.fill("[name=username]", name)
    page.fill("[name=email]", f"{name}@example.org")
    page.fill("[name=password]", PASSWORD)
    press(page, "Sign up")
    page.wait_for_url(f"{site}/")
    return page


def upload_benchmark(page: Page, site: str, name: str, size: int) -> BenchmarkVersion:
    """Through the page's own form, as JSON lines."""
    page.goto(f"{site}/benchmarks/new/")
    page.fill("[name=name]", name)
    lines = {"name": "sums.jsonl", "mimeType": "application/jsonl", "buffer": b"\n".join(factories.documents(size))}
    page.set_input_files("[name=documents]", files=[lines])  # type: ignore[list-item]
    press(page, "Create benchmark")
    page.wait_for_url(f"**/benchmarks/**/{name}/")
    return BenchmarkVersion.objects.get(benchmark__name=name)


def register_entry(page: Page, site: str, name: str) -> None:
    page.goto(f"{site}/entries/new/")
    page.fill("[name=name]", name)
    page.fill("[name=location]", str(CHECKPOINTS / name))
    press(page, "Register")
    page.wait_for_url(f"**/entries/**/{name}/")


def submit(page: Page, form: str) -> Job:
    page.goto(form)
    page.get_by_text("More settings").click()
    page.fill("[name=batch_size]", "1")  # slow enough to watch
    press(page, "Submit job")
    page.wait_for_url("**/jobs/*/")
    return Job.objects.get()


def make_board(owner: User, versions: list[BenchmarkVersion]) -> Leaderboard:
    team = Team.objects.get(memberships__user=owner)
    suite = factories.suite(owner, team, "basics", versions, visibility=Visibility.PUBLIC)
    return factories.board(owner, team, "main", suite, visibility=Visibility.PUBLIC)


def test_the_main_job(site: str, browser: Browser, start: Start) -> None:
    page = sign_up(browser, site, "zoe")
    register_entry(page, site, "tiny-xs")
    versions = [upload_benchmark(page, site, "sums", 60), upload_benchmark(page, site, "more-sums", 3000)]
    board = make_board(User.objects.get(username="zoe"), versions)

    watcher = browser.new_context().new_page()  # somebody who is not even signed in, on the public board
    watcher.goto(f"{site}/boards/{board.team.name}/main/")
    expect(watcher.locator("[data-live-state]")).to_have_text("Live")
    watcher.evaluate("window.neverReloaded = true")

    job = submit(page, f"{site}/jobs/new/?suite={board.suite_id}")
    expect(page.locator("#job_progress")).to_contain_text("No worker is running")
    expect(watcher.locator("#standings")).to_contain_text("queued", timeout=SECONDS)

    worker = evaluation_worker(start)
    wait_until(lambda: living("evaluation"), of=worker)
    expect(page.locator("#job_progress")).to_contain_text("so far", timeout=SECONDS)
    expect(watcher.locator("#standings")).to_contain_text("so far", timeout=SECONDS)
    wait_until(lambda: set(job.runs.values_list("state", flat=True)) == {Run.State.DONE}, seconds=120, of=worker)

    expect(page.locator("#job_progress")).to_contain_text("All 2 runs are done")
    first = job.runs.get(version=versions[0])
    assert first.mean is not None
    row = watcher.locator("#standings tr", has_text="tiny-xs@fp32")
    expect(row).to_contain_text(f"{100 * first.mean:.1f}")
    expect(row.locator("td.rank")).to_have_text("1")
    assert watcher.evaluate("window.neverReloaded"), "the board moved without a reload"

    page.goto(f"{site}/runs/{first.pk}/samples/0/")
    score = Score.objects.get(run=first, index=0)
    expect(page.locator("main")).to_contain_text("Q: 0+0")
    expect(page.locator("main")).to_contain_text(score.answer)
