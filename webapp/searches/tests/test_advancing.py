"""Searches step by step: the choices of the replay, reuse, lost workers, failures, stops, limits."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pytest
from django.db import connection, transaction

from evaluation.analyses.adaptive import AdaptiveParams, compute
from evaluation.analyses.searching.bounds import Spending
from evaluation.analyses.searching.replay import Plan, replays
from evaluation.estimators import random_mean
from evaluation.tables import ScoreTable
from webapp.accounts.models import Team
from webapp.jobs import leases
from webapp.jobs.models import Job, Run
from webapp.notices.models import Delivery, Notice
from webapp.searches import advancing, selectors, services
from webapp.searches.knowledge import Found, Look
from webapp.searches.models import Batch, Search
from webapp.searches.tests.conftest import SIZES, score
from webapp.tests import factories
from workers.tests.conftest import wait_until

N = sum(SIZES)


def batches(search: Search) -> list[tuple[str, int, int]]:
    return list(search.batches.values_list("contender__name", "start", "stop"))


def rows(search: Search) -> list[Run]:
    return list(search.job.runs.order_by("pk"))


def known(search: Search) -> dict[str, int]:
    return {one.name.partition("@")[0]: one.count for one in Found.from_json(search.found).known}


@pytest.mark.parametrize(("budget", "batch", "exploration"), [(200, 16, 1.0), (333, 32, 0.1), (450, 50, 1.0)])
def test_a_search_takes_the_choices_of_the_replay(ask, drive, truth, contenders, budget, batch, exploration):
    search = drive(ask(budget=budget, batch=batch, exploration=exploration))

    table = np.array([truth[one.pk] for one in contenders])
    replay = next(replays(table, Plan(np.array([budget]), Spending(exploration, batch), False, 0.0), 1, search.seed))
    assert list(known(search).values()) == replay.counts.tolist()
    found = Found.from_json(search.found)
    assert found.leader == contenders[int(replay.found[-1])].pk
    assert found.chance_wrong == pytest.approx(replay.chance_wrong)
    assert found.spent == min(budget, 3 * N)
    assert search.state == "done"


def test_the_report_of_the_simulation_names_the_same_contender(ask, drive, truth, contenders):
    search = drive(ask(budget=200))
    values = np.array([truth[one.pk] for one in contenders])[:, :, None]
    samples = tuple(("all", at) for at in range(N))
    table = ScoreTable(tuple(one.name for one in contenders), ("all",), samples, values, (True,))

    told = compute(table, AdaptiveParams(budget=200 / (3 * N), batch=16, seeds=1, seed=search.seed))

    leader = next(one for one in contenders if one.pk == Found.from_json(search.found).leader)
    assert told.found[told.contenders.index(leader.name)] == 1.0
    assert dict(zip(told.contenders, told.samples_spent.tolist(), strict=True)) == {
        f"{name}@fp32": count for name, count in known(search).items()
    }


def test_first_batches_are_planned_together_as_partial_runs(ask):
    search = ask()
    assert advancing.advance(job_id=search.job_id)

    assert batches(search) == [("ash@fp32", 0, 16), ("birch@fp32", 0, 16), ("cedar@fp32", 0, 16)]
    asked = {run.contender_id: 0 for run in rows(search)}
    for run in rows(search):
        assert run.is_partial
        assert run.total == len(run.subset)
        asked[run.contender_id] += run.total
    assert set(asked.values()) == {16}
    same = {tuple(run.subset) for run in rows(search) if run.version.samples == SIZES[0]}
    assert len(same) == 1, "all contenders are asked the same samples"
    search.refresh_from_db()
    assert (search.state, search.job.state) == ("running", "queued")


def test_a_second_ring_decides_nothing(ask):
    search = ask()
    advancing.advance(job_id=search.job_id)
    before = batches(search), len(rows(search))

    assert not advancing.advance(job_id=search.job_id)
    assert (batches(search), len(rows(search))) == before


@pytest.mark.django_db(transaction=True)
def test_two_rings_at_once_are_one_decision(ask):
    search = ask()

    def ring():
        try:
            return advancing.advance(job_id=search.job_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        decided = [one.result() for one in [pool.submit(ring) for _ in range(4)]]

    assert sorted(decided) == [False, False, False, True]
    assert [start for _, start, _ in batches(search)] == [0, 0, 0]


def test_the_same_seed_decides_the_same_and_reuses_every_answer(ask, drive):
    first, again = drive(ask()), ask()
    taken = len(rows(first))
    again = drive(again)

    assert Found.from_json(again.found).spent == 200, "what was known lets it go further"
    assert Run.objects.count() > taken
    twice = [run for run in rows(again) if run in rows(first)]
    assert twice == [], "no answer is paid twice"
    assert all(known(again)[name] >= count for name, count in known(first).items())


def test_complete_runs_are_used_at_no_cost(ask, drive, answer, alice, team, contenders, versions, truth):
    suite = factories.suite(alice, team, "whole", versions)
    factories.job(alice, team, suite, [contenders[1].version])
    while answer():
        pass

    search = drive(ask(budget=100))

    assert known(search)["birch"] == N
    assert "birch@fp32" not in {name for name, *_ in batches(search)}
    best = Found.from_json(search.found).known[1]
    assert (best.mean, best.low, best.high) == (truth[contenders[1].pk].mean(),) * 3
    assert Found.from_json(search.found).spent == 100


def test_a_lost_worker_costs_no_sample(ask, answer, drive, truth, settings):
    search = ask()
    advancing.advance(job_id=search.job_id)
    run = leases.claim(worker="doomed", schemes=["fp32"])
    score(run, truth, most=3)
    settings.LEASE_SECONDS = 5
    Run.objects.filter(pk=run.pk).update(leased_until="2020-01-01T00:00Z")
    assert leases.sweep() == [run.pk]
    assert not advancing.advance(job_id=search.job_id), "its run is in the queue again"
    run.refresh_from_db()
    assert (run.state, run.done) == ("queued", 3)


def test_who_cannot_be_asked_is_left_out(ask, drive, contenders):
    search = ask()
    advancing.advance(job_id=search.job_id)
    run = leases.claim(worker="worker-1", schemes=["fp32"])
    leases.end(lease=leases.lease_of(run), state="failed", reason="Its weights are damaged.")
    Run.objects.filter(contender=run.contender_id, state="queued").update(state="cancelled")

    search = drive(search)

    found = Found.from_json(search.found)
    gone = next(one for one in found.known if one.contender == run.contender_id)
    assert gone.given_up == "Its weights are damaged." or gone.given_up
    assert found.leader != run.contender_id
    assert (search.state, found.spent) == ("done", 200)
    assert sum(name == run.contender.name for name, *_ in batches(search)) == 1


def test_a_search_without_contenders_to_ask_fails_with_their_reason(ask):
    search = ask()
    advancing.advance(job_id=search.job_id)
    for _ in rows(search):
        lease = leases.lease_of(leases.claim(worker="w", schemes=["fp32"]))
        leases.end(lease=lease, state="failed", reason="No room on the device.")
    advancing.advance(job_id=search.job_id)

    search.refresh_from_db()
    assert (search.state, search.job.state) == ("failed", "failed")
    assert "could not be asked: No room on the device." in search.reason


def test_stopping_lets_runs_finish_and_keeps_what_was_found(ask, answer, alice):
    search = ask()
    advancing.advance(job_id=search.job_id)
    services.stop_search(actor=alice, search=search)
    assert not advancing.advance(job_id=search.job_id)
    while answer():
        pass
    advancing.advance(job_id=search.job_id)

    search.refresh_from_db()
    assert (search.state, search.job.state) == ("stopped", "done")
    assert search.reason == "Stopped by alice. What was found until then is kept."
    assert known(search) == {"ash": 16, "birch": 16, "cedar": 16}


@pytest.mark.parametrize("by", ["search", "job"])
def test_stopping_at_once_cancels_the_runs_under_way(ask, answer, alice, by):
    search = ask()
    advancing.advance(job_id=search.job_id)
    answer()
    if by == "search":
        services.stop_search(actor=alice, search=search, cancel=True)
    else:
        services.jobs.cancel_job(actor=alice, job=search.job)
    advancing.advance(job_id=search.job_id)

    search.refresh_from_db()
    assert (search.state, search.job.state, search.job.grows) == ("stopped", "cancelled", False)
    assert search.reason == "Cancelled by alice. What was found until then is kept."
    assert "running" not in {run.state for run in rows(search)}


def test_a_clear_leader_ends_a_search_early(ask, drive, truth, contenders):
    truth[contenders[0].pk][:] = 0
    truth[contenders[2].pk][:] = 0
    search = drive(ask(budget=3 * N, stop_error=0.1))

    assert (search.state, search.reason[:13]) == ("done", "Stopped early")
    assert Found.from_json(search.found).spent < 3 * N


def test_the_spending_limit_stops_a_search_that_outgrew_it(ask, answer, alice, team, contenders):
    for one in contenders:
        factories.price(alice, one.version)
    Team.objects.filter(pk=team.pk).update(spending_limit_usd=Decimal("0.01"))
    search = ask()  # nobody has measured these benchmarks yet
    advancing.advance(job_id=search.job_id)
    while answer():
        pass
    advancing.advance(job_id=search.job_id)

    search.refresh_from_db()
    assert search.state == "stopped"
    assert "spending limit" in search.reason
    assert sum(known(search).values()) > 0
    assert not search.job.grows


def test_an_internal_error_leaves_a_reference(ask, monkeypatch):
    search = ask()
    monkeypatch.setattr(advancing, "Look", lambda search: 1 / 0)
    advancing.advance(job_id=search.job_id)

    search.refresh_from_db()
    assert search.state == "failed"
    assert "Tell the operator this reference" in search.reason


@pytest.mark.django_db(transaction=True)
def test_a_search_that_meets_another_in_a_circle_begins_its_step_again(ask, monkeypatch):
    """Another transaction has the job and waits for the search, which comes to wait for the job: PostgreSQL ends the
    one that is the first to look around."""
    search = ask()
    held, taken = threading.Event(), threading.Event()

    def circle():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '30s'")
                Job.objects.select_for_update().get(pk=search.job_id)
                held.set()
                assert taken.wait(timeout=10)
                Search.objects.select_for_update().get(pk=search.pk)
        finally:
            connection.close()

    def look(search):
        if not taken.is_set():
            taken.set()
            with connection.cursor() as cursor:
                wait_until(lambda: cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
        return Look(search)

    monkeypatch.setattr(advancing, "Look", look)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(circle)
        assert held.wait(timeout=10)
        assert advancing.advance(job_id=search.job_id)
        other.result(timeout=30)
    search.refresh_from_db()
    assert (search.state, len(batches(search))) == ("running", 3)


def test_the_sweep_rings_for_searches_whose_doorbell_was_lost(ask, answer, django_capture_on_commit_callbacks):
    search = ask()
    with django_capture_on_commit_callbacks() as calls:
        advancing.ring_again()
    assert len(calls) == 1
    advancing.advance(job_id=search.job_id)
    with django_capture_on_commit_callbacks() as calls:
        advancing.ring_again()
    assert calls == [], "its runs will ring"


def whole_others(alice, team, contenders, versions, answer):
    suite = factories.suite(alice, team, "whole", versions)
    factories.job(alice, team, suite, [one.version for one in contenders[:2]])
    while answer():
        pass


@pytest.mark.parametrize("method", ["aipw", "lure", "random"])
def test_an_estimate_from_few_samples(ask, drive, answer, alice, team, contenders, versions, truth, method):
    whole_others(alice, team, contenders, versions, answer)
    search = drive(ask(goal="estimate", method=method, contenders=contenders[2:], budget=60, batch=20))

    found = Found.from_json(search.found)
    assert (search.state, found.spent, [step.n for step in found.steps]) == ("done", 60, [20, 40, 60])
    last = found.steps[-1]
    assert last.low < truth[contenders[2].pk].mean() < last.high
    assert 0 < last.usual < 0.2
    assert found.usual_samples > 0
    assert search.sources == [] if method == "random" else len(search.sources) == 4
    if method == "random":
        taken = truth[contenders[2].pk][np.random.default_rng([5, 0]).permutation(N)[:60]]
        assert last.value == pytest.approx(random_mean(taken, N).value)


def test_lure_draws_where_the_others_fail_and_never_looks_at_its_target(
    ask, drive, answer, alice, team, contenders, versions, truth
):
    hard = np.zeros(N, dtype=bool)
    hard[::3] = True
    for one in contenders[:2]:
        truth[one.pk][:] = np.where(hard, 0.0, 1.0)
    whole_others(alice, team, contenders, versions, answer)
    search = drive(ask(goal="estimate", method="lure", contenders=contenders[2:], budget=30, batch=30, floor=0.1))

    starts = dict(zip([version.pk for version in versions], (0, SIZES[0]), strict=True))
    drawn = [starts[run.version_id] + at for run in rows(search) for at in run.subset]
    assert np.mean(hard[drawn]) > 0.6, "a third of all samples is hard"
    assert contenders[2].pk not in set(Run.objects.filter(pk__in=search.sources).values_list("contender", flat=True))


def test_a_narrow_interval_ends_an_estimate(ask, drive, contenders):
    search = drive(
        ask(goal="estimate", method="random", contenders=contenders[2:], budget=N, batch=10, half_width=0.15)
    )

    last = Found.from_json(search.found).steps[-1]
    assert (last.high - last.low) / 2 <= 0.15
    assert last.n < N
    assert "narrow enough" in search.reason
    assert Batch.objects.filter(search=search).count() == last.n // 10


def told():
    return list(Notice.objects.values_list("user__username", "text", "path"))


def test_the_end_of_a_search_is_told_with_its_outcome(ask, drive, alice, team):
    factories.webhook(alice, team)
    search = drive(ask())

    outcome = selectors.verdict(search, Found.from_json(search.found))
    text = f"Search done: {search.title}. {outcome} The budget of 200 samples is spent."
    assert "birch@fp32 leads with" in outcome
    assert told() == [("alice", text, f"/searches/{search.pk}/")]
    sent = json.loads(Delivery.objects.get(event="job.ended").body)["data"]
    assert (sent["search"], sent["job"], sent["state"], sent["outcome"]) == (search.pk, search.job_id, "done", outcome)


def test_a_stopped_search_is_told_once(ask, answer, alice, bob):
    search = ask()
    advancing.advance(job_id=search.job_id)
    answer()
    services.stop_search(actor=bob, search=search, cancel=True)
    assert not told(), "its runs have not stopped yet"
    while answer():
        pass
    advancing.advance(job_id=search.job_id)

    [(name, text, path)] = told()
    assert (name, path) == ("alice", f"/searches/{search.pk}/")
    assert text.startswith(f"Search stopped: {search.title}. ")
    assert text.endswith("Cancelled by bob. What was found until then is kept.")
