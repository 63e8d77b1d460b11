"""Several attempts per sample and what they cost: stored, added up, and read back as tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from django.test import Client

from evaluation.errors import BadTable, NotEnoughData
from evaluation.pricing import UnitPrices
from evaluation.records import Attempt
from evaluation.uncertainty import mean_with_error
from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs import leases
from webapp.jobs.leases import Lease
from webapp.jobs.models import Run
from webapp.results import selectors, services
from webapp.results.cost_table import cost_table
from webapp.results.models import PackedScores, Score
from webapp.results.reports import computed
from webapp.tests import factories

SEVERAL = {"attempts": 3, "temperature": 0.7}
PRICES = {"input_usd": Decimal(2), "output_usd": Decimal(10), "cached_usd": Decimal("0.5")}


def attempt(sample: int, turn: int = 0, *, right: bool = True, cached: int | None = None, **fields: object) -> Attempt:
    known = {"tokens_in": 100, "tokens_out": 20, "seconds": 0.5, "latency": 2.0} | fields
    said = "4" if right else f"{turn}"
    return Attempt(sample, float(right), said, f" {said}", "4", turn, tokens_cached=cached, **known)  # type: ignore[arg-type]


def store(lease: Lease, *attempts: Attempt) -> Run:
    services.record_scores(lease=lease, attempts=attempts, seconds=1.0)
    return Run.objects.get(pk=lease.run_id)


@pytest.fixture
def priced(alice: User, team: Team, entry: EntryVersion, written: BenchmarkVersion) -> Lease:
    """A run of three attempts at four samples, with prices by the token."""
    factories.price(alice, entry, **PRICES)
    factories.job(alice, team, factories.suite(alice, team, "writing", [written]), [entry], settings=SEVERAL)
    return factories.claim()


def test_every_attempt_keeps_its_cost_at_the_prices_of_its_run(priced: Lease) -> None:
    run = store(priced, attempt(0), attempt(0, 1, cached=60), attempt(1, seconds_to_first=0.25))
    prices = UnitPrices.from_json(run.unit_prices)
    kept = list(Score.objects.order_by("index", "attempt"))
    whole, cached = 100 * 2e-6 + 20 * 10e-6, 40 * 2e-6 + 60 * 0.5e-6 + 20 * 10e-6
    assert [score.cost_usd for score in kept] == pytest.approx([whole, cached, whole])
    assert kept[1].cost_usd == prices.cost(tokens_in=100, tokens_out=20, tokens_cached=60, seconds=0.5)
    assert [score.tokens_cached for score in kept] == [None, 60, None]
    assert [(score.latency, score.seconds_to_first) for score in kept] == [(2.0, None), (2.0, None), (2.0, 0.25)]
    assert run.cost_usd == pytest.approx(2 * whole + cached)


def test_one_unknown_cost_makes_the_sum_unknown_for_good(priced: Lease) -> None:
    run = store(priced, attempt(0), attempt(0, 1, tokens_out=None))
    assert (run.cost_usd, run.done) == (None, 0)
    run = store(priced, attempt(0, 2))
    assert (run.cost_usd, run.tokens_out, run.tokens_in, run.done) == (None, None, 300, 1)
    assert Score.objects.get(index=0, attempt=1).cost_usd is None


def test_without_a_price_nothing_costs_nothing(lab_run: Lease) -> None:
    run = store(lab_run, attempt(0))
    assert run.cost_usd is None
    assert Score.objects.get().cost_usd is None


@pytest.fixture
def lab_run(alice: User, team: Team, entry: EntryVersion, written: BenchmarkVersion) -> Lease:
    factories.job(alice, team, factories.suite(alice, team, "writing", [written]), [entry])
    return factories.claim()


def test_a_sample_is_done_with_its_last_attempt(priced: Lease) -> None:
    run = store(priced, attempt(0), attempt(0, 1, right=False), attempt(1))
    assert (run.done, run.score_sum) == (0, 0.0)
    run = store(priced, attempt(0, 2), attempt(1, 1), attempt(1, 2), attempt(2))
    assert (run.done, run.score_sum) == (2, pytest.approx(2 / 3 + 1))
    assert services.finished_attempts(run) == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)}


def test_a_run_with_a_missing_attempt_is_not_finished(priced: Lease) -> None:
    store(priced, *[attempt(sample, turn) for sample in range(4) for turn in range(3) if (sample, turn) != (3, 1)])
    with pytest.raises(NotEnoughData, match="3 of 4"):
        services.finish_run(lease=priced, provenance={})


def finished(lease: Lease, rights: list[list[bool]], **fields: object) -> Run:
    made = [attempt(s, turn, right=right, **fields) for s, row in enumerate(rights) for turn, right in enumerate(row)]
    store(lease, *made)
    return services.finish_run(lease=lease, provenance={})


RIGHTS = [[True, True, False], [False, False, False], [True, True, True], [True, False, False]]


def test_the_mean_is_over_samples_and_its_error_clusters_by_sample(priced: Lease) -> None:
    run = finished(priced, RIGHTS)
    means = np.array(RIGHTS, dtype=float).mean(axis=1)
    estimate = mean_with_error(means)
    assert (run.mean, run.standard_error) == (estimate.value, estimate.standard_error)
    naive = mean_with_error(np.array(RIGHTS, dtype=float)).standard_error
    assert run.standard_error > naive, "attempts at one sample are no new samples"  # type: ignore[operator]
    assert (run.done, run.total, run.score_sum) == (4, 4, pytest.approx(means.sum()))
    packed = PackedScores.objects.get()
    assert (packed.attempts, packed.dtype, len(packed.values)) == (3, "u1", 12)


def test_a_table_of_scores_has_an_axis_of_attempts(priced: Lease, alice: User, team: Team, entry: EntryVersion) -> None:
    several = finished(priced, RIGHTS)
    once = factories.job(
        alice, team, factories.suite(alice, team, "again", [several.version]), [entry], "bf16"
    ).runs.get()
    factories.finish([True, False, True, False])
    runs = list(
        Run.objects.filter(pk__in=[several.pk, once.pk])
        .select_related("contender", "version__benchmark")
        .order_by("pk")
    )
    table = selectors.score_table(runs)
    assert table.values.shape == (2, 4, 3)
    np.testing.assert_array_equal(table.values[0], np.array(RIGHTS, dtype=float))
    assert np.isnan(table.values[1, :, 1:]).all(), "attempts that were not made are holes"
    assert table.by_benchmark().mean[:, 0].tolist() == pytest.approx([0.5, 0.5])


def test_a_table_of_costs_says_what_is_known(priced: Lease, alice: User, team: Team, entry: EntryVersion) -> None:
    run = finished(priced, RIGHTS)
    run.version.benchmark.expert_cost_usd, run.version.benchmark.expert_cost_source = Decimal("0.02"), "A lab"
    run.version.benchmark.save()
    entry.entry.released_on = date(2025, 3, 1)
    entry.entry.save()
    table = cost_table([run.pk])
    assert (table.contenders, table.benchmarks) == (("small@fp32",), ("written",))
    assert table.samples == tuple(("written", str(at)) for at in range(4))
    np.testing.assert_array_equal(table.correct[0], np.array(RIGHTS, dtype=float))
    assert table.cost_usd[0].ravel().tolist() == pytest.approx([4e-4] * 12)
    assert (table.expert_cost_usd.tolist(), table.released) == ([0.02], ("2025-03-01",))
    assert dict(table.families) == {"tiny": ("small@fp32",)}
    assert table.answers is not None
    assert (table.answers >= 0).all()
    first, second = table.answers[0, 0], table.answers[0, 1]
    assert first[0] == first[1] != first[2]
    assert len(set(second.tolist())) == 3, "three wrong answers that differ"


def test_costs_of_runs_with_other_numbers_of_attempts_leave_holes(
    priced: Lease, alice: User, team: Team, entry: EntryVersion
) -> None:
    several = finished(priced, RIGHTS)
    suite = factories.suite(alice, team, "again", [several.version])
    factories.job(alice, team, suite, [entry], settings={"repeat": 1})
    lease = factories.claim()
    store(lease, *[attempt(at, tokens_in=None if at == 2 else 100) for at in range(4)])
    once = services.finish_run(lease=lease, provenance={})
    table = cost_table([several.pk, once.pk])
    assert table.contenders == ("small@fp32", "small@fp32 again")
    assert table.correct[1, :, 0].tolist() == [1.0] * 4
    assert np.isnan(table.correct[1, :, 1:]).all()
    assert np.isnan(table.cost_usd[1, :, 0]).tolist() == [False, False, True, False]


def test_the_analysis_of_costs_reads_finished_runs(priced: Lease) -> None:
    run = finished(priced, RIGHTS)
    result = computed("cost-of-pass", {"expert_cost": 0.02, "bootstrap": 0}, [run.pk])
    unit, nobody = 4e-4, 0.02
    assert result.frontier_value == pytest.approx((unit / (2 / 3) + nobody + unit + unit / (1 / 3)) / 4)


def test_scores_that_are_better_when_lower_have_no_pass(priced: Lease) -> None:
    run = finished(priced, RIGHTS)
    BenchmarkVersion.objects.filter(pk=run.version_id).update(higher_is_better=False)
    with pytest.raises(BadTable, match="lower score is better"):
        cost_table([run.pk])


def test_a_run_that_is_not_finished_has_no_costs(priced: Lease) -> None:
    with pytest.raises(NotEnoughData, match="no result"):
        cost_table([priced.run_id])


def test_a_task_that_turns_out_to_compare_log_likelihoods_is_answered_once(priced: Lease) -> None:
    leases.start(lease=priced, total=4, attempts=1)
    run = finished(priced, [[True], [False], [True], [True]])
    assert (run.settings["attempts"], run.done, run.mean) == (1, 4, 0.75)


def test_the_sample_browser_shows_samples_with_their_attempts(priced: Lease, alice: User, client: Client) -> None:
    run = finished(priced, RIGHTS)
    client.force_login(alice)
    page = client.get(f"/runs/{run.pk}/samples/")
    assert page.context["counts"] == {"all": 4, "right": 3, "wrong": 3}, "some samples are both"
    assert [(row.right, len(row.attempts)) for row in page.context["rows"]] == [(2, 3), (0, 3), (3, 3), (1, 3)]
    assert "2 of 3 right" in page.content.decode()
    wrong = client.get(f"/runs/{run.pk}/samples/?outcome=wrong")
    assert [row.score.index for row in wrong.context["rows"]] == [0, 1, 3]


def test_packed_scores_count_outcomes_as_rows_do(priced: Lease) -> None:
    run = finished(priced, RIGHTS)
    packed = selectors.outcomes(run)
    PackedScores.objects.get(run=run).delete()
    assert selectors.outcomes(run) == packed == {"all": 4, "right": 3, "wrong": 3}


def test_pages_of_samples_never_part_the_attempts_of_one(priced: Lease, alice: User) -> None:
    run = finished(priced, RIGHTS)
    first, following = selectors.sample_page(run, alice, size=3)
    rest, end = selectors.sample_page(run, alice, size=3, after=following or 0)
    assert [(row.score.index, len(row.attempts)) for row in (*first, *rest)] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert (following, end) == (2, None)


def test_a_sample_shows_one_attempt_and_leads_to_the_others(priced: Lease, alice: User, client: Client) -> None:
    run = finished(priced, RIGHTS, cached=64, seconds_to_first=0.02)
    client.force_login(alice)
    page = client.get(f"/runs/{run.pk}/samples/1/?attempt=3").content.decode()
    assert "(64 of them cached)" in page
    assert "first token after 20 ms" in page
    assert '<div class="quote" tabindex="0"> 2</div>' in page, "what the third attempt wrote"
    assert "?attempt=1" in page
    for strange in ("99", "0", "x"):
        assert client.get(f"/runs/{run.pk}/samples/1/?attempt={strange}").context["score"].attempt == 0


def test_the_page_of_a_run_tells_what_several_attempts_are_worth(priced: Lease, alice: User, client: Client) -> None:
    run = finished(priced, RIGHTS)
    client.force_login(alice)
    assert f"/runs/{run.pk}/attempts/" in client.get(f"/runs/{run.pk}/").content.decode()
    (row,) = client.get(f"/runs/{run.pk}/attempts/").context["repeats"].contenders
    assert row.at_least_one == pytest.approx((0.5, (1 + 0 + 1 + 2 / 3) / 4, 0.75))
    assert row.all_of_them == pytest.approx((0.5, (1 / 3 + 0 + 1 + 0) / 4, 0.25))


def test_efficiency_is_told_on_the_page_of_a_run(priced: Lease, alice: User, client: Client) -> None:
    made = [attempt(at, turn, latency=2.0 + turn) for at in range(4) for turn in range(3)]
    store(priced, *made)
    measured = {"host_peak_bytes": 5 * 10**8, "device_peak_bytes": 10**9, "energy_joules": 72.0, "load_seconds": 1.5}
    run = services.finish_run(lease=priced, provenance={"seed": 1}, measured=measured)
    assert (run.provenance["joules"], run.provenance["peak_memory_bytes"], run.provenance["seed"]) == (72.0, 10**9, 1)
    found = run.provenance["efficiency"]
    assert (found["latency_p50"], found["timed"], found["throughput"]) == (3.0, 12, 40.0)
    assert found["watt_hours_per_1000"] == pytest.approx(72 / 4 * 1000 / 3600)
    client.force_login(alice)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    for told in ("3.0 s median", "40.0 tokens a second", "500 MB", "1.0 GB", "5.00 Wh per 1,000 samples", "NVML"):
        assert told in page, told
