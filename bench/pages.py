"""What pages cost a browser: first paint, bytes, requests, nodes and shifts, each beside a plain page.

    python -m bench.pages [--rounds 5]

Throw-away servers, the web over ASGI, and a headless Chromium with an empty cache for every load. First paint is the
browser's own first contentful paint; bytes are what came over the wire, compressed; shift is the sum of layout shifts
that nobody caused, until a second after the last request. Beside it: a page of one heading and a table of 20 rows from
a bare HTTP server, and every number as a ratio to it. Medians of the rounds. Budgets are printed with what breaks them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp

from playwright.sync_api import Browser, sync_playwright

from bench.board import seeded_board
from bench.live import FLAGS, site
from bench.world import ready

ROW = "<tr><th>contender</th><td>0.5</td></tr>"
PLAIN = f"<!doctype html><html lang=en><title>Plain</title><h1>Plain</h1><table>{20 * ROW}</table></html>".encode()
SETTLED_MS = 1000
BUDGET = {"first paint, ms": 1500.0, "bytes": 300_000.0, "requests": 30.0, "nodes": 20_000.0, "shift": 0.1}
WATCH = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
}).observe({type: "layout-shift", buffered: true});
"""
READ = """() => [performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
    document.querySelectorAll("*").length, window.shifted]"""


@dataclass(frozen=True)
class Load:
    """One load of a page with an empty cache; in the order of BUDGET."""

    paint: float
    transferred: float
    requests: float
    nodes: float
    shift: float

    @property
    def numbers(self) -> tuple[float, ...]:
        return self.paint, self.transferred, self.requests, self.nodes, self.shift


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ready()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    session, addresses = _world()
    with _plain() as plain, site() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        floor = _median([_load(browser, plain, "", session) for _ in range(rounds)])
        _print("plain page", floor, floor)
        for name, path in addresses.items():
            _print(name, _median([_load(browser, address, path, session) for _ in range(rounds)]), floor)
        browser.close()


def _world() -> tuple[str, dict[str, str]]:
    """The session of an owner, and pages by name: the ordinary ones, a report of each kind, and large boards."""
    from django.test import Client
    from django.urls import reverse

    from webapp.accounts.models import Team
    from webapp.tests import factories, reported

    owner = factories.person("owner")
    team = Team.objects.get(memberships__user=owner)
    entry = factories.entry(owner, team, "small", factories.checkpoint(Path(mkdtemp()) / "small"))
    made = reported.runs(owner, team, entry)
    boards = [reported.board(owner, team, made), seeded_board(50, 20), seeded_board(500, 100)]
    sizes = ("board 3x2", "board 50x20", "board 500x100")
    pages = {name: reverse("leaderboards:leaderboard", args=[b.team.name, b.name]) for name, b in zip(sizes, boards)}  # noqa: B905
    pages["heatmap 500x100"] = f"{pages['board 500x100']}?view=heatmap"
    reports = reported.reports(owner, team, made)
    pages |= {f"report {name}": reverse("results:report", args=[one.pk]) for name, one in reports.items()}
    run, job = made[0], made[0].jobs.get()
    pages |= {"job": reverse("jobs:job", args=[job.pk]), "run": reverse("jobs:run", args=[run.pk])}
    names = ("pages:home", "leaderboards:leaderboards", "jobs:jobs", "jobs:submit_job", "results:reports", "pages:help")
    pages |= {name.partition(":")[2]: reverse(name) for name in names}
    client = Client()
    client.force_login(owner)
    return client.cookies["sessionid"].value, pages


class _Plain(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PLAIN)))
        self.end_headers()
        self.wfile.write(PLAIN)

    def log_message(self, *_: object) -> None:
        """Silent: a line a request would be measured, too."""


@contextmanager
def _plain() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Plain)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def _load(browser: Browser, site_address: str, path: str, session: str) -> Load:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.add_cookies([{"name": "sessionid", "value": session, "url": site_address}])
    page = context.new_page()
    page.add_init_script(WATCH)
    wire: list[float] = []
    told = context.new_cdp_session(page)
    told.send("Network.enable")
    told.on("Network.loadingFinished", lambda event: wire.append(event["encodedDataLength"]))
    page.goto(f"{site_address}{path}", wait_until="networkidle")
    page.wait_for_timeout(SETTLED_MS)
    paint, nodes, shift = page.evaluate(READ)
    context.close()
    return Load(paint, sum(wire), len(wire), nodes, shift)


def _median(loads: list[Load]) -> Load:
    return Load(*map(statistics.median, zip(*(load.numbers for load in loads), strict=True)))


def _print(name: str, load: Load, floor: Load) -> None:
    parts, broken = [], []
    for (what, limit), value, least in zip(BUDGET.items(), load.numbers, floor.numbers, strict=True):
        ratio = f" ({value / least:.1f}x)" if least else ""
        parts.append(f"{what} {value:,.3f}" if what == "shift" else f"{what} {value:,.0f}{ratio}")
        broken += [what] if value > limit else []
    print(f"{name:26} {'; '.join(parts)}{'  OVER BUDGET: ' + ', '.join(broken) if broken else ''}", flush=True)


if __name__ == "__main__":
    main()
