"""How 100, 300 and 1,000 viewers of one web process learn of a finished run: when the last of them has it.

    python -m bench.sockets [--viewers 100 300 1000] [--runs 20]

Throw-away servers; the web over ASGI, an analysis worker and the viewers are processes of their own. Each run is
finished through the real services here. From the commit of the run to the last byte at the last viewer; then the same
for a board of 500 x 100, where runs of the first rows get another result and land while the worker is still ordering
the board for those before. Drawings are counted by the web itself, and its memory is read before and after the viewers
come. Beside it: an echo consumer, which sends as many bytes to as many viewers over the same channel layer, and every
time as a ratio to it.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import psutil

from bench.live import board_of, finish, site, web
from bench.seed import Size, seeded
from bench.world import ready

if TYPE_CHECKING:
    from webapp.leaderboards.models import Leaderboard

BAR_MS, BAR_KB = 400, 100
LANDINGS = 10  # of the large board
PAUSE = 0.6  # seconds between two changes
TOKEN = "bench-reads-metrics"  # noqa: S105 - of a throw-away server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    os.environ["CROSSTABLE_METRICS_TOKEN"] = TOKEN
    ready()
    from webapp.tests import factories

    board, _ = board_of(factories.person("bench"), options.runs * len(options.viewers))
    large = seeded(Size(500, 100, 5_000_000, with_rows=False))
    for count in options.viewers:
        with site() as address:
            print(f"--- {count:,} viewers of one web process")
            small = _measure(address, board, count, lambda: dict(finish(options.runs)), _shows_run)
            big = _measure(address, large, count, lambda: dict(_landings(large)), _shows_landing)
        with web("bench.echo:application") as address:
            for found in (small, big):
                _compare(address, count, found)


@dataclass(frozen=True)
class Found:
    """delays: milliseconds from each change to the last viewer."""

    delays: list[float]
    size: int

    def __str__(self) -> str:
        ordered = sorted(self.delays)
        p95 = ordered[int(0.95 * (len(ordered) - 1))]
        return f"p50 {statistics.median(ordered):.0f} ms, p95 {p95:.0f} ms, worst {ordered[-1]:.0f} ms"


class Viewers:
    """What came to each of them, once they have left."""

    arrivals: list[list[tuple[float, str]]]
    bodies: dict[str, bytes]

    def delays(self, changes: Mapping[str, float], shows: Callable[[bytes, str], bool]) -> list[float]:
        """Milliseconds from each change until all of them had been sent a body that shows it."""
        found = []
        for name, at in changes.items():
            good = {digest for digest, body in self.bodies.items() if shows(body, name)}
            last = max(min(when for when, digest in own if digest in good) for own in self.arrivals)
            found.append(1000 * (last - at))
        return found


@contextmanager
def _viewers(address: str, path: str, count: int) -> Iterator[Viewers]:
    command = [sys.executable, "-m", "bench.viewers", str(urlsplit(address).port), path, str(count)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    time.sleep(2)
    viewers = Viewers()
    yield viewers
    told = json.loads(child.communicate()[0])
    viewers.arrivals = told["arrivals"]
    viewers.bodies = {digest: base64.b64decode(body) for digest, body in told["bodies"].items()}


def _measure(
    address: str,
    board: Leaderboard,
    count: int,
    change: Callable[[], dict[str, float]],
    shows: Callable[[bytes, str], bool],
) -> Found:
    board.refresh_from_db()
    httpx.get(f"{address}/boards/{board.team.name}/{board.name}/").raise_for_status()
    process, before = _web_process(), _memory()
    path = f"/ws/boards/{board.team.name}/{board.name}/?packed=1&changes=1&version={board.version}"
    with _viewers(address, path, count) as viewers:
        each = (_memory() - before) / count / 1000
        drawn = _drawings(address)
        spent = sum(process.cpu_times()[:2])
        changes = change()
        time.sleep(2)
        spent = sum(process.cpu_times()[:2]) - spent
        drawn = _drawings(address) - drawn
        after = (_memory() - before) / count / 1000
    found = Found(viewers.delays(changes, shows), max(map(len, viewers.bodies.values())))
    print(
        f"{board.title}: {len(changes)} changes reach the last of {count:,} in {found} (bar {BAR_MS}); "
        f"{1000 * spent / len(changes):.0f} ms of the web's processor a change; "
        f"{drawn:.0f} drawings for {len(viewers.bodies)} different fragments of {found.size / 1000:.0f} kB; "
        f"{each:.0f} kB a viewer, {after:.0f} kB after the pushes (bar {BAR_KB}); "
        f"web process {process.memory_info().rss / 1e6:.0f} MB",
        flush=True,
    )
    return found


def _shows_run(body: bytes, address: str) -> bool:
    """Its cell has a finished score: the ends of an interval, and a number of samples."""
    shown = rf'href="{address}" tabindex="-1" data-c="[\d.]+ [\d.]+ \d+"'
    return re.search(shown, gzip.decompress(body).decode()) is not None


def _shows_landing(body: bytes, landing: str) -> bool:
    """Its cell has the number of samples that the landing gave it."""
    address, _, samples = landing.partition("#")
    shown = rf'href="{address}" tabindex="-1" data-c="[\d.]+ [\d.]+ {samples}"'
    return re.search(shown, gzip.decompress(body).decode()) is not None


def _landings(board: Leaderboard) -> Iterator[tuple[str, float]]:
    """(address of the run's page and its new number of samples, when its commit returned)."""
    from django.db import transaction

    from webapp.jobs.models import Run
    from webapp.leaderboards.services import run_landed

    for at, standing in enumerate(board.standings.order_by("position")[:LANDINGS]):
        run, samples = Run.objects.get(pk=standing.cells[at][1]), int(time.time()) % 1_000_000
        with transaction.atomic():
            Run.objects.filter(pk=run.pk).update(done=samples, total=samples)
            run_landed(run=run)
        yield f"/runs/{run.pk}/#{samples}", time.time()
        time.sleep(2 * PAUSE)


def _web_process() -> psutil.Process:
    """The uvicorn that we have started."""
    return next(one for one in psutil.Process().children() if "uvicorn" in one.cmdline())


def _memory() -> int:
    """Bytes that only the web process uses."""
    return int(_web_process().memory_full_info().uss)


def _drawings(address: str) -> float:
    answer = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).raise_for_status()
    return float(re.search(r"^crosstable_live_drawings_total (\S+)", answer.text, re.MULTILINE)[1])  # type: ignore[index]


def _compare(address: str, count: int, found: Found) -> None:
    with _viewers(address, "/", count) as viewers:
        changes = dict(_echoes(found.size))
        time.sleep(2)
    echo = Found(viewers.delays(changes, lambda body, name: body[:8] == int(name).to_bytes(8, "big")), found.size)
    ratio = statistics.median(found.delays) / statistics.median(echo.delays)
    print(f"echo of {found.size / 1000:.0f} kB to {count:,}: {echo}; ours takes {ratio:.1f} x as long", flush=True)


def _echoes(size: int) -> Iterator[tuple[str, float]]:
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    from bench.echo import GROUP

    layer: Any = get_channel_layer()
    for number in range(LANDINGS):
        began = time.time()
        async_to_sync(layer.group_send)(GROUP, {"type": "told", "number": number, "size": size})
        yield str(number), began
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
