"""How many jobs a second are taken over REST: 200 a second for 30 seconds, and as many as there is room for.

    python -m bench.submissions [--rate 200] [--seconds 30] [--processes 1 2] [--connections 16 32 64]

Throw-away servers; the web over ASGI (one uvicorn, then two), the caller is a process of its own with plain HTTP/1.1
connections, spread evenly over the web processes as a proxy spreads them. 20 people of 4 teams submit with tokens; each
call has its own Idempotency-Key and makes a job of one new run. First as fast as connections allow, for three numbers
of them; then on a timetable: a call that is late because all connections are busy counts from when it was due. Beside
it: a bare DRF view that inserts one row, behind the same middleware, and every rate as a ratio to it. PostgreSQL,
Valkey and the caller share the machine. Fails unless each answer was 202.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp

import psutil

from bench.live import web
from bench.world import ready

PEOPLE, TEAMS = 20, 4
SECONDS_OF_TRIAL = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 32, 64])
    options = parser.parse_args()
    os.environ["CROSSTABLE_API_RATE"] = "1000000/min"  # how fast, not how often a person may
    ready()
    callers, answers = _callers(), Counter[str]()
    subprocess.run([sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], check=True)
    for processes in options.processes:
        with ExitStack() as servers:
            webs = [servers.enter_context(web("bench.bare:application")) for _ in range(processes)]
            print(f"--- {processes} web process{'es' if processes > 1 else ''}, {os.cpu_count()} cores for everything")
            _call(Load(webs, "/api/v1/jobs/", callers, connections=8, seconds=3, rate=0))  # warm
            for connections in options.connections:
                trial = {"connections": connections, "seconds": SECONDS_OF_TRIAL, "rate": 0}
                floor = _call(Load(webs, "/bare/", [""], **trial))
                print(f"bare view, {connections} connections: {floor}", flush=True)
                taken = _call(Load(webs, "/api/v1/jobs/", callers, **trial))
                print(f"jobs, {connections} connections: {taken}; {taken.rate / floor.rate:.2f} of the bare view")
                answers.update(taken.statuses)
            due = {"connections": options.connections[-1], "seconds": options.seconds, "rate": options.rate}
            found = _call(Load(webs, "/api/v1/jobs/", callers, **due))
            print(f"jobs on a timetable of {options.rate} a second for {options.seconds} s: {found}", flush=True)
            answers.update(found.statuses)
    _count()
    if set(answers) != {"202"}:
        sys.exit(f"not every job was taken: {dict(answers)}")


def _callers() -> list[str]:
    """Token and team of each person, with a blank between."""
    from webapp.accounts.services import create_token, set_member
    from webapp.tests import factories

    found = []
    people = [factories.person(f"person-{at}") for at in range(PEOPLE)]
    for at, owner in enumerate(people[:TEAMS]):
        team = owner.memberships.get().team
        folder = factories.checkpoint(Path(mkdtemp()) / "weights", width=at + 1)
        factories.entry(owner, team, "entry", folder)
        factories.suite(owner, team, "suite", [factories.benchmark(owner, team, "sums")])
        for person in people[at::TEAMS]:
            if person != owner:
                set_member(actor=owner, team=team, username=person.username, role="submitter")
            _, secret = create_token(actor=person, name="bench", scopes=["read", "submit"], days=1)
            found.append(f"{secret} {team.name}")
    return found


@dataclass(frozen=True)
class Load:
    """rate: calls a second on a timetable; 0: the next one when the last is answered."""

    webs: list[str]
    path: str
    callers: list[str]
    connections: int
    seconds: int
    rate: int


@dataclass(frozen=True)
class Taken:
    """rate: answers a second; p50, p95, worst: milliseconds until the answer; statuses by number; cpu_ms: milliseconds
    of CPU for each answer, by server, which other work on the machine hardly changes; stolen: the share of all cores'
    time that the host of this virtual machine gave to others meanwhile (Linux)."""

    rate: float
    p50: float
    p95: float
    worst: float
    statuses: dict[str, int]
    cpu_ms: dict[str, float]
    stolen: float

    def __str__(self) -> str:
        cpu = ", ".join(f"{name} {spent:.1f} ms" for name, spent in self.cpu_ms.items())
        return (
            f"{self.rate:.0f} a second, p50 {self.p50:.0f} ms, p95 {self.p95:.0f} ms, worst {self.worst:.0f} ms, "
            f"answers {self.statuses}; CPU each: {cpu}; {self.stolen:.0%} stolen"
        )


def _call(load: Load) -> Taken:
    spent = {name: _cpu_seconds(processes) for name, processes in _servers().items()}
    stolen, began = _stolen_seconds(), time.perf_counter()
    told = json.loads(
        subprocess.run(
            [sys.executable, "-m", "bench.calling", json.dumps(asdict(load))],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    answers = sum(told["statuses"].values())
    cpu_ms = {name: 1000 * (_cpu_seconds(found) - spent[name]) / answers for name, found in _servers().items()}
    share = (_stolen_seconds() - stolen) / (time.perf_counter() - began) / (os.cpu_count() or 1)
    return Taken(**told, cpu_ms=cpu_ms, stolen=share)


def _stolen_seconds() -> float:
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def _servers() -> dict[str, list[psutil.Process]]:
    """Web and database, each with its children."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        database = psutil.Process(cursor.fetchone()[0]).parent()
    assert database is not None
    web = [child for child in psutil.Process().children() if "uvicorn" in " ".join(child.cmdline())]
    return {
        "web": [process for root in web for process in (root, *root.children(recursive=True))],
        "database": [database, *database.children(recursive=True)],
    }


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum((each.user + each.system for each in times), 0.0)


def _count() -> None:
    """Every accepted call is a job with one run of its own."""
    from webapp.jobs.models import Job, Run

    print(f"in the database: {Job.objects.count():,} jobs, {Run.objects.count():,} runs")


if __name__ == "__main__":
    main()
