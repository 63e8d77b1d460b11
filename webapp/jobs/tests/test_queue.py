"""The order of the queue: resources, priorities, teams that take turns, limits; and what it costs when it is long."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from webapp.accounts.models import Team, User
from webapp.accounts.services import create_team, set_running_limit
from webapp.catalog.models import Contender, EntryVersion, Suite
from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs import leases, queue
from webapp.jobs.models import Job, Run
from webapp.jobs.resources import resource_of, served_by
from webapp.jobs.selectors import waiting_reason
from webapp.tests import factories

GIGABYTE = 10**9


def claim(worker: str = "w1", **more: Any) -> Run | None:
    return leases.claim(worker=worker, schemes=["fp32"], **more)


@pytest.fixture
def other_team(charlie: User, tmp_path: Path) -> Team:
    return create_team(actor=charlie, name="others", title="Others")


def queued(team: Team, like: Run, number: int, *, priority: int = 0) -> None:
    """So many runs of a team that are like this one, in one statement."""
    columns = [field.column for field in Run._meta.concrete_fields if field.name not in {"id", "team", "identity"}]
    named = ", ".join(columns)
    values = named.replace("priority", "%s")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO jobs_run (team_id, identity, {named}) SELECT %s, %s || n, {values} "  # noqa: S608
            "FROM jobs_run, generate_series(1, %s) AS n WHERE id = %s",
            [team.pk, f"{team.pk}-{priority}-", priority, number, like.pk],
        )


def of_parameters(entry: EntryVersion, parameters: int, scheme: str = "bf16") -> Contender:
    """Not stored: a size is all that matters."""
    entry.parameters, entry.size_bytes = parameters, 2 * parameters
    return Contender(version=entry, scheme=scheme)


class TestResources:
    @pytest.mark.parametrize(
        ("parameters", "scheme", "needed"),
        [
            (124_000_000, "fp32", "cpu"),
            (7_000_000_000, "bf16", "gpu-24"),  # 16.8 GB of weights and what stands beside them, and 1 GB
            (7_000_000_000, "fp32", "gpu-40"),
            (7_000_000_000, "nvfp4", "gpu-40"),  # imitated in 32 bits
            (7_000_000_000, "nf4", "gpu-24"),  # 16 bits until it is changed
            (70_000_000_000, "bf16", "gpu-192"),
            (124_000_000, "int4_packed", "gpu-8"),  # small, but its kernels are a GPU's
        ],
    )
    def test_follow_from_parameters_and_bits(
        self, entry: EntryVersion, parameters: int, scheme: str, needed: str
    ) -> None:
        assert resource_of(of_parameters(entry, parameters, scheme)) == needed

    def test_are_chosen_by_hand(self, entry: EntryVersion) -> None:
        assert resource_of(of_parameters(entry, 7_000_000_000), "cpu") == "cpu"
        assert resource_of(of_parameters(entry, 1000), "gpu-80") == "gpu-80"
        with pytest.raises(Unprocessable, match="runs on a GPU only"):
            resource_of(of_parameters(entry, 1000, "int4_packed"), "cpu")
        with pytest.raises(Unprocessable, match="not a class"):
            resource_of(of_parameters(entry, 1000), "gpu-25")

    def test_are_served_by_what_is_large_enough(self) -> None:
        assert served_by("cpu", 512 * GIGABYTE) == ["cpu"]
        assert served_by("cuda:0", 24_564 * 2**20) == ["cpu", "gpu-8", "gpu-16", "gpu-24"]
        assert served_by("cuda:1", 143_771 * 2**20)[-1] == "gpu-141"
        assert served_by("cuda:0", 4 * GIGABYTE) == ["cpu"]
        assert served_by("cuda:0", None) == ["cpu", "gpu-8"]

    def test_are_what_the_operator_says_where_the_driver_says_nothing(self, settings: Settings) -> None:
        settings.GPU_BYTES = 100 * GIGABYTE
        assert served_by("cuda:0", None)[-1] == "gpu-80"
        assert served_by("cuda:0", 16 * GIGABYTE)[-1] == "gpu-16"
        assert served_by("cpu", None) == ["cpu"]

    def test_of_a_run_are_planned_with_it(
        self, alice: User, team: Team, suite: Suite, entry: EntryVersion, settings: Settings
    ) -> None:
        settings.CPU_BYTES = 0
        job = factories.job(alice, team, suite, [entry])
        assert set(job.runs.values_list("scheme", "resource")) == {("fp32", "gpu-8")}
        chosen = factories.job(alice, team, suite, [entry], settings={"repeat": 1}, resource="gpu-48")
        assert set(chosen.runs.values_list("resource", flat=True)) == {"gpu-48"}


def test_a_worker_takes_only_what_its_device_can_hold(job: Job) -> None:
    large = job.runs.order_by("pk")[0]
    Run.objects.filter(pk=large.pk).update(resource="gpu-24", priority=9)
    taken = [run.pk for run in iter(lambda: claim(resources=["cpu"]), None)]
    assert large.pk not in taken
    assert len(taken) == 3
    assert claim(resources=["cpu", "gpu-8", "gpu-16"]) is None
    found = claim(resources=["cpu", "gpu-8", "gpu-16", "gpu-24"])
    assert found is not None
    assert found.pk == large.pk


def test_teams_take_turns_however_much_one_of_them_asks_for(job: Job, other_team: Team) -> None:
    queued(other_team, job.runs.order_by("pk")[0], 1000)  # later than the job's own four
    order = [run.team.name for run in islice(iter(claim, None), 10) if run]
    assert Counter(order[:8]) == {"lab": 4, "others": 4}, "as long as both wait, both are served"
    assert order[8:] == ["others", "others"]


def test_a_single_worker_serves_teams_in_turn(job: Job, other_team: Team) -> None:
    """Nothing is under way whenever it claims, so the turn goes by who was served longest ago."""
    queued(other_team, job.runs.order_by("pk")[0], 50)
    order = []
    for _ in range(6):
        run = claim()
        assert run is not None
        leases.end(lease=leases.lease_of(run), state="failed", reason="Over.")
        order.append(run.team.name)
    assert order == ["lab", "others"] * 3


def test_priority_orders_the_runs_of_a_team_and_takes_nobody_s_turn(job: Job, other_team: Team) -> None:
    """Anybody may choose a priority: it must not serve one team at the cost of all others."""
    like = job.runs.order_by("pk")[0]
    queued(other_team, like, 2)
    queued(other_team, like, 2, priority=10)
    taken = [run for run in iter(claim, None) if run]
    assert [run.team.name for run in taken] == ["lab", "others"] * 4
    assert [run.priority for run in taken if run.team == other_team] == [10, 10, 0, 0]


def test_priority_orders_across_schemes_and_devices(job: Job) -> None:
    """They are lanes of their own in the index."""
    urgent = job.runs.order_by("-pk")[0]
    Run.objects.filter(pk=urgent.pk).update(resource="gpu-24", priority=1)
    found = claim(resources=["cpu", "gpu-24"])
    assert found is not None
    assert found.pk == urgent.pk


class TestLimit:
    def test_passes_a_team_over_that_has_enough_at_work(self, job: Job, team: Team, other_team: Team) -> None:
        Team.objects.filter(pk=team.pk).update(running_limit=1)
        queued(other_team, job.runs.order_by("pk")[0], 2)
        assert [run.team.name for run in iter(claim, None)] == ["lab", "others", "others"]
        waiting = list(job.runs.filter(state="queued").select_related("team", "contender"))
        factories.worker()
        assert waiting_reason(waiting).startswith("Its team has 1 run at work, which is its limit.")

    @pytest.mark.django_db(transaction=True)
    def test_holds_when_many_claim_in_the_same_instant(self, job: Job, team: Team) -> None:
        Team.objects.filter(pk=team.pk).update(running_limit=2)
        start = threading.Barrier(6)

        def work(name: str) -> bool:
            start.wait(timeout=10)
            try:
                return claim(name) is not None
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(work, [f"w{i}" for i in range(6)], timeout=30)) == 2
        assert job.runs.filter(state="running").count() == 2

    def test_of_a_new_team_is_the_operators_default(self, alice: User, settings: Settings) -> None:
        """Else whoever has a limit could make another team that has none."""
        assert create_team(actor=alice, name="before", title="T").running_limit is None
        settings.TEAM_RUNNING_LIMIT = 2
        assert create_team(actor=alice, name="after", title="T").running_limit == 2

    def test_is_the_operators_to_set(self, alice: User, team: Team) -> None:
        with pytest.raises(NotAllowed):
            set_running_limit(actor=alice, team=team, runs=5)
        alice.is_staff = True
        assert set_running_limit(actor=alice, team=team, runs=5).running_limit == 5
        with pytest.raises(Unprocessable):
            set_running_limit(actor=alice, team=team, runs=-1)


def test_what_no_worker_can_do_says_what_is_needed(job: Job) -> None:
    factories.worker()
    Run.objects.update(resource="gpu-48")
    rows = list(job.runs.select_related("contender", "team"))
    assert waiting_reason(rows).startswith("No running worker has a GPU with 48 GB, which small@fp32 needs.")
    leases.worker_seen(
        name="big",
        host="h",
        device="A100",
        schemes=["fp32"],
        environment={},
        resources=served_by("cuda:0", 80 * GIGABYTE),
    )
    assert "No running worker" not in waiting_reason(rows)


def test_a_doorbell_is_rung_where_somebody_listens(job: Job, django_capture_on_commit_callbacks: Any) -> None:
    Run.objects.filter(contender__name="large@fp32").update(resource="gpu-24")
    factories.worker("small")
    with django_capture_on_commit_callbacks() as callbacks:
        leases.ring_next()
    assert [bell.queue for bell in factories.rung(callbacks)] == ["evaluation.cpu"]
    leases.worker_seen(name="big", host="h", device="L4", schemes=["fp32"], environment={}, resources=["cpu", "gpu-24"])
    with django_capture_on_commit_callbacks() as callbacks:
        leases.ring_next()
    assert [bell.queue for bell in factories.rung(callbacks)] == ["evaluation.cpu", "evaluation.gpu-24"]


def test_a_hundred_thousand_waiting_runs_cost_what_ten_do(
    job: Job, other_team: Team, alice: User, settings: Settings
) -> None:
    """Explained: every step is a look into an index. Timed beside a short queue in the same moment."""
    settings.OWNED_TEAMS = 30
    like = job.runs.order_by("pk")[0]
    short = _seconds()
    crowd = [create_team(actor=alice, name=f"team-{i}", title="T") for i in range(20)]
    for team in crowd:
        queued(team, like, 5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_run")
    long = _seconds()
    assert Run.objects.filter(state="queued").count() > 100_000
    # 22 lanes instead of one; a walk over the queue would take a hundred times as long as that.
    assert long < max(40 * short, 0.05), f"{short * 1000:.1f} ms with 4 runs, {long * 1000:.1f} ms with 100,004"
    plan = _plan()
    assert "Seq Scan on jobs_run" not in plan, plan
    assert "run_queue" in plan


def _seconds() -> float:
    """The least of five: others use the machine, too."""
    found = []
    for _ in range(5):
        began = time.perf_counter()
        assert queue.lock_next(schemes=["fp32"], resources=["cpu"]) is not None
        found.append(time.perf_counter() - began)
    return min(found)


def _plan() -> str:
    with connection.cursor() as cursor:
        arguments = {"schemes": ["fp32"], "resources": ["cpu"], "deep": queue.DEEP}
        cursor.execute("EXPLAIN " + queue.NEXT, arguments)
        return "\n".join(row[0] for row in cursor.fetchall())
