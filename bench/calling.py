"""Calls REST over plain connections for bench.submissions, in a process of its own: `python -m bench.calling LOAD`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from itertools import count, cycle, islice
from typing import Any
from urllib.parse import urlsplit


class Calls:
    """seeds: of the settings of each job, so that no two are the same run. spent: seconds of each call."""

    def __init__(self, load: dict[str, Any]) -> None:
        self.load, self.seeds = load, count(time.time_ns() // 10**6 % 10**9)
        self.hosts = [urlsplit(address).netloc for address in load["webs"]]
        self.statuses: Counter[str] = Counter()
        self.spent: list[float] = []
        self.began = time.perf_counter()
        self.due = self._due()

    def _due(self) -> Iterator[float]:
        """When the next call is to be made; ends with the time."""
        rate, seconds = self.load["rate"], self.load["seconds"]
        if rate:
            yield from (self.began + at / rate for at in range(rate * seconds))
        while not rate and (now := time.perf_counter()) < self.began + seconds:
            yield now

    async def line(self, host: str) -> None:
        """One connection: the next call that is due, until none is left."""
        reader, writer = await asyncio.open_connection(*host.split(":"))
        for due in self.due:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(self._request(host))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            self.statuses[head.split(b" ", 2)[1].decode()] += 1
            self.spent.append(time.perf_counter() - due)
        writer.close()

    def _request(self, host: str) -> bytes:
        seed = next(self.seeds)
        token, _, team = self.load["callers"][seed % len(self.load["callers"])].partition(" ")
        job = {"team": team, "entries": [f"{team}/entry"], "schemes": ["fp32"], "suite": f"{team}/suite"}
        body = json.dumps({**job, "settings": {"seed": seed}} if team else {"seed": seed})
        lines = (
            f"POST {self.load['path']} HTTP/1.1", f"Host: {host}", "Content-Type: application/json",
            f"Content-Length: {len(body)}", f"Authorization: Bearer {token}", f"Idempotency-Key: {uuid.uuid4()}",
        )  # fmt: skip
        return "\r\n".join([*lines, "", body]).encode()

    async def make(self) -> dict[str, Any]:
        hosts = islice(cycle(self.hosts), self.load["connections"])
        await asyncio.gather(*map(self.line, hosts))
        ordered = sorted(1000 * spent for spent in self.spent)
        return {
            "rate": len(ordered) / (time.perf_counter() - self.began),
            "p50": ordered[len(ordered) // 2],
            "p95": ordered[int(0.95 * (len(ordered) - 1))],
            "worst": ordered[-1],
            "statuses": self.statuses,
        }


async def main() -> None:
    print(json.dumps(await Calls(json.loads(sys.argv[1])).make()))


if __name__ == "__main__":
    asyncio.run(main())
