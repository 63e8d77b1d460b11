"""From the commit of a finished run to the changed page of another browser.

    python -m bench.live [--runs 40]

Starts throw-away servers, the web over ASGI, an analysis worker and a headless Chromium with a board open. Each run is
finished through the real services in this process; a MutationObserver in the page notes when the board's cell shows
its score. Both use this machine's clock. Beside it: a request for the same fragment over HTTP, the floor for polling.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from bench.world import ready

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WATCH = """
window.seen = {};
new MutationObserver(() => {
  const now = Date.now() / 1000;
  for (const link of document.querySelectorAll("#standings td a[href^='/runs/']")) {
    if (!link.closest("td").textContent.match(/queued|so far/)) window.seen[link.getAttribute("href")] ??= now;
  }
}).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    ready()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    from webapp.tests import factories

    owner = factories.person("bench")
    board, runs = board_of(owner, options.runs)
    with site() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()
        page.goto(f"{address}/boards/{board.team.name}/{board.name}/")
        page.get_by_text("Live", exact=True).wait_for()
        page.evaluate(WATCH)
        with ThreadPoolExecutor(1) as elsewhere:  # not beside the browser's event loop
            committed = elsewhere.submit(lambda: dict(finish(len(runs)))).result()
        page.wait_for_timeout(1000)
        _report(page, committed)
        _report_polling(f"{address}/boards/{board.team.name}/{board.name}/standings/")
        browser.close()


def board_of(owner: Any, size: int) -> tuple[Any, Sequence[Any]]:
    """Five benchmarks, as many contenders as the runs need."""
    from webapp.accounts.models import Team
    from webapp.jobs.models import Run
    from webapp.tests import factories

    team = Team.objects.get()
    folder = Path(mkdtemp())
    entries = [
        factories.entry(owner, team, f"entry-{i}", factories.checkpoint(folder / str(i), width=i + 1))
        for i in range(-(-size // 5))
    ]
    versions = [factories.benchmark(owner, team, f"bench-{i}", 100) for i in range(5)]
    suite = factories.suite(owner, team, "suite", versions, visibility="public")
    board = factories.public_board(owner, team, "board", suite)
    factories.job(owner, team, suite, entries)
    return board, list(Run.objects.all())


@contextmanager
def web(application: str = "webapp.asgi:application") -> Iterator[str]:
    """An application behind uvicorn, as in production; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", application, "--port", port]
    command += ["--log-level", "warning", "--no-access-log", "--ws-per-message-deflate", "false"]
    child = subprocess.Popen(command)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            if httpx.get(f"{address}/healthz").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    try:
        yield address
    finally:
        child.terminate()
        child.wait()


@contextmanager
def site() -> Iterator[str]:
    """The web over ASGI and an analysis worker on the throw-away servers; gives the address."""
    subprocess.run([sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], check=True)
    analysis = [sys.executable, "-m", "celery", "--quiet", "-A", "webapp.celery", "worker", "-Q", "analysis"]
    child = subprocess.Popen([*analysis, "-P", "threads", "-c", "2", "-l", "WARNING"])
    try:
        with web() as address:
            time.sleep(3)
            yield address
    finally:
        child.terminate()
        child.wait()


def finish(runs: int) -> Iterator[tuple[str, float]]:
    """(address of the run's page, when its commit returned), one every third of a second."""
    from django.db import transaction

    from webapp.leaderboards.services import run_landed
    from webapp.results.services import finish_run
    from webapp.tests import factories

    for number in range(runs):
        lease = factories.claim()
        factories.score(lease, [(i + number) % 3 > 0 for i in range(100)])
        with transaction.atomic():
            run = finish_run(lease=lease, provenance={})
            run_landed(run=run)
        yield f"/runs/{run.pk}/", time.time()
        time.sleep(0.35)


def _report(page: Page, committed: dict[str, float]) -> None:
    seen = page.evaluate("window.seen")
    lost = set(committed) - set(seen)
    delays = sorted(1000 * (seen[run] - at) for run, at in committed.items() if run in seen)
    print(json.dumps({"runs": len(committed), "never shown": len(lost)}))
    print(f"commit -> changed DOM: p50 {statistics.median(delays):.0f} ms, p95 {_p95(delays):.0f} ms")


def _report_polling(address: str) -> None:
    times = []
    with httpx.Client() as client:
        for _ in range(40):
            began = time.perf_counter()
            client.get(address).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    print(f"the same fragment by HTTP: p50 {statistics.median(times):.0f} ms, p95 {_p95(sorted(times)):.0f} ms")


def _p95(ordered: Sequence[float]) -> float:
    return ordered[int(0.95 * (len(ordered) - 1))]


if __name__ == "__main__":
    main()
