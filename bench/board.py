"""How fast a board answers, and how that grows: 50 x 10, 200 x 50 and 500 contenders x 100 benchmarks.

    python -m bench.board [--requests 40] [--sizes 50x10 200x50 500x100] [--data /tmp/crosstable-seed]

Throw-away servers; requests go through the whole stack of middleware in this process. Warm: the same page again. Cold:
each request is the first after a new version of the board, with nothing of it remembered. Bytes are what is
transferred with gzip. With --data the board of 500 x 100 is that of bench.seed, with its 10,000,000 scores, so that
costs have runs to read. Beside it: a plain Django page that makes one query, and every time as a ratio to it.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.seed import Size, keep, seeded
from bench.timing import as_in_production, get, p95, plain_page, queries, times
from bench.world import ready

if TYPE_CHECKING:
    from webapp.leaderboards.models import Leaderboard

SIZES = ("50x10", "200x50", "500x100")
VIEWS = {"table": "", "page 3": "page=3", "search": "q=entry-4", "by a benchmark": "sort=-benchmark-7,name",
         "ranks": "view=ranks", "heatmap": "view=heatmap", "costs": "costs=1&sort=cost"}  # fmt: skip


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
    from webapp.accounts.models import Team, User
    from webapp.accounts.services import create_team
    from webapp.catalog.models import Benchmark, BenchmarkVersion, Suite, SuiteItem
    from webapp.leaderboards.models import Leaderboard

    name = f"bench-{contenders}x{benchmarks}"
    user, _ = User.objects.get_or_create(username="bench", email="bench@example.org")
    team = Team.objects.filter(name=name).first() or create_team(actor=user, name=name, title="Bench")
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
    cold = times(lambda: get(address), max(5, requests // 4), before=lambda: _new_version(board))
    warm = times(lambda: get(address), requests)
    _new_version(board)
    asked = queries(address)
    body = get(address)
    sizes = f"{len(body) / 1000:.0f} kB compressed of {len(gzip.decompress(body)) / 1000:.0f} kB"
    for kind, taken in (("warm", warm), ("cold", cold)):
        usual, most = statistics.median(taken), p95(taken)
        print(f"{name:<14} {kind}: p50 {usual:5.0f} ms, p95 {most:5.0f} ms, {most / floor:5.1f} x the plain page")
    print(f"{name:<14} {asked} queries, {sizes}")


def _new_version(board: Leaderboard) -> None:
    from django.db.models import F

    from webapp.leaderboards.models import Leaderboard

    Leaderboard.objects.filter(pk=board.pk).update(version=F("version") + 1)


if __name__ == "__main__":
    main()
