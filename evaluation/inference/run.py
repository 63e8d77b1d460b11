"""run(spec, engine=...): the single entry. Attempts come in lists, as samples finish; an empty list is a heartbeat.

    with run(spec, engine=engine) as evaluation:
        for attempts in evaluation:      # at least once a second; empty while nothing finished
            store(attempts)              # evaluation.total is known once anything finished
            if cancelled():
                break                    # leaving the block stops the model; the engine stays warm

The harness works in a thread of its own, because a batch may take minutes and a lease must be kept alive meanwhile.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

import torch

from evaluation.inference import harness, loading
from evaluation.inference.engine import Engine
from evaluation.inference.forward import NotANumberError, Stop
from evaluation.inference.harness import Contender
from evaluation.inference.meter import Meter
from evaluation.inference.sampling import Sampling, seed_of
from evaluation.inference.scoring import Scoring
from evaluation.records import Attempt, Endpoint, Question, RunSpec
from evaluation.schemes.calibration import refuse_leaks

TICK = 0.25  # seconds between two lists: often enough to look live, seldom enough to store them in batches
PATIENCE = 2.0  # seconds that `close` waits for the thread


class Cancelled(Exception):  # not an error: the consumer wanted it
    """Raised inside the harness when the consumer closed the run."""


@dataclass(slots=True)
class _Progress:
    """What thread and consumer share. The thread writes, the consumer reads, `cancelled` goes the other way."""

    news: queue.SimpleQueue[Attempt] = field(default_factory=queue.SimpleQueue)
    finished: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None
    phase: str = "waiting"
    total: int | None = None
    attempts: int = 1
    origin: dict[str, Any] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    search: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled

    def searched(self, news: Mapping[str, Any]) -> None:
        """News of a scheme that searches or learns; also where it can be stopped."""
        self.check()
        if news:
            self.phase, self.search = "applying the scheme", dict(news)


class Evaluation(Iterator[list[Attempt]]):
    """A run under way. Iterating raises what went wrong (an EvaluationError where its text is for the author)."""

    def __init__(self, spec: RunSpec, engine: Engine) -> None:
        self._progress = _Progress()
        # With the caller's context: what is logged there names the same run.
        work = partial(contextvars.copy_context().run, _work, spec, engine, self._progress)
        self._thread = threading.Thread(target=work, name="evaluation", daemon=True)
        self._started = self._closed = False

    @property
    def total(self) -> int | None:
        """Samples with an attempt left to make; None until the benchmark is built."""
        return self._progress.total

    @property
    def attempts(self) -> int:
        """At each sample, once `total` is known: one where log-likelihoods decide, else as asked for."""
        return self._progress.attempts

    @property
    def phase(self) -> str:
        """What it is doing: waiting, reading the benchmark, loading, applying the scheme, building, running,
        done, failed or cancelled."""
        return self._progress.phase

    @property
    def search(self) -> dict[str, Any]:
        """How far a scheme that searches has come: step, of, kl, and the map of bits per layer where it has one."""
        return dict(self._progress.search)

    @property
    def origin(self) -> dict[str, Any]:
        """Where the numbers come from: hashes, types and sizes of the contender, batch size, versions."""
        return dict(self._progress.origin)

    @property
    def measured(self) -> dict[str, Any]:
        """Memory, energy and time of the whole run once it is done (see `Meter`). load_seconds: None when the model was
        warm, or is elsewhere."""
        return dict(self._progress.measured)

    @property
    def questions(self) -> tuple[Question, ...]:
        """What is asked, once `total` is known; only for a task of the harness, whose documents nobody else has."""
        return self._progress.questions

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[Attempt]:
        if self._closed:
            raise StopIteration
        if not self._started:
            self._started = True
            self._thread.start()
        last = self._progress.finished.wait(TICK)
        attempts = self._drain()
        if last and not attempts:
            self.close()
            raise self._progress.failure or StopIteration
        return attempts

    def _drain(self) -> list[Attempt]:
        attempts: list[Attempt] = []
        with suppress(queue.Empty):
            while True:
                attempts.append(self._progress.news.get_nowait())
        return attempts

    def close(self) -> None:
        """Stop at the next batch or token. What finished until then has been handed out; the engine stays usable."""
        self._closed = True
        self._progress.cancelled.set()
        if self._started:
            self._thread.join(PATIENCE)

    @property
    def alive(self) -> bool:
        """Whether the model is still computing; after `close`, that it hangs and only a new process helps."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self._progress.cancelled.set()


