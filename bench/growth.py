"""What a platform costs as it grows: sweep, claim, /metrics, pages and a submission over REST at three sizes.

    python -m bench.growth [--requests 20] [--layers 1 10 100]

The sizes are 1,000, 10,000 and 100,000 finished runs, on throw-away servers; the same questions at each, with the same
work under way (bench.history says what grows). Times are processor time of this process and of its PostgreSQL together,
since others' load cannot change that; every cost also as a ratio to a plain Django page that makes one query. What is
over must not be felt: what grows with the history is marked.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING

from bench import history
from bench.timing import as_in_production, cpu_ms, get, plain_page
from bench.world import ready

if TYPE_CHECKING:
    from django.test import Client

    from bench.history import World
    from webapp.accounts.models import User

GROWS = 3.0  # times the cost at the first size
SEEDS = count(2000)  # no two submissions ask for the same runs
Action = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 10, 100])
    options = parser.parse_args()
    os.environ["CROSSTABLE_API_RATE"] = "1000000/min"  # how much, not how often a person may
    ready()
    as_in_production()
    plain_page(options.requests)
    world, costs = history.begun(), dict[str, list[float]]()
    for layers in options.layers:
        began = time.perf_counter()
        history.grow(world, layers)
        print(
            f"--- {layers * history.RUNS:,} finished runs ({time.perf_counter() - began:.0f} s to lay down)", flush=True
        )
        floor = cpu_ms(lambda: get("/plain/"), options.requests)
        print(f"{'a plain page, one query':<26} {floor:6.1f} ms of processor")
        for name, action in _questions(world).items():
            costs.setdefault(name, []).append(cpu_ms(action, options.requests))
            _print(name, costs[name], floor)


def _print(name: str, costs: list[float], floor: float) -> None:
    first, last = costs[0], costs[-1]
    grown = "" if last <= GROWS * first + floor else f"  GROWS: {last / first:.1f} times the first size"
    print(f"{name:<26} {last:6.1f} ms of processor, {last / floor:5.1f} x the plain page{grown}", flush=True)


def _questions(world: World) -> dict[str, Action]:
    """What is asked all day, by name: tasks first, then pages of the owner and of the newcomer."""
    from django.urls import reverse

    from webapp.jobs.models import Job
    from workers.sweeping import deal_with_lost_runs
    from workers.tasks import sweep

    job = Job.objects.filter(team=world.team, state="done").latest("pk")
    run = job.runs.latest("pk")
    pages = {
        "home": reverse("pages:home"), "jobs": reverse("jobs:jobs"), "workers and queue": reverse("pages:workers"),
        "a finished job": reverse("jobs:job", args=[job.pk]),
        "what waits": reverse("jobs:job", args=[Job.objects.get(title="What waits now").pk]),
        "a run": reverse("jobs:run", args=[run.pk]), "samples of a run": reverse("results:samples", args=[run.pk]),
        "one sample": reverse("results:sample", args=[run.pk, 3]),
        "submit a job": reverse("jobs:submit_job"), "entries": reverse("catalog:entries"),
        "reports": reverse("results:reports"), "reviews": reverse("reviews:reviews"),
        "notices": reverse("notices:notices"), "unread notices": reverse("notices:unread_count"),
        "audit log": reverse("accounts:audit", args=[world.team.name]),
        "reviews that wait for me": reverse("reviews:inbox_count"),
        "spending": reverse("jobs:team_spending", args=[world.team.name]),
    }  # fmt: skip
    asked: dict[str, Action] = {"lost runs": deal_with_lost_runs, "sweep": sweep, "claim": _claim, "/metrics": _scrape}
    asked["submit over REST"] = partial(_submit, world)
    asked |= {name: partial(_as, world.owner, address) for name, address in pages.items()}
    few = "home", "jobs", "submit a job", "reports"
    return asked | {f"{name}, newcomer": partial(_as, world.newcomer, pages[name]) for name in few}


def _claim() -> None:
    """As a worker does it, and then not at all, so that the queue stays as it is."""
    from django.db import transaction

    from webapp.jobs import leases

    with transaction.atomic():
        assert leases.claim(worker="worker-1", schemes=history.SCHEMES) is not None
        transaction.set_rollback(True)


def _submit(world: World) -> None:
    """A job of new runs on all benchmarks, checked as a commit would check it, and then not at all."""
    from django.db import connection, transaction

    team = world.team.name
    job = {"team": team, "entries": [f"{team}/{history.SUBMITTED}"], "schemes": ["bf16"], "suite": f"{team}/suite"}
    body = json.dumps({**job, "settings": {"seed": next(SEEDS)}})
    headers = {"Authorization": f"Bearer {_token(world.owner)}", "Idempotency-Key": str(uuid.uuid4())}
    with transaction.atomic():
        answer = _client(None).post("/api/v1/jobs/", body, content_type="application/json", headers=headers)
        assert answer.status_code == 202, answer.content
        connection.check_constraints()
        transaction.set_rollback(True)


@cache
def _token(user: User) -> str:
    from webapp.accounts.services import create_token

    return create_token(actor=user, name="bench", scopes=["read", "submit"], days=1)[1]


def _scrape() -> None:
    from django.conf import settings

    settings.METRICS_TOKEN = "bench"  # noqa: S105 - of a throw-away platform
    answer = _client(None).get("/metrics", headers={"Authorization": "Bearer bench"})
    assert answer.status_code == 200


def _as(user: User, address: str) -> None:
    answer = _client(user).get(address)
    assert answer.status_code == 200, (address, answer.status_code)


@cache
def _client(user: User | None) -> Client:
    from django.test import Client

    client = Client(headers={"Accept-Encoding": "gzip"})
    if user is not None:
        client.force_login(user)
    return client


if __name__ == "__main__":
    main()
