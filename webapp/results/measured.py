"""What a run took, for its own page: times of its attempts as they are stored, and what its worker measured."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from evaluation.efficiency import latency, speed
from webapp.jobs.models import Run
from webapp.results.models import Score


def provenance(run: Run, measured: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's provenance says of memory, energy and time. measured: `Evaluation.measured` of its last attempt.

    A run that was resumed keeps the highest memory of its last worker, and no energy: what was spent before is lost.
    """
    whole = run.done_before == 0
    device, host = measured.get("device_peak_bytes"), measured.get("host_peak_bytes")
    joules = measured.get("energy_joules") if whole else None
    return {
        "peak_memory_bytes": host if device is None else device,
        "joules": joules,
        "efficiency": {
            **_times(run),
            "load_seconds": measured.get("load_seconds"),
            "host_peak_bytes": host,
            "device_peak_bytes": device,
            "watt_hours_per_1000": None if joules is None or not run.done else joules / run.done * 1000 / 3600,
        },
    }


def _times(run: Run) -> dict[str, Any]:
    """Latencies in seconds, and tokens written per second in two ways.

    throughput: tokens over the seconds that the device was busy. tokens_per_second: the slope of latency over tokens,
    which takes requests that were answered one by one: in a batch all wait for the longest.
    """
    rows = Score.objects.filter(run=run).values_list("latency", "seconds_to_first", "tokens_out", "seconds")
    numbers = np.array(list(rows), dtype=np.float64).reshape(-1, 4)  # None becomes NaN
    waited, first, tokens, busy = numbers.T
    one_by_one = run.contender.scheme == "served" or run.settings["batch_size"] == 1
    slope = speed(tokens, waited) if one_by_one else None
    whole, begin = latency(waited), latency(first)
    total = busy.sum()
    return {
        "latency_p50": _told(whole.p50),
        "latency_p95": _told(whole.p95),
        "timed": whole.n,
        "first_token_p50": _told(begin.p50),
        "first_token_p95": _told(begin.p95),
        "tokens_per_second": _told(slope.tokens_per_second) if slope else None,
        "tokens_per_second_error": _told(slope.tokens_per_second_error) if slope else None,
        "throughput": _told(tokens.sum() / total) if total > 0 and tokens.sum() > 0 else None,
    }


def _told(value: float) -> float | None:
    """JSON has no NaN; what is not known is null."""
    return float(value) if isfinite(value) else None