def run(spec: RunSpec, *, engine: Engine) -> Evaluation:
    """Evaluate one contender on one benchmark. Nothing starts before the first `next`."""
    return Evaluation(spec, engine)


def _work(spec: RunSpec, engine: Engine, progress: _Progress) -> None:
    """The thread: pushes attempts, then the error or None."""
    try:
        while not engine.lock.acquire(timeout=0.2):
            progress.check()
        try:
            with torch.inference_mode():
                for attempt in _attempts(spec, engine, progress):
                    progress.news.put(attempt)
        finally:
            engine.lock.release()
    except Cancelled:
        progress.phase = "cancelled"
    except BaseException as error:  # raised again in the consumer
        progress.phase, progress.failure = "failed", error
    else:
        progress.phase = "done"
    finally:
        progress.finished.set()


def _attempts(spec: RunSpec, engine: Engine, progress: _Progress) -> Iterator[Attempt]:
    progress.phase = "reading the benchmark"
    task, metric = harness.load_task(spec.benchmark, engine.named_tasks)
    kind = harness.kind_of(spec.benchmark.name, task)
    progress.check()
    if spec.calibration is not None:
        refuse_leaks(spec.calibration, (task.doc_to_text(document) for _, document in task.doc_iterator()))
    progress.phase = "loading"
    meter, loads = Meter(None if isinstance(spec.model, Endpoint) else spec.device), engine.loads
    contender, origin = engine.contender(spec, log_likelihoods=kind == harness.LIKELIHOOD, tell=progress.searched)
    load_seconds = meter.seconds if engine.loads > loads else None
    progress.origin = _origin(spec, engine, task) | origin
    with closing(contender):
        progress.check()
        progress.phase = "building"
        progress.attempts = 1 if kind == harness.LIKELIHOOD else spec.attempts
        build = partial(harness.build_samples, task, limit=spec.limit, skip=spec.skip, subset=spec.subset)
        samples = list(build(chat=contender.chat, attempts=progress.attempts))
        scoring = Scoring(spec.benchmark.name, task, samples, metric)
        if spec.benchmark.harness_task:
            progress.questions = tuple(scoring.questions())
        progress.total = len({sample.number for sample in samples})
        progress.phase = "running"
        meter.start()
        torch.manual_seed(spec.seed)  # sampling draws from the global state, which is ours while we hold the lock
        yield from _answer(contender, kind, scoring, spec, progress.check)
        progress.measured = {**meter.read(), "load_seconds": load_seconds}


def _answer(contender: Contender, kind: str, scoring: Scoring, spec: RunSpec, stop: Stop) -> Iterator[Attempt]:
    try:
        with loading.out_of_memory(spec.device):
            for index, answer in contender.answers(kind, scoring.requests, stop, _sampling(spec, scoring)):
                yield from scoring.add(index, answer)
    except NotANumberError as error:
        raise scoring.not_finite(error.index, "the logits are not numbers") from error


def _sampling(spec: RunSpec, scoring: Scoring) -> Sampling | None:
    """Whatever is left to do after a resume, an attempt is drawn by its own seed."""
    if not spec.temperature:
        return None
    seeds = [seed_of(spec.seed, sample.number, sample.attempt) for sample in scoring.samples for _ in sample.requests]
    return Sampling(spec.temperature, tuple(seeds))


def _origin(spec: RunSpec, engine: Engine, task: Any) -> dict[str, Any]:
    return {
        "scheme": spec.scheme,
        "device": spec.device,
        "batch_size": spec.batch_size,
        "seed": spec.seed,
        "temperature": spec.temperature,
        "num_fewshot": task.config.num_fewshot or 0,
        "task_version": str(task.VERSION),
        "environment": dict(engine.environment()),
    }
