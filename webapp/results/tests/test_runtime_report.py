"""Runtime and energy: idealized by the protocol's speeds, fitted on stored latencies, measured, and what is stated."""

from __future__ import annotations

from math import isnan, nan
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Suite
from webapp.jobs.models import Run
from webapp.results.runtime_report import Assumed, RuntimeView, runtime_view
from webapp.results.tests.test_efficiency import ran
from webapp.tests import factories

JOULES = 7200.0


@pytest.fixture
def three(
    alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion, written: BenchmarkVersion
) -> list[int]:
    """small@fp32, large@fp32 and small@bf16, answered one by one; the first two are measured."""
    suite = factories.suite(alice, team, "writing", [written])
    factories.job(alice, team, suite, [entry, other_entry], "fp32", settings={"batch_size": 1})
    factories.job(alice, team, suite, [entry], "bf16", settings={"batch_size": 1})
    told: dict[str, Any] = {"provenance": {"joules": JOULES}}
    runs = [ran("CPU", 0.5, tokens_in=96, **told), ran("CPU", 1.0, tokens_in=96), ran("CPU", 2.0, tokens_in=96)]
    factories.measurement(catalog.contender(version=entry, scheme="fp32"), factories.pace(20.0))
    factories.measurement(catalog.contender(version=other_entry, scheme="fp32"), factories.pace(10.0))
    return [run.pk for run in runs]


def seen(runs: list[int], **assumed: float) -> RuntimeView:
    found = runtime_view(runs, Assumed(**assumed))
    assert found is not None
    return found


def test_idealized_times_follow_from_tokens_and_measured_speeds(three: list[int]) -> None:
    """96 tokens are read at ten times the speed of writing; samples have 1, 2, 3 and 4 tokens, the first with the
    prompt: 96 / 200 + 1.5 / 20 on average."""
    small, large, other = seen(three).rows
    assert [row.name for row in (small, large, other)] == ["small@fp32", "large@fp32", "small@bf16"]
    assert small.idealized == pytest.approx(96 / 200 + 1.5 / 20)
    assert large.idealized == pytest.approx(2 * small.idealized)
    assert isnan(other.idealized)  # nobody measured it


def test_what_is_stated_makes_money_and_carbon_and_nothing_else_does(three: list[int]) -> None:
    small, large, other = seen(three, hour_usd=3600.0, grid=400.0).rows
    assert small.thousand_usd == pytest.approx(1000 * small.idealized)
    assert isnan(other.thousand_usd)
    assert small.stored.energy.watt_hours == pytest.approx(JOULES / 4 * 1000 / 3600)
    assert small.carbon == pytest.approx(JOULES / 4 / 3600 * 400)
    assert isnan(large.carbon)  # its energy was not measured, which is not 0
    plain = seen(three).rows[0]
    assert isnan(plain.thousand_usd)
    assert isnan(plain.carbon)


def test_the_fit_takes_answers_of_different_lengths(three: list[int], alice: User, team: Team) -> None:
    """All prompts have one length here, so that no time per prompt token can be told: there is no fit."""
    assert all(row.fitted is None and isnan(row.denoised) for row in seen(three).rows)
    Run.objects.get(pk=three[0]).scores.filter(index=0).update(tokens_in=48)
    fitted = seen(three).rows[0].fitted
    assert fitted is not None
    assert fitted.write == pytest.approx(0.5, rel=0.01)
    assert fitted.tokens_per_second == pytest.approx(2, rel=0.01)


def test_batches_are_no_single_requests(
    alice: User, team: Team, entry: EntryVersion, written: BenchmarkVersion
) -> None:
    suite = factories.suite(alice, team, "writing", [written])
    factories.job(alice, team, suite, [entry], settings={"batch_size": 8})
    run = ran("CPU", 0.5)
    run.scores.filter(index=0).update(tokens_in=48)
    assert seen([run.pk]).rows[0].fitted is None


def test_only_both_times_are_drawn_and_emulated_ones_are_not(three: list[int], entry: EntryVersion) -> None:
    emulated = catalog.contender(version=entry, scheme="bf16")
    factories.measurement(emulated, factories.pace(40.0, emulated=True))
    view = seen(three)
    assert [row.name for row in view.drawn] == ["small@fp32", "large@fp32"]
    assert view.rows[2].emulated
    (figure,) = view.figures
    assert figure.rows[0][0] == "small@fp32"
    assert [point["name"] for point in view.charts["idealized"]] == ["small@fp32", "large@fp32"]
    assert view.agreement.indicators[:1] != ("energy",)  # one contender has it: no order


def test_the_page_says_where_and_what_is_missing(client: Client, alice: User, three: list[int]) -> None:
    client.force_login(alice)
    suite = Suite.objects.get(name="writing")
    page = client.get(reverse("results:runtime"), {"suite": suite.pk, "hour_usd": "3.6", "grid": ""}).content.decode()
    for part in (
        "measured on <strong>a CPU</strong>", "All runs took place on CPU", "small@bf16", "not measured", "555 ms",
        'data-chart="idealized"', "js/runtime.js", 'value="3.6"',
    ):  # fmt: skip
        assert part in page, part
    chosen = client.get(reverse("results:runtime"), {"runs": ",".join(map(str, three)), "grid": "-1"})
    assert (chosen.status_code, b"greater than or equal to 0" in chosen.content) == (200, True)
    assert b"Choose a suite" in client.get(reverse("results:runtime")).content
    assert client.get(reverse("results:runtime"), {"suite": 10**6}).status_code == 404


def test_without_measurements_there_are_no_idealized_times(
    alice: User, team: Team, entry: EntryVersion, written: BenchmarkVersion
) -> None:
    suite = factories.suite(alice, team, "writing", [written])
    factories.job(alice, team, suite, [entry])
    view = seen([ran("CPU", 0.5).pk])
    assert view.paces is None
    assert view.figures == []
    assert [row.idealized for row in view.rows] == pytest.approx([nan], nan_ok=True)
