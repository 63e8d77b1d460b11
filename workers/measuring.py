"""Measures contenders by the fixed protocol between two runs: what people asked for, and what has just been evaluated.

No lease of a run is held meanwhile; that of a request is kept by signs of life. A request stops when the worker is to
stop or has lost it, and what nobody asked for also stops as soon as a run waits, or somebody pauses the worker.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any, TypeVar

from django.conf import settings as conf

from evaluation import bit_maps
from evaluation.errors import EvaluationError
from evaluation.inference.efficiency import measure
from evaluation.inference.engine import Engine
from evaluation.protocol import LOCAL, REMOTE, Efficiency
from evaluation.records import BenchmarkSpec, Checkpoint, Endpoint, RunSpec
from evaluation.schemes import SCHEMES
from webapp.errors import DomainError
from webapp.jobs import leases
from webapp.jobs.models import Run, default_settings
from webapp.results import measurements
from webapp.results.models import Measurement
from workers import devices, hosts
from workers.presence import Presence
from workers.specs import calibration_of, model_of
from workers.waiting import patiently

log = logging.getLogger("crosstable.worker")
LOOK_SECONDS = 0.3  # between two looks at the queue
KEEP_SECONDS = 10.0  # between two signs of life for a request
KEPT = 100  # contenders that wait for an idle moment
LIBRARIES = ("torch", "transformers", "torchao", "bitsandbytes", "threads", "cuda")  # of the engine's environment
ENDPOINT = "endpoint"
T = TypeVar("T")
Landed = dict[int, tuple[Run, RunSpec]]  # what has been evaluated and not measured yet, by contender


class Interrupted(Exception):  # not an error: something else comes first
    """A measurement was left; it is made later."""


@dataclass
class Measuring:
    """The measuring of one worker process. stopping: set when it is to stop. waiting: what is measured when idle."""

    name: str
    device: str
    schemes: list[str]
    presence: Presence
    stopping: Event
    engine: Engine
    waiting: Landed

    def landed(self, run: Run, spec: RunSpec) -> None:
        """A run is done: its contender is measured when nothing waits. Endpoints are paid for, so only when asked."""
        if conf.MEASURE_WHEN_IDLE and isinstance(spec.model, Checkpoint) and len(self.waiting) < KEPT:
            self.waiting[run.contender_id] = (run, spec)

    def asked(self) -> None:
        """Serve the oldest request, if there is one."""
        found = self.wait(partial(measurements.claim, worker=self.name, schemes=self.schemes))
        if found is None:
            return
        try:
            self._serve(found)
        except Interrupted:
            reason = f"Worker {self.name} was shut down; waiting for another."
            self.wait(partial(measurements.give_back, measurement=found, reason=reason))
        except (EvaluationError, DomainError) as error:
            self._failed(found, str(error))
        except Exception as error:  # a request must never be left without a reason
            reference = uuid.uuid4().hex[:12]
            log.error("measuring %s failed inside, reference %s", found, reference, exc_info=error)
            reason = f"Internal error {reference} ({type(error).__name__})."
            self.wait(partial(measurements.fail, measurement=found, reason=reason))
        self.wait(measurements.ring_again)

    def _failed(self, asked: Measurement, reason: str) -> None:
        """Unless this host is to blame: then it stands aside, and another one measures."""
        trouble = self.wait(partial(hosts.trouble, asked.contender.version))
        if not trouble:
            self.wait(partial(measurements.fail, measurement=asked, reason=reason))
            return
        self.wait(partial(hosts.stand_aside, self.name, trouble))
        self.wait(partial(measurements.give_back, measurement=asked, reason=f"Worker {self.name}: {trouble}."))

    def wait(self, call: Callable[[], T]) -> T:
        """The result of a call that may be made twice; while the database is away it is waited for."""
        return patiently(call, presence=self.presence, stopping=self.stopping)

    def idle(self) -> None:
        """Measure what has been evaluated here, one after the other, until a run waits."""
        while self.waiting:
            pk, (run, spec) = next(iter(self.waiting.items()))
            watch = _Watch(self)
            try:
                watch()
                self._measure_landed(run, spec, watch)
            except Interrupted:
                return
            except Exception:  # nobody asked: it is in the log, and must not come back after each run
                log.exception("measuring %s failed inside", run.contender)
            self.waiting.pop(pk)

    def _measure_landed(self, run: Run, spec: RunSpec, watch: _Watch) -> None:
        known = {"device": self._device, "protocol": LOCAL, "versions": self.versions}
        measured = partial(measurements.is_measured, contender_id=run.contender_id, **known)
        if self.wait(measured) or not self._is_cheap(spec):
            return
        try:
            found = measure(spec, engine=self.engine, stop=watch)
        except EvaluationError as error:  # it ran a moment ago; nobody asked, so nobody has to be told
            log.warning("%s could not be measured: %s", run.contender, error)
            return
        self._store(found, run.contender_id, measurements.basis(run.settings))

    def _is_cheap(self, spec: RunSpec) -> bool:
        """Warm, or soon loaded: a search is not made again only to be measured."""
        return not SCHEMES[spec.scheme].needs_calibration or self.engine.holds(spec)

    def _serve(self, asked: Measurement) -> None:
        spec = self.wait(partial(self._spec, asked))
        watch = _Watch(self, asked)
        if isinstance(spec.model, Endpoint):
            from evaluation.inference.streaming import measure_endpoint

            found = measure_endpoint(spec.model, stop=watch)
        else:
            found = measure(spec, engine=self.engine, stop=watch, tell=lambda news: watch())
        self._store(found, asked.contender_id, asked.settings, asked)

    def _spec(self, asked: Measurement) -> RunSpec:
        chosen = asked.settings
        return RunSpec(
            model=model_of(asked.contender.version),
            benchmark=BenchmarkSpec("none", ""),
            scheme=asked.contender.scheme,
            device=self.device,
            seed=chosen.get("seed", default_settings()["seed"]),
            calibration=calibration_of(chosen["calibration"]) if chosen.get("calibration") else None,
            bits=bit_maps.read(chosen["bits"]) if chosen.get("bits") else None,
        )

    def _store(
        self, found: Efficiency, contender: int, settings: Mapping[str, Any], asked: Measurement | None = None
    ) -> None:
        remote = found.protocol == REMOTE
        store = partial(
            measurements.store,
            contender_id=contender,
            device=ENDPOINT if remote else self._device,
            versions="" if remote else self.versions,
            worker=self.name,
            found=found,
            settings=settings,
            measurement=asked,
        )
        self.wait(store)

    @property
    def _device(self) -> str:
        return devices.describe(self.device)[:120]

    @property
    def versions(self) -> str:
        """A hash of the libraries and threads that numbers depend on."""
        environment = self.engine.environment()
        told = {name: environment[name] for name in LIBRARIES if name in environment}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass
class _Watch:
    """What a measurement calls between passes and tokens: keeps the worker alive, and stops what must not go on."""

    owner: Measuring
    asked: Measurement | None = None  # the request that is served; what nobody asked for yields to runs that wait
    _looked: float = float("-inf")

    def __call__(self) -> None:
        self.owner.presence.busy()
        if self.owner.stopping.is_set():
            raise Interrupted
        now = time.monotonic()
        if now - self._looked > (LOOK_SECONDS if self.asked is None else KEEP_SECONDS):
            self._looked = now
            self.owner.wait(self._look)

    def _look(self) -> None:
        if self.asked is None:
            if leases.is_held(self.owner.name) or measurements.runs_wait(self.owner.schemes):
                raise Interrupted
        elif not measurements.keep(measurement=self.asked):
            log.warning("measuring %s took too long without a sign of life: another worker may have it", self.asked)
            raise Interrupted
