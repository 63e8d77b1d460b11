"""Automatic checks beside people's: what a machine can say about the runs under review."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webapp.jobs.models import Run

ENOUGH = 100  # samples per run: below it a 95 % interval is wider than about 10 points either way


@dataclass(frozen=True)
class Check:
    """One finding. passed: None where it cannot be said."""

    name: str
    passed: bool | None
    text: str


def checks(runs: Sequence[Run]) -> list[Check]:
    """All of them, in the order in which a reviewer would ask."""
    return [check(runs) for check in CHECKS]


def _complete(runs: Sequence[Run]) -> Check:
    lacking = [str(run) for run in runs if run.state != Run.State.DONE or run.done != run.total]
    text = f"Not complete: {_listed(lacking)}." if lacking else "Every sample of every run has a score."
    return Check("No failed samples", not lacking, text)


def _enough(runs: Sequence[Run]) -> Check:
    small = [f"{run} ({run.done})" for run in runs if run.done < ENOUGH]
    least = min((run.done for run in runs), default=0)
    text = f"Below {ENOUGH} samples: {_listed(small)}." if small else f"At least {least:,} samples in every run."
    return Check("Enough samples", not small, text)


def _harness(runs: Sequence[Run]) -> Check:
    used = {
        str(run.provenance.get("environment", {}).get("lm_eval") or run.provenance.get("harness", "")) for run in runs
    }
    if used == {""}:
        return Check("One harness", None, "The runs do not say which harness they were made with.")
    text = f"All by {used.pop()}." if len(used) == 1 else f"Made with different ones: {', '.join(sorted(used))}."
    return Check("One harness", text.startswith("All"), text)


def _settings(runs: Sequence[Run]) -> Check:
    """Batch size and repetition change no question; a seed, a limit or a temperature may."""
    kept = [{k: v for k, v in run.settings.items() if k not in {"batch_size", "repeat"}} for run in runs]
    same = all(settings == kept[0] for settings in kept)
    limited = sorted({str(run) for run in runs if run.settings.get("limit")})
    if limited:
        return Check("Whole benchmarks, one setting", False, f"Only a part was run of {_listed(limited)}.")
    text = "The same settings throughout." if same else "The runs were made with different settings."
    return Check("Whole benchmarks, one setting", same, text)


def _cost(runs: Sequence[Run]) -> Check:
    unknown = sorted({run.contender.name for run in runs if run.cost_usd is None})
    text = f"Not known for {_listed(unknown)}." if unknown else "Known for every run."
    return Check("Cost recorded", not unknown, text)


def _dated(runs: Sequence[Run]) -> Check:
    priced = [run for run in runs if run.unit_prices]
    undated = sorted({run.contender.name for run in priced if not run.unit_prices.get("valid_from")})
    if not priced:
        return Check("Prices dated", None, "No run has a price.")
    text = f"No date for {_listed(undated)}." if undated else "Every price has its source and date."
    return Check("Prices dated", not undated, text)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


CHECKS: tuple[Callable[[Sequence[Run]], Check], ...] = (_complete, _enough, _harness, _settings, _cost, _dated)
