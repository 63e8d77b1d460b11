"""Workers as operators see them and hold them back: real processes in mid-run, over REST and on their page."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect

from webapp.accounts.services import create_token
from webapp.jobs.models import Job, Run, Worker
from webapp.jobs.selectors import ALIVE
from webapp.pages.templatetags.crosstable import size
from webapp.results.models import Score
from workers import devices
from workers.tests.conftest import Lab, Start, evaluation_worker, living, state, wait_until
from workers.tests.test_devices import driver
from workers.tests.test_faults import LONG, supervised

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.django_db(transaction=True)]
SECONDS = 60_000
HELD = "Every worker that could do it is paused or draining. An operator resumes them on the workers’ page."
Ask = Callable[[str, str], Any]


@pytest.fixture
def operator(lab: Lab) -> Lab:
    lab.owner.is_staff = True
    lab.owner.save()
    return lab


@pytest.fixture
def session(operator: Lab) -> str:
    client = Client()
    client.force_login(operator.owner)
    return str(client.cookies["sessionid"].value)


@pytest.fixture
def ask(operator: Lab, site: str) -> Ask:
    """The site's answer over REST to an operator: ask("get", "workers/")."""
    secret = create_token(actor=operator.owner, name="ops", scopes=["read", "admin"], days=1)[1]

    def one(method: str, address: str) -> Any:
        bearer = {"Authorization": f"Bearer {secret}"}
        answer = httpx.request(method, f"{site}/api/v1/{address}", headers=bearer, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return one


@pytest.fixture
def why(session: str, site: str) -> Callable[[Job], str]:
    """What the page of a job says of its waiting runs."""

    def said(job: Job) -> str:
        page = httpx.get(f"{site}/jobs/{job.pk}/", cookies={"sessionid": session}, timeout=30).text
        found = re.search(r"<strong>Why runs wait:</strong> ([^<]*)</p>", page)
        return unescape(found[1]) if found else ""

    return said


@pytest.fixture
def page(session: str, site: str, browser: Browser) -> Page:
    """The workers' page of an operator, which asks for itself every 5 s."""
    context = browser.new_context()
    context.set_default_timeout(SECONDS)
    context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
    page = context.new_page()
    page.goto(f"{site}/workers/")
    return page


def test_a_worker_is_drained_over_rest(operator: Lab, start: Start, ask: Ask, why: Callable[[Job], str]) -> None:
    """It finishes its run and ends, and so does its supervisor, whose only worker it was. Started again it waits."""
    supervisor = supervised(start)
    worker = Worker.objects.get()
    run = operator.job(operator.entry("tiny-m"), size=2500, settings=LONG).runs.get()
    other = operator.job(operator.entry("tiny-xs"), size=10)
    wait_until(lambda: Score.objects.filter(run=run).exists(), of=supervisor)
    assert why(other) == "Next in the queue."

    told = ask("post", f"workers/{worker.pk}/drain/")

    assert (told["mode"], told["mode_reason"], told["busy"]) == ("draining", "Drained by alice.", True)
    assert (told["run"], state(run)) == (run.pk, Run.State.RUNNING)
    assert why(other) == HELD
    wait_until(lambda: supervisor.child.poll() is not None, of=supervisor, seconds=300)
    assert supervisor.child.returncode == 0
    assert (state(run), run.attempt, run.done) == (Run.State.DONE, 1, 2500)
    assert (state(other.runs.get()), other.runs.get().attempt) == (Run.State.QUEUED, 0)
    assert why(other).startswith("No worker is running. Runs start by themselves when one does")

    again = supervised(start)
    wait_until(lambda: Worker.objects.get().seen_at > Worker.objects.get().started_at, of=again)
    assert again.child.poll() is None
    assert (Worker.objects.get().mode, state(other.runs.get())) == ("draining", Run.State.QUEUED)
    assert why(other) == HELD

    assert ask("post", f"workers/{worker.pk}/resume/")["mode"] == "working"

    wait_until(lambda: state(other.runs.get()) == Run.State.DONE, of=again)
    assert why(other) == ""


@pytest.mark.browser
def test_a_worker_is_paused_and_resumed_on_its_page(
    operator: Lab, start: Start, page: Page, why: Callable[[Job], str]
) -> None:
    """It finishes its run and stays, idle, also when it is started again."""
    first = evaluation_worker(start, "first")
    wait_until(lambda: living("first"), of=first)
    run = operator.job(operator.entry("tiny-m"), size=2500, settings=LONG).runs.get()
    other = operator.job(operator.entry("tiny-xs"), size=10)
    wait_until(lambda: Score.objects.filter(run=run).exists(), of=first)
    row = page.locator("#workers tr[data-key]")
    shows(row, "Busy")

    page.get_by_role("button", name="Pause first@test").click()

    shows(page.locator("body"), "first@test takes nothing new. A run in hand goes on to its end.")
    shows(row, "Paused by alice.")
    expect(page.get_by_role("button", name="Drain first@test")).to_have_count(0, timeout=SECONDS)
    shows(page.locator("section[aria-labelledby=queue]"), "None: 1 paused or draining")
    assert (state(run), why(other)) == (Run.State.RUNNING, HELD)
    wait_until(lambda: state(run) == Run.State.DONE, of=first, seconds=300)
    shows(row, "Idle")
    assert (run.attempt, run.done, state(other.runs.get())) == (1, 2500, Run.State.QUEUED)
    assert first.child.poll() is None

    first.stop()
    shows(row, "Stopped")
    again = evaluation_worker(start, "first")
    wait_until(lambda: living("first"), of=again)
    shows(row, "Idle")
    shows(row, "Paused by alice.")
    assert (why(other), other.runs.get().attempt) == (HELD, 0)

    page.get_by_role("button", name="Resume first@test").click()

    shows(page.locator("body"), "first@test takes runs again.")
    wait_until(lambda: state(other.runs.get()) == Run.State.DONE, of=again)
    expect(row.locator(".tag")).to_have_count(0, timeout=SECONDS)


def shows(part: Locator, text: str) -> None:
    expect(part).to_contain_text(text, timeout=SECONDS)


def cells(page: Page) -> dict[str, str]:
    """The only worker's row by the heads of its columns; what lies folded is not part of it."""
    heads = page.locator("#workers table").last.locator("thead th").all_inner_texts()
    texts = page.locator("#workers tr[data-key] > td").all_inner_texts()
    return {head.strip(): " ".join(text.split()) for head, text in zip(heads, texts, strict=True)}


def age(seen: dict[str, str]) -> float:
    """Seconds since it was heard of."""
    found = re.fullmatch(r"([0-9.]+) s ago", seen["Heard of"])
    assert found, seen
    return float(found[1])


@pytest.mark.browser
def test_what_the_page_tells_is_what_the_process_has_and_does(
    operator: Lab, start: Start, page: Page, ask: Ask
) -> None:
    supervisor = supervised(start)
    run = operator.job(operator.entry("tiny-m"), size=9000, settings=LONG).runs.get()
    wait_until(lambda: Worker.objects.get().samples_last_hour > 50, of=supervisor)
    page.reload()

    seen, (told,) = cells(page), ask("get", "workers/")

    host, process = socket.gethostname(), psutil.Process(told["environment"]["pid"])
    assert seen["Worker"] == f"evaluation-0@{host} {host}"
    assert (told["name"], told["host"]) == (f"evaluation-0@{host}", host)
    assert seen["Device"] == f"{devices.describe('cpu')} serves cpu"
    assert re.fullmatch(rf"[0-9.]+ .B of {size(told['memory_total'])}, process [0-9.]+ .B", seen["Memory free"])
    assert told["memory_total"] == psutil.virtual_memory().total
    assert 0 < told["memory_free"] < told["memory_total"]
    assert told["memory_rss"] == pytest.approx(process.memory_info().rss, rel=0.3)
    assert seen["State"] == "▶ Busy"
    assert re.fullmatch("tiny-m@fp32 on choice-9000 v1 [0-9,]+ of 9,000", seen["Run"])
    link = page.locator("#workers tr[data-key]").get_by_role("link", name="tiny-m@fp32 on choice-9000")
    assert (link.get_attribute("href"), told["run"], told["busy"]) == (f"/runs/{run.pk}/", run.pk, True)
    assert float(seen["Samples a minute"].replace(",", "")) > 0
    assert state(run) == Run.State.RUNNING
    assert 50 < told["samples_last_hour"] <= run.done
    assert told["counted_seconds"] == pytest.approx(time.time() - process.create_time(), abs=60)
    assert age(seen) < 10


def test_a_gpu_that_does_not_tell_its_memory_serves_what_its_operator_says(
    operator: Lab, start: Start, tmp_path: Path, ask: Ask
) -> None:
    seen = {"PATH": driver(tmp_path), "CUDA_VISIBLE_DEVICES": "MIG-dddd4444", "CROSSTABLE_DEVICE": "cuda:0"}
    worker = evaluation_worker(start, "part", CROSSTABLE_GPU_GB="24", **seen)
    wait_until(lambda: living("part"), of=worker)
    (told,) = ask("get", "workers/")
    assert (told["device"], told["memory_total"]) == ("MIG-dddd4444", None)
    assert told["resources"] == ["cpu", "gpu-8", "gpu-16", "gpu-24"]


@pytest.mark.browser
def test_the_page_tells_that_a_worker_is_gone(operator: Lab, start: Start, page: Page) -> None:
    """Killed in mid-run: what it had a moment ago is not shown as if it still had it."""
    worker = evaluation_worker(start, "first")
    wait_until(lambda: living("first"), of=worker)
    run = operator.job(operator.entry("tiny-m"), size=9000, settings=LONG).runs.get()
    row = page.locator("#workers tr[data-key]")
    expect(row.get_by_role("link", name="tiny-m@fp32 on choice-9000")).to_be_visible(timeout=SECONDS)

    worker.kill()

    shows(row, "Silent")
    seen = cells(page)
    assert age(seen) >= ALIVE.total_seconds()
    assert [seen[head] for head in ("Run", "Memory free", "Samples a minute")] == ["—", "—", "—"]
    assert (seen["Worker"], seen["Device"]) == ("first@test test", f"{devices.describe('cpu')} serves cpu")
    expect(page.get_by_role("button", name="Drain")).to_have_count(0, timeout=SECONDS)
    shows(page.locator("section[aria-labelledby=queue]"), "None: start one on any device")
    assert (state(run), "was lost" in run.reason) == (Run.State.QUEUED, True)
