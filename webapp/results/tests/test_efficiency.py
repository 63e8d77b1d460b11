"""Efficiency beside money, and several attempts: read from finished runs, shown on the page of a cost report."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest
from django.test import Client

from evaluation.records import Attempt
from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs import leases
from webapp.jobs.models import Run
from webapp.results import reports
from webapp.results.candidates import candidates, find
from webapp.results.cost_basis import cost_basis
from webapp.results.efficiency import UNKNOWN, Efficiency, efficiency
from webapp.results.models import Report
from webapp.results.repeated import repeats
from webapp.results.services import finish_run, record_scores
from webapp.tests import factories


def ran(device: str, seconds: float, *, turns: int = 1, provenance: dict[str, Any] | None = None, **fields: Any) -> Run:
    """The next run, finished by a worker with this device: sample i has i + 1 tokens, each of `seconds`."""
    name = f"worker on {device}"
    leases.worker_seen(name=name, host="host", device=device, schemes=factories.SCHEMES, environment={})
    lease = factories.claim(name)
    made = [
        Attempt(
            sample=at, attempt=turn, score=float((at + turn) % 2), answer=str((at + turn) % 2), output="", target="1",
            **{"tokens_in": 9, "tokens_out": at + 1, "seconds": 0.5, "latency": 0.25 + seconds * (at + 1), **fields},
        )
        for at in range(4)
        for turn in range(turns)
    ]  # fmt: skip
    record_scores(lease=lease, attempts=made, seconds=1.0)
    return finish_run(lease=lease, provenance=provenance or {})


@pytest.fixture
def four(
    alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion, written: BenchmarkVersion
) -> list[str]:
    """Jobs of four contenders, whose requests are answered one by one."""
    suite = factories.suite(alice, team, "writing", [written])
    for scheme in ("fp32", "bf16"):
        factories.job(alice, team, suite, [entry, other_entry], scheme, settings={"batch_size": 1})
    return ["small@fp32", "large@fp32", "small@bf16", "large@bf16"]


def measured() -> Efficiency:
    found = efficiency(Run.objects.all())
    assert found is not None
    return found


def test_times_are_those_of_the_attempts(four: list[str]) -> None:
    ran("card A", 0.1, provenance={"bytes_in_memory": 1000, "peak_memory_bytes": 3000, "joules": 8.0})
    (one,) = measured().contenders
    waited = 0.25 + 0.1 * np.arange(1, 5)
    assert (one.latency.p50, one.latency.p95) == pytest.approx(np.quantile(waited, (0.5, 0.95)))
    assert one.speed.tokens_per_second == pytest.approx(10)
    assert one.speed.intercept == pytest.approx(0.25)
    assert one.throughput == pytest.approx(10 / 2.0)
    assert one.tokens == pytest.approx(9 + 2.5)
    assert (one.weights, one.peak_memory, one.devices) == (1000.0, 3000.0, ("card A",))
    assert one.energy.kilojoules == pytest.approx(2.0), "two joules a sample"


def test_what_was_not_measured_is_a_hole(four: list[str]) -> None:
    ran("card A", 0.1, latency=None, tokens_in=None)
    (one,) = measured().contenders
    assert one.latency.n == one.to_first.n == one.energy.n == 0
    assert all(isnan(value) for value in (one.latency.p50, one.tokens, one.cost_usd, one.peak_memory, one.weights))


def test_a_batch_tells_no_speed_of_a_token(four: list[str]) -> None:
    Run.objects.update(settings={**Run.objects.all()[0].settings, "batch_size": 64})
    ran("card A", 0.1)
    (one,) = measured().contenders
    assert isnan(one.speed.tokens_per_second)
    assert one.throughput == pytest.approx(5)


def test_times_are_ranked_on_one_kind_of_device_only(four: list[str]) -> None:
    for at, device in enumerate(("card A", "card A", "card B", "card A")):
        ran(device, 0.4 / (at + 1), tokens_in=10 * (at + 1), provenance={"bytes_in_memory": at + 1})
    found = measured()
    assert (found.device, found.devices) == ("card A", 2)
    assert [one.alike for one in found.contenders] == [True, True, False, True]
    names = found.agreement.indicators
    assert names == ("tokens", "latency", "parameters", "weights in memory")
    tokens, latency, weights = (names.index(name) for name in ("tokens", "latency", "weights in memory"))
    assert found.agreement.n[tokens, latency] == 3
    assert found.agreement.n[tokens, weights] == 4
    assert found.agreement.spearman[tokens, latency] == pytest.approx(-1)
    assert found.agreement.spearman[tokens, weights] == pytest.approx(1)


def test_a_worker_that_is_gone_leaves_an_unknown_device(four: list[str]) -> None:
    run = ran("card A", 0.1)
    Run.objects.filter(pk=run.pk).update(worker="somebody else")
    assert measured().contenders[0].devices == (UNKNOWN,)
    assert efficiency(Run.objects.none()) is None


def test_several_attempts_are_worth_more_than_one(
    alice: User, team: Team, entry: EntryVersion, written: BenchmarkVersion
) -> None:
    settings = {"attempts": 3, "temperature": 0.7}
    factories.job(alice, team, factories.suite(alice, team, "writing", [written]), [entry], settings=settings)
    ran("card A", 0.1, turns=3)  # right 010, 101, 010, 101
    found = repeats(Run.objects.all())
    assert found is not None
    assert found.k == (1, 2, 3)
    (one,) = found.contenders
    assert (one.attempts, one.samples) == (3, 4)
    assert one.at_least_one == pytest.approx((0.5, (2 / 3 + 1) / 2, 1.0))
    assert one.all_of_them == pytest.approx((0.5, (0 + 1 / 3) / 2, 0.0))
    share = 2 / 3
    assert one.majority[2] == pytest.approx(0.5), "a sample of each kind: x and 1 - x"
    assert one.majority[0] == pytest.approx((share + (1 - share)) / 2)


def test_samples_that_were_tried_once_are_no_part_of_it(
    alice: User, team: Team, entry: EntryVersion, benchmark: BenchmarkVersion, written: BenchmarkVersion
) -> None:
    for name, version, tries in (("once", benchmark, 1), ("thrice", written, 3)):
        settings = {"attempts": tries, "temperature": 0.7 if tries > 1 else 0.0}
        chosen = factories.suite(alice, team, name, [version])
        factories.job(alice, team, chosen, [entry], settings=settings)
        ran("card A", 0.1, turns=tries, tokens_in=9 * tries)
    found = repeats(Run.objects.all())
    assert found is not None
    (one,) = found.contenders
    assert (one.samples, one.at_least_one[0], one.at_least_one[-1]) == (4, pytest.approx(0.5), 1.0)
    (whole,) = measured().contenders
    assert whole.tokens == pytest.approx((9 + 27) / 2 + 2.5), "samples weigh the same, however often they were tried"
    assert whole.attempts == 4 + 12


@pytest.fixture
def report(alice: User, team: Team, four: list[str]) -> Report:
    runs = [ran(device, 0.1).pk for device in ("card A", "card A", "card B", "card A")]
    made = reports.request_report(
        actor=alice, team=team, analysis="cost-of-pass", parameters={"bootstrap": 0}, runs=runs
    )
    reports.compute_report(report_id=made.pk)
    return made


def test_the_fragment_warns_of_different_devices(client: Client, vera: User, report: Report) -> None:
    client.force_login(vera)
    page = client.get(f"/reports/{report.pk}/efficiency/").content.decode()
    assert "These contenders ran on 2 kinds of device." in page
    assert page.count("another device") == 1
    assert "Latency, peak memory and energy are those of contenders on card A alone." in page
    assert page.count("500 ms") == 4, "the median of 0.35 to 0.65 s"
    assert "Several attempts" not in page


def test_runs_of_others_are_left_out_and_counted(client: Client, vera: User, alice: User, report: Report) -> None:
    Report.objects.filter(pk=report.pk).update(visibility="public")
    shown = client.get(f"/reports/{report.pk}/efficiency/").content.decode()
    assert "4 of the runs are not yours to see" in shown
    assert "small@fp32" not in shown
    Run.objects.filter(pk=report.inputs["runs"][0]).update(visibility="private", created_by=alice)
    client.force_login(vera)
    shown = client.get(f"/reports/{report.pk}/efficiency/").content.decode()
    assert "1 of the runs is not yours to see" in shown
    assert "small@fp32" not in shown
    assert "large@fp32" in shown


def test_before_it_is_asked_for_a_report_says_what_it_rests_on(
    client: Client, alice: User, entry: EntryVersion, report: Report, written: BenchmarkVersion
) -> None:
    data = find(alice, {"benchmark": str(written.pk)})
    assert data is not None
    basis = cost_basis(candidates(alice, data))
    assert [each.name for each in basis.unknown] == ["written"]
    assert [(one.name, one.runs, one.priced) for one in basis.uncosted] == [("large", 2, False), ("small", 2, False)]
    client.force_login(alice)
    page = client.get(f"/reports/new/?analysis=cost-of-pass&benchmark={written.pk}").content.decode()
    assert 'Price unknown for small: <a href="/entries/lab/small/prices/new/">add it</a>' in page
    assert "one sample that nobody passes makes the value infinite" in page
    other = client.get(f"/reports/new/?analysis=multiplicity&benchmark={written.pk}").content.decode()
    assert "What it rests on" not in other
