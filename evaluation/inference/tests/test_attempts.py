"""Several attempts at each sample: drawn by their own seeds, so that nothing but seed, sample and attempt matters."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch

from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.inference.sampling import Drawn, seed_of
from evaluation.inference.tests.conftest import BENCHMARKS, spec_of
from evaluation.records import Attempt, Checkpoint, RunSpec

pytestmark = pytest.mark.engine
Texts = dict[tuple[int, int], Attempt]


def texts(engine: Engine, model: Any, *, name: str = "sorting", **fields: Any) -> Texts:
    """Attempts by (sample, attempt); each comes once."""
    options = {"limit": 12, "attempts": 5, "temperature": 1.2} | fields
    spec = RunSpec(model, spec_of(BENCHMARKS[name]), **options)
    made = [attempt for attempts in run(spec, engine=engine) for attempt in attempts]
    found = {(attempt.sample, attempt.attempt): attempt for attempt in made}
    assert len(found) == len(made)
    return found


def outputs(found: Texts) -> dict[tuple[int, int], str]:
    return {key: attempt.output for key, attempt in found.items()}


def test_every_sample_is_tried_as_often_as_asked(engine: Engine, xs: Checkpoint) -> None:
    found = texts(engine, xs)
    assert set(found) == {(sample, attempt) for sample in range(12) for attempt in range(5)}
    differing = sum(len({found[sample, attempt].output for attempt in range(5)}) > 1 for sample in range(12))
    assert differing >= 10, "a small model at temperature 1.2 is rarely sure"
    assert all(attempt.tokens_in and attempt.tokens_out for attempt in found.values())


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_a_resumed_run_draws_what_the_whole_one_drew_whatever_the_batches(
    engine: Engine, xs: Checkpoint, batch_size: int
) -> None:
    whole = outputs(texts(engine, xs, batch_size=16))
    done = frozenset(key for key in whole if (key[0] + 2 * key[1]) % 3)
    rest = outputs(texts(engine, xs, batch_size=batch_size, skip=done))
    assert rest == {key: output for key, output in whole.items() if key not in done}


def test_another_seed_draws_other_texts_and_the_same_one_the_same(engine: Engine, xs: Checkpoint) -> None:
    first, again, other = (outputs(texts(engine, xs, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert sum(first[key] != other[key] for key in first) > 30


def test_at_a_low_temperature_the_likeliest_tokens_are_left(engine: Engine, xs: Checkpoint) -> None:
    greedy = texts(engine, xs, attempts=1, temperature=0.0)
    cold = texts(engine, xs, attempts=2, temperature=0.001)
    assert all(cold[sample, attempt].output == greedy[sample, 0].output for sample, attempt in cold)


def test_log_likelihoods_are_computed_once_whatever_is_asked(engine: Engine, xs: Checkpoint) -> None:
    spec = RunSpec(xs, spec_of(BENCHMARKS["series"]), limit=6, attempts=5, temperature=1.0)
    evaluation = run(spec, engine=engine)
    made = [attempt for attempts in evaluation for attempt in attempts]
    assert sorted((attempt.sample, attempt.attempt) for attempt in made) == [(sample, 0) for sample in range(6)]
    assert (evaluation.attempts, evaluation.total) == (1, 6)


def test_the_total_counts_samples_with_an_attempt_left(engine: Engine, xs: Checkpoint) -> None:
    skip = frozenset({(0, 0), (0, 1), (1, 0), (2, 1)})
    spec = RunSpec(xs, spec_of(BENCHMARKS["sorting"]), limit=4, attempts=2, temperature=1.0, skip=skip)
    evaluation = run(spec, engine=engine)
    assert sum(len(attempts) for attempts in evaluation) == 4
    assert (evaluation.attempts, evaluation.total) == (2, 3)


def test_the_time_of_a_batch_is_shared_and_its_latency_is_not(engine: Engine, xs: Checkpoint) -> None:
    found = list(texts(engine, xs, limit=4, attempts=3, batch_size=64).values())
    latencies = {attempt.latency for attempt in found}
    assert len(latencies) == 1, "one batch"
    (latency,) = latencies
    assert latency is not None
    assert sum(attempt.seconds or 0.0 for attempt in found) == pytest.approx(latency)
    assert all(0 < (attempt.seconds_to_first or 0.0) < latency for attempt in found)
    assert all(attempt.tokens_cached is None for attempt in found), "nobody told"


def test_seeds_of_a_samples_attempts_never_meet() -> None:
    seeds = [seed_of(7, sample, attempt) for sample in range(200) for attempt in range(64)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert all(len(set(seeds[start : start + 64])) == 64 for start in range(0, len(seeds), 64))
    assert seed_of(7, 3, 1) == seed_of(7, 3, 1) != seed_of(8, 3, 1)


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    """Softmax of the logits over the temperature; a token with no probability is never drawn."""
    rows, logits, temperature = 4000, [0.0, 1.0, -math.inf, 2.0, -math.inf], 0.7
    drawn = Drawn(temperature, range(rows), prompt=3, most=2, device=torch.device("cpu"))
    scores = torch.tensor([logits] * rows)
    for step in range(2):
        left = drawn(torch.zeros(rows, 3 + step, dtype=torch.long), scores)
        counts = Counter(left.argmax(dim=-1).tolist())
        assert torch.isfinite(left).sum() == rows, "one token of each row is left"
        expected = torch.softmax(torch.tensor(logits) / temperature, dim=0).tolist()
        for token, share in enumerate(expected):
            sigma = math.sqrt(share * (1 - share) / rows)
            assert abs(counts[token] / rows - share) <= 4 * sigma, (step, token)
