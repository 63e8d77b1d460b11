"""Many short runs on several workers while processes are killed at random: nothing is lost, nothing is done twice.

    python -m bench.chaos [--runs 200] [--workers 3] [--seconds 120] [--kill worker,web,analysis,broker,postgres]

Real servers and processes on one machine. The same runs are made twice: in quiet, then while kill -9 hits workers, the
web, the analysis worker with its clock, the broker and PostgreSQL. Afterwards every run of both rounds is done exactly
once, and every sample has the score and the text that it has in quiet. It strikes only while a run is under way, and a
worker only while it holds one: often before its first sample. Three times in a row is chance here, so runs have more
attempts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from deploy.local.servers import EmbeddedPostgres, EmbeddedValkey, ServerError

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINTS = ROOT / "deploy/demo/checkpoints"
WEIGHTS = {"worker": 5, "web": 1, "analysis": 1, "broker": 1, "postgres": 1}
BATCH = 2
BENCHMARKS = ("first", "second", "third", "fourth", "fifth")
T = TypeVar("T")
dice = random.Random()  # when and what is struck


@dataclass
class Program:
    """A child that is started again whenever it has ended."""

    name: str
    command: Sequence[str]
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def look_after(self) -> None:
        if self.child is None or self.child.poll() is not None:
            with self.log.open("ab") as out:
                self.child = subprocess.Popen(
                    [sys.executable, "-m", *self.command], cwd=ROOT, stdout=out, stderr=out, start_new_session=True
                )

    def signal(self, number: signal.Signals) -> None:
        if self.child is not None and self.child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        if self.child is not None:
            with suppress(subprocess.TimeoutExpired):
                self.child.wait(40)
            self.signal(signal.SIGKILL)


@dataclass
class Platform:
    """Servers and programs, and what has been killed of them."""

    folder: Path
    workers: int
    lease: int
    postgres: EmbeddedPostgres = field(init=False)
    broker: EmbeddedValkey = field(init=False)
    programs: dict[str, Program] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.folder.chmod(0o711)
        self.postgres = EmbeddedPostgres(self.folder / "postgres").start()
        self.broker = EmbeddedValkey(self.folder / "broker").start()
        (self.folder / "var").mkdir()
        os.environ |= {
            "DATABASE_URL": self.postgres.url(),
            "BROKER_URL": self.broker.url(),
            "CHANNEL_LAYER_URL": self.broker.channel_layer_url(),
            "CROSSTABLE_DATA": str(self.folder / "var"),
            "CROSSTABLE_MODEL_ROOTS": str(CHECKPOINTS),
            "CROSSTABLE_LEASE_SECONDS": str(self.lease),
            "CROSSTABLE_RUN_ATTEMPTS": "8",
            "SECRET_KEY": "only for this measurement, thrown away with it",
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
            "OMP_NUM_THREADS": "1",
            "LOG_LEVEL": "WARNING",
        }

    def start(self) -> None:
        quiet = ("--without-gossip", "--without-mingle", "-l", "WARNING")
        celery = ("celery", "--quiet", "-A", "webapp.celery", "worker", *quiet)
        beat = ("-B", "--scheduler", "celery.beat:Scheduler")
        web = ("uvicorn", "webapp.asgi:application", "--port", str(_free_port()), "--lifespan", "on")
        named = {
            "workers": ("workers", "--devices", ",".join(["cpu"] * self.workers)),
            "analysis": (*celery, "-P", "threads", "-c", "2", *beat, "-Q", "analysis", "-n", "analysis@chaos"),
            "web": (*web, "--log-level", "warning"),
        }
        self.programs = {name: Program(name, words, self.folder / f"{name}.log") for name, words in named.items()}
        self.look_after()

    def look_after(self) -> None:
        """What a service manager does: start again what has ended."""
        for program in self.programs.values():
            program.look_after()
        for server in (self.postgres, self.broker):
            if server.process is None or server.process.poll() is not None:
                _start_again(server)

    def kill(self, kind: str, busy: int) -> None:
        """busy: the process of a worker that holds a run, if it is to be a worker."""
        self.kills[kind] += 1
        if kind == "worker":
            with suppress(ProcessLookupError):
                os.kill(busy, signal.SIGKILL)
        elif kind in self.programs:
            self.programs[kind].signal(signal.SIGKILL)
        else:
            server = self.postgres if kind == "postgres" else self.broker
            if server.process is not None:
                server.process.kill()
                server.process.wait()
            time.sleep(dice.uniform(0.2, 2.0))  # an outage that is noticed

    def stop(self) -> None:
        for program in reversed(self.programs.values()):
            program.stop()
        self.broker.stop()
        self.postgres.stop()


def _start_again(server: EmbeddedPostgres | EmbeddedValkey) -> None:
    """After kill -9: processes of the dead server may hold its memory for another moment."""
    server.stop()
    for _ in range(20):
        with suppress(ServerError):
            server.start()
            return
        time.sleep(0.5)
    raise ServerError(f"{server.name} does not start again")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def patiently(question: Callable[[], T]) -> T:
    """Its answer, asked again while the database is away."""
    from django.db import InterfaceError, OperationalError, connection

    while True:
        try:
            return question()
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.3)


def busy_workers() -> list[int]:
    """Processes of workers that live and hold a run, in a random order. One that was started again holds none yet, even
    if the run of the one before, which had its name, has not been missed."""
    from django.db.models import Exists, OuterRef

    from webapp.jobs.models import Run, Worker

    held = Run.objects.filter(state="running", worker=OuterRef("name"), started_at__gte=OuterRef("started_at"))
    busy = Worker.objects.filter(Exists(held), stopped_at=None)
    rows = patiently(lambda: list(busy.values_list("environment", flat=True)))
    pids = [row["pid"] for row in rows if Path(f"/proc/{row['pid']}").exists()]
    dice.shuffle(pids)
    return pids


def fill(runs: int, samples: int) -> Any:
    """A team with one small entry and short benchmarks; returns what submits a round of so many runs."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    from webapp.accounts.models import User
    from webapp.accounts.services import create_team
    from webapp.catalog.selectors import suite_versions
    from webapp.catalog.services import contender, create_benchmark, create_suite, register_entry
    from webapp.catalog.sources import SourceRequest
    from webapp.jobs.services import JobRequest, submit_job

    user = User.objects.create(username="chaos", email="chaos@example.org")
    team = create_team(actor=user, name="chaos", title="Chaos")
    definition = {"kind": "generation", "prompt": "Q: {{ question }}\nA:", "stop": ["\n"], "max_tokens": 6}
    versions = [
        create_benchmark(
            actor=user,
            team=team,
            name=name,
            definition=definition,
            lines=[
                json.dumps({"question": f"{i}+{at}", "answer": str(i + at)}).encode()
                for i in range(samples)
            ],
        )
        for at, name in enumerate(BENCHMARKS)
    ]  # fmt: skip
    suite = create_suite(actor=user, team=team, name="short", versions=versions)
    source = SourceRequest("directory", str(CHECKPOINTS / "tiny-xs"))
    entry = register_entry(actor=user, team=team, name="tiny", source=source)
    row = contender(version=entry, scheme="fp32")

    def submit(round_number: int) -> None:
        """Runs differ in their seed, so none is another's repetition; each is drawn at a temperature."""
        for seed in range(-(-runs // len(versions))):
            drawn = {"temperature": 0.8, "seed": seed, "batch_size": BATCH, "repeat": round_number}
            request = JobRequest([row], suite_versions(suite), suite, settings=drawn)
            patiently(lambda request=request: submit_job(actor=user, team=team, request=request))  # type: ignore[misc]

    return submit


def rest(round_number: int) -> int:
    """Runs of a round that are not over."""
    from webapp.jobs.models import Run

    waiting = Run.objects.filter(settings__repeat=round_number, state__in=["queued", "running"])
    return patiently(waiting.count)


def work_off(platform: Platform, round_number: int, *, limit: float) -> float:
    """Seconds until the round is over."""
    began = time.monotonic()
    while rest(round_number) and time.monotonic() - began < limit:
        platform.look_after()
        time.sleep(0.5)
    return time.monotonic() - began


def strike(platform: Platform, round_number: int, kinds: Sequence[str], seconds: float) -> int:
    """Kill something every one to four seconds while runs are under way, at first and at once what is named first.

    It ends while there is still something to do, however fast the machine is. Returns how many runs were not over.
    """
    end, due, kind = time.monotonic() + seconds, 0.0, kinds[0]
    while (left := rest(round_number)) > platform.workers and time.monotonic() < end:
        busy = busy_workers()
        if busy and time.monotonic() > due:
            platform.kill(kind, busy[0])
            kind = dice.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
            due = time.monotonic() + dice.uniform(1.0, 4.0)
        platform.look_after()
        time.sleep(0.1)
    return left


def scores(round_number: int) -> dict[tuple[Any, ...], list[tuple[Any, ...]]]:
    """(benchmark, seed) -> all that was stored of each sample, whatever the round."""
    from webapp.results.models import Score

    found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    columns = ("run__version", "run__settings__seed", "index", "attempt", "score", "output", "tokens_out")
    rows = Score.objects.filter(run__settings__repeat=round_number).order_by("run", "index", "attempt")
    for version, seed, *rest_of_row in rows.values_list(*columns):
        found.setdefault((version, seed), []).append(tuple(rest_of_row))
    return found


def verdict(round_number: int) -> dict[str, Any]:
    """What must hold of the round, and how much it went through."""
    from django.db.models import Count, F, Q

    from webapp.jobs.models import Run, RunEvent
    from webapp.results.models import PackedScores

    runs = Run.objects.filter(settings__repeat=round_number)
    events = RunEvent.objects.filter(run__in=runs)
    lost = events.filter(text__contains="was lost").exclude(state="running")  # whoever takes it up says so again
    ended = events.filter(state="done").values("run").annotate(times=Count("id"))
    stored = runs.annotate(stored=Count("scores", filter=Q(scores__attempt=0)))
    whole = stored.filter(stored=F("version__samples"), done=F("version__samples"))
    quiet, loud = scores(0), scores(round_number)
    return {
        "states": dict(Counter(runs.values_list("state", flat=True))),
        "done_once": ended.filter(times=1).count(),
        "whole": whole.count(),
        "packed": PackedScores.objects.filter(run__in=runs).count(),
        "different": sum(loud.get(key) != rows for key, rows in quiet.items()),
        "attempts": dict(sorted(Counter(runs.values_list("attempt", flat=True)).items())),
        "lost": lost.count(),
        "internal_errors": events.filter(text__contains="Internal error").count(),
    }


def holds(found: dict[str, Any], runs: int) -> bool:
    counts = (found["states"].get("done"), found["done_once"], found["whole"], found["packed"])
    return counts == (runs,) * len(counts) and not found["different"]


def main() -> int:
    options = _parser().parse_args()
    kinds = options.kill.split(",")
    dice.seed(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="crosstable-chaos-"))
    runs = -(-options.runs // len(BENCHMARKS)) * len(BENCHMARKS)
    with ExitStack() as stack:
        platform = Platform(folder, options.workers, options.lease)
        stack.callback(platform.stop)
        submit = fill(options.runs, options.samples)
        platform.start()
        submit(0)
        quiet = work_off(platform, 0, limit=options.limit)
        print(f"quiet: {runs} runs on {options.workers} workers in {quiet:.0f} s", flush=True)
        kept = holds(found := patiently(lambda: verdict(0)), runs)
        if kept:  # for from an empty round no other differs
            submit(1)
            began = time.monotonic()
            left = strike(platform, 1, kinds, options.seconds)
            work_off(platform, 1, limit=options.limit)
            kept = holds(found := patiently(lambda: verdict(1)), runs)
            found |= {"seconds": round(time.monotonic() - began), "kills": dict(platform.kills), "left": left}
        print(json.dumps({**found, "holds": kept}), flush=True)
    print("every run was done exactly once, as in quiet" if kept else f"NOT as in quiet; logs are in {folder}")
    return 0 if kept else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--samples", type=int, default=100, help="of each run, made two at a time")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120.0, help="for how long things are killed")
    parser.add_argument("--lease", type=int, default=6, help="seconds after which a lost run is seen")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds that a round may take")
    parser.add_argument("--kill", default=",".join(WEIGHTS), help=f"of {', '.join(WEIGHTS)}")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
