"""The life of a run: ticks, totals, resume, cancel, reuse, failures."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deploy.demo.train import CHECKPOINTS
from evaluation.errors import BadBenchmark, ModelRefused, NotFinite
from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.inference.tests.conftest import BENCHMARKS, Runner, spec_of
from evaluation.records import Attempt, BenchmarkSpec, Checkpoint, RunSpec

pytestmark = pytest.mark.engine


def slow_spec() -> RunSpec:
    """A run of several seconds: the largest entry, one row a batch, many documents."""
    benchmark = BENCHMARKS["additions"]
    many = BenchmarkSpec("additions", "1", benchmark.definition.to_dict(), benchmark.documents * 20)
    return RunSpec(Checkpoint(str(CHECKPOINTS / "tiny-m")), many, batch_size=1)


def firsts(samples: Iterable[int]) -> frozenset[tuple[int, int]]:
    """The only attempts at these samples."""
    return frozenset((sample, 0) for sample in samples)


def test_attempts_come_with_everything_that_is_stored(evaluate: Runner) -> None:
    attempts = evaluate(spec_of(BENCHMARKS["additions"]))
    assert sorted(attempts) == list(range(500))
    for number, attempt in attempts.items():
        document = BENCHMARKS["additions"].documents[number]
        assert attempt.choice is not None
        assert attempt.answer == document["choices"][attempt.choice]
        assert attempt.target == document["choices"][document["gold"]]
        assert attempt.score == float(attempt.choice == document["gold"])
        assert attempt.choice == max(range(4), key=lambda choice: attempt.log_likelihoods[choice])
        assert attempt.tokens_in is not None
        assert 20 < attempt.tokens_in < 80  # four times question and choice
        assert attempt.tokens_out == 0
        assert attempt.seconds is not None
        assert 0 < attempt.seconds < 10


def test_generation_counts_its_tokens(evaluate: Runner) -> None:
    attempts = evaluate(spec_of(BENCHMARKS["sorting"]))
    for attempt in attempts.values():
        assert attempt.tokens_out is not None
        assert 1 <= attempt.tokens_out <= 12
        assert "\n" not in attempt.output
        assert attempt.answer == attempt.output.strip()


def test_the_total_is_known_once_anything_finished(engine: Engine, xs: Checkpoint) -> None:
    spec = RunSpec(xs, spec_of(BENCHMARKS["facts"]), limit=50, skip=firsts(range(10)))
    evaluation = run(spec, engine=engine)
    assert evaluation.total is None
    seen = 0
    for attempts in evaluation:
        if attempts:
            assert evaluation.total == 40
        seen += len(attempts)
    assert (seen, evaluation.phase) == (40, "done")
    assert evaluation.origin["dtype"] == "float32"
    assert evaluation.origin["environment"]["torch"] == torch.__version__


def test_a_resumed_run_gives_the_rest_of_the_same_scores(evaluate: Runner) -> None:
    definition = {"examples": [BENCHMARKS["series"].documents[7]], "num_fewshot": 1}
    spec = spec_of(BENCHMARKS["series"], **definition)
    whole = evaluate(spec)
    done = frozenset(number for number in whole if number % 3)
    rest = evaluate(spec, skip=firsts(done))
    assert set(rest) == set(whole) - done
    for number, attempt in rest.items():
        assert (attempt.score, attempt.choice, attempt.prompt_hash) == (
            whole[number].score,
            whole[number].choice,
            whole[number].prompt_hash,
        )
        assert attempt.log_likelihoods == pytest.approx(whole[number].log_likelihoods, abs=1e-4)


def test_everything_skipped_is_an_empty_run(evaluate: Runner) -> None:
    assert evaluate(spec_of(BENCHMARKS["series"]), skip=firsts(range(130))) == {}


def test_empty_lists_come_while_nothing_finishes(engine: Engine) -> None:
    """A second run waits for the engine; its consumer still gets a sign of life several times a second."""
    with engine.lock, run(slow_spec(), engine=engine) as waiting:
        began = time.perf_counter()
        assert [next(waiting) for _ in range(3)] == [[], [], []]
        assert time.perf_counter() - began < 3
        assert (waiting.phase, waiting.total) == ("waiting", None)


def test_close_stops_soon_and_the_engine_goes_on(engine: Engine, evaluate: Runner) -> None:
    evaluation = run(slow_spec(), engine=engine)
    got: list[Attempt] = []
    while len(got) < 20:
        got += next(evaluation)
    began = time.perf_counter()
    evaluation.close()
    assert time.perf_counter() - began < 2
    assert list(evaluation) == []
    assert not engine.lock.locked()
    assert evaluation.total == 10_000
    assert len(evaluate(spec_of(BENCHMARKS["series"]))) == 130


def test_cancelling_a_generation_stops_between_tokens(engine: Engine) -> None:
    benchmark = BENCHMARKS["sorting"]
    definition = benchmark.definition.to_dict() | {"stop": ["no such text"], "max_tokens": 100}
    spec = BenchmarkSpec("endless", "1", definition, benchmark.documents * 40)
    evaluation = run(RunSpec(Checkpoint(str(CHECKPOINTS / "tiny-m")), spec, batch_size=1000), engine=engine)
    while evaluation.phase != "running":
        next(evaluation)
    began = time.perf_counter()
    evaluation.close()
    assert time.perf_counter() - began < 2
    assert (evaluation.phase, engine.lock.locked()) == ("cancelled", False)


def test_a_run_that_is_dropped_frees_the_engine(engine: Engine) -> None:
    evaluation = run(slow_spec(), engine=engine)
    next(evaluation)
    del evaluation
    gc.collect()
    assert engine.lock.acquire(timeout=3)
    engine.lock.release()


def test_the_second_run_does_not_load_again(xs: Checkpoint) -> None:
    engine = Engine()
    for name in ("series", "sorting", "series"):
        assert list(run(RunSpec(xs, spec_of(BENCHMARKS[name]), limit=3), engine=engine))
    assert engine.loads == 1
    assert list(run(RunSpec(xs, spec_of(BENCHMARKS["series"]), limit=3, scheme="bf16"), engine=engine))
    assert engine.loads == 2


def test_the_least_recently_used_model_makes_room(broken: Path, xs: Checkpoint) -> None:
    engine = Engine(memory=300_000)  # one fits, two do not
    models = (xs, Checkpoint(str(broken)), Checkpoint(str(broken)), xs)
    for model in models:
        assert list(run(RunSpec(model, spec_of(BENCHMARKS["series"]), limit=3), engine=engine))
    assert engine.loads == 3


def test_changed_weights_are_loaded_again(broken: Path) -> None:
    engine = Engine()
    spec = RunSpec(Checkpoint(str(broken)), spec_of(BENCHMARKS["series"]), limit=5)
    before = [attempt for attempts in run(spec, engine=engine) for attempt in attempts]
    weights = load_file(broken / "model.safetensors")
    save_file({name: tensor * 0.5 for name, tensor in weights.items()}, broken / "model.safetensors", {"format": "pt"})
    after = [attempt for attempts in run(spec, engine=engine) for attempt in attempts]
    assert engine.loads == 2
    assert [one.log_likelihoods for one in before] != [one.log_likelihoods for one in after]


@pytest.mark.parametrize("name", ["series", "sorting"])
def test_weights_that_are_no_numbers_fail_the_run(name: str, broken: Path, evaluate: Runner) -> None:
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][3] = math.nan
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(NotFinite, match=rf"Sample \d+ of {name}"):
        evaluate(spec_of(BENCHMARKS[name]), Checkpoint(str(broken)))


def test_a_question_may_be_too_long_only_in_front(evaluate: Runner) -> None:
    """A prompt longer than the context is cut from the left, as lm_eval does; an answer is never cut."""
    definition = BENCHMARKS["additions"].definition.to_dict()
    long = {"question": "a b " * 200, "choices": ["c", "d"], "gold": 0}
    assert evaluate(BenchmarkSpec("long", "1", definition, (long,)))[0].tokens_in > 128  # type: ignore[operator]
    answer = {"question": "a", "choices": ["c d " * 100, "d"], "gold": 0}
    with pytest.raises(BadBenchmark, match="tokens"):
        evaluate(BenchmarkSpec("long", "1", definition, (answer,)))
    with pytest.raises(BadBenchmark, match="no room"):
        evaluate(spec_of(BENCHMARKS["sorting"], max_tokens=128))


def test_errors_of_the_author_reach_the_consumer(evaluate: Runner) -> None:
    plain = {"kind": "multiple_choice", "prompt": "x"}
    with pytest.raises(BadBenchmark, match="no index"):
        evaluate(BenchmarkSpec("bad", "1", plain, ({"choices": ["a", "b"], "gold": 2},)))
    with pytest.raises(BadBenchmark, match="not allowed"):
        evaluate(spec_of(BENCHMARKS["series"], prompt="{{ ''.join(question) }}"))
    with pytest.raises(BadBenchmark, match="no documents"):
        evaluate(BenchmarkSpec("empty", "1", plain))
    with pytest.raises(ModelRefused, match="no scheme"):
        evaluate(spec_of(BENCHMARKS["series"]), scheme="int99")
    with pytest.raises(ModelRefused, match="no device"):
        evaluate(spec_of(BENCHMARKS["series"]), device="cuda:99")
