"""What a machine says about the runs under review."""

from __future__ import annotations

from webapp.jobs.models import Run
from webapp.reviews.checks import checks


def found(runs: list[Run]) -> dict[str, bool | None]:
    return {check.name: check.passed for check in checks(runs)}


def test_small_unpriced_runs_are_told(runs: list[Run]) -> None:
    said = found(runs)
    assert said["No failed samples"] is True
    assert said["Enough samples"] is False
    assert said["One harness"] is True
    assert said["Whole benchmarks, one setting"] is True
    assert said["Cost recorded"] is False
    assert said["Prices dated"] is None


def test_what_differs_is_named(runs: list[Run]) -> None:
    runs[0].provenance = {"harness": "lm-eval 0.4.9"}
    runs[1].settings = {**runs[1].settings, "limit": 2}
    runs[2].unit_prices = {"hour_usd": "1", "valid_from": ""}
    runs[3].done = 3
    said = {check.name: check for check in checks(runs)}
    assert said["One harness"].passed is False
    assert "0.4.9" in said["One harness"].text
    assert said["Whole benchmarks, one setting"].passed is False
    assert said["Prices dated"].passed is False
    assert said["No failed samples"].passed is False


def test_batch_size_makes_no_difference(runs: list[Run]) -> None:
    runs[0].settings = {**runs[0].settings, "batch_size": 7}
    assert found(runs)["Whole benchmarks, one setting"] is True
    runs[0].settings = {**runs[0].settings, "seed": 7}
    assert found(runs)["Whole benchmarks, one setting"] is False
