"""How fast a board answers, and how that grows: 50 x 10, 200 x 50 and 500 contenders x 100 benchmarks.

    python -m bench.board [--requests 40] [--sizes 50x10 200x50 500x100] [--data /tmp/crosstable-seed]

Throw-away servers; requests go through the whole stack of middleware in this process. Warm: the same page again.
Changed: each request is the first after a result has changed one row. Cold: the process remembers nothing of the
board. Beside the times is the processor time of this process, which other work on the machine does not lengthen.
Bytes are what is transferred with gzip; what misses its bar is marked. With --data the board of 500 x 100 is that of
bench.seed, with its 10,000,000 scores, so that costs have runs to read. Beside it: a plain Django page that makes one
query, and every time as a ratio to it.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.seed import Size, keep, seeded
from bench.timing import as_in_production, get, over, p95, plain_page, queries, times
from bench.world import ready

if TYPE_CHECKING:
    from webapp.leaderboards.models import Leaderboard

SIZES = ("50x10", "200x50", "500x100")
VIEWS = {"table": "", "page 3": "page=3", "search": "q=entry-4", "by a benchmark": "sort=-benchmark-7,name",
         "ranks": "view=ranks", "heatmap": "view=heatmap", "costs": "costs=1&sort=cost"}  # fmt: skip

BARS_MS = {"cold": 300, "changed": 300, "warm": 100}
MOST_QUERIES, MOST_KB = 12, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--data", type=Path, help="a folder of bench.seed")
    options = parser.parse_args()
    if options.data:
        keep(options.data)
    ready()
    as_in_production()
    floor = plain_page(options.requests)
    print(f"plain page, one query: p50 {floor:.1f} ms")
    for size in options.sizes:
        contenders, benchmarks = map(int, size.split("x"))
        full = options.data and size == SIZES[-1]
        board = seeded(Size(contenders, benchmarks, 10_000_000)) if full else seeded_board(contenders, benchmarks)
        print(f"--- {size}")
        for name, query in VIEWS.items():
            _measure(board, name, query, options.requests, floor)


def seeded_board(contenders: int, benchmarks: int, *, seed: int = 1) -> Leaderboard:
    """A public board whose standings are as a refresh leaves them; two thirds of its cells are finished for all."""
    from webapp.accounts.models import User
    from webapp.accounts.services import create_team
    from webapp.catalog.models import Benchmark, BenchmarkVersion, Suite, SuiteItem
    from webapp.leaderboards.models import Leaderboard

    name = f"bench-{contenders}x{benchmarks}"
    if there := Leaderboard.objects.filter(team__name=name).first():  # in a folder that was kept
        return there
    user, _ = User.objects.get_or_create(username="bench", email="bench@example.org")
    team = create_team(actor=user, name=name, title="Bench")
    owned = {"team": team, "created_by": user, "visibility": "public"}
    suite = Suite.objects.create(name="suite", **owned)
    for b in range(benchmarks):
        version = BenchmarkVersion.objects.create(
            benchmark=Benchmark.objects.create(name=f"benchmark-{b}", **owned),
            number=1, content_hash=str(b), kind="multiple_choice", metric="acc", samples=500, created_by=user,
        )  # fmt: skip
        SuiteItem.objects.create(suite=suite, position=b, version=version)
    board = Leaderboard.objects.create(name="board", title="Measured board", suite=suite, version=1, **owned)
    _fill(board, owned, np.random.default_rng(seed).random((contenders, benchmarks)))
    return board


def _fill(board: Leaderboard, owned: dict[str, Any], means: np.ndarray) -> None:
    from webapp.catalog.models import Contender, EntryVersion, ModelEntry
    from webapp.leaderboards.models import Standing

    size = len(means)
    tagged = [["open", f"size-{at % 5}"] for at in range(size)]
    entries = ModelEntry.objects.bulk_create(
        ModelEntry(name=f"entry-{at}", title=f"Entry number {at}", tags=tagged[at], **owned) for at in range(size)
    )
    versions = EntryVersion.objects.bulk_create(
        EntryVersion(entry=one, number=1, source="directory", location="/x", fingerprint=one.name, parameters=7 * 10**9,
                     created_by=owned["created_by"])
        for one in entries
    )  # fmt: skip
    contenders = Contender.objects.bulk_create(
        Contender(version=one, scheme="bf16", name=f"{one.entry.name}@bf16") for one in versions
    )
    Standing.objects.bulk_create(
        Standing(leaderboard=board, contender=one, position=at + 1, rank_low=max(1, at - 3),
                 rank_high=min(size, at + 5), value=float(size - at), error=0.01,
                 changed_in=1, cells=_cells(at, means[at]))
        for at, one in enumerate(contenders)
    )  # fmt: skip


def _cells(row: int, means: np.ndarray) -> list[list[Any]]:
    first = row * len(means)
    return [
        ["done", first + at, round(mean, 3), round(max(0, mean - 0.043), 4), round(min(1, mean + 0.042), 4), 500, 500]
        for at, mean in enumerate(means.tolist())
    ]


def _measure(board: Leaderboard, name: str, query: str, requests: int, floor: float) -> None:
    address = f"/boards/{board.team.name}/{board.name}/?{query}"
    few = max(5, requests // 4)
    for kind, count, before in (("cold", few, _forget), ("changed", few, _change), ("warm", requests, _nothing)):
        spent = Spent()
        taken = times(spent.of(lambda: get(address)), count, before=lambda: before(board))  # noqa: B023 - called here
        usual, most = statistics.median(taken), p95(taken)
        print(
            f"{name:<14} {kind:<7}: p50 {usual:5.0f} ms, p95 {most:5.0f} ms, {most / floor:5.1f} x the plain page, "
            f"{statistics.median(spent.seconds[1:]) * 1000:5.0f} ms of processor{over(most, BARS_MS[kind])}"
        )
    _forget(board)
    asked = queries(address)
    body = get(address)
    sent = len(body) / 1000
    sizes = f"{sent:.0f} kB compressed of {len(gzip.decompress(body)) / 1000:.0f} kB{over(sent, MOST_KB)}"
    print(f"{name:<14} {asked} queries{over(asked, MOST_QUERIES)}, {sizes}", flush=True)


class Spent:
    """Seconds of processor time of each call."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def of(self, action: Callable[[], object]) -> Callable[[], None]:
        def measured() -> None:
            began = time.process_time()
            action()
            self.seconds.append(time.process_time() - began)

        return measured


def _nothing(board: Leaderboard) -> None:
    """The same page again."""


def _change(board: Leaderboard) -> None:
    """What a refresh leaves after one run: a new version, and in it one row of other cells."""
    from django.db.models import F

    from webapp.leaderboards.models import Leaderboard

    Leaderboard.objects.filter(pk=board.pk).update(version=F("version") + 1)
    board.refresh_from_db(fields=["version"])
    first = board.standings.order_by("position").values("pk")[:1]
    board.standings.filter(pk__in=first).update(changed_in=board.version)


def _forget(board: Leaderboard) -> None:
    """For the process it is another board, made a moment later."""
    from django.db.models import F

    from webapp.leaderboards.models import Leaderboard

    Leaderboard.objects.filter(pk=board.pk).update(created_at=F("created_at") + timedelta(microseconds=1))


if __name__ == "__main__":
    main()
