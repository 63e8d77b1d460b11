"""What a worker logs names the run that it speaks of, also from the engine's own thread."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from evaluation.inference import run as inference
from webapp import logs
from webapp.jobs.models import Run
from workers import pipeline
from workers.presence import Presence
from workers.tests.conftest import Lab

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    pipeline.engine.cache_clear()  # no model that an earlier test loaded
    monkeypatch.setattr(logs, "_process", {})
    logs.bind_process(worker="here")
    monkeypatch.setattr(pipeline, "_me", pipeline.Me("here", "cpu", pipeline.offered_schemes("cpu"), Presence("here")))
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logs.JSONLines())
    logging.getLogger("crosstable").addHandler(handler)
    yield handler.stream
    logging.getLogger("crosstable").removeHandler(handler)


def test_a_failure_and_a_thread_of_the_engine_name_their_run(
    lab: Lab, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.job(lab.entry(), size=4)

    def broken(*_: Any, **__: Any) -> None:
        logging.getLogger("crosstable.engine").warning("loading")
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(inference.loading, "load", broken)
    assert pipeline.evaluate_next()
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    facts = {"run": str(Run.objects.get().pk), "attempt": "1", "worker": "here"}
    for logger in ("crosstable.engine", "crosstable.worker"):
        (line,) = [one for one in told if one["logger"] == logger]
        assert {name: line[name] for name in facts} == facts
    assert "a bug of ours" in next(one["traceback"] for one in told if "traceback" in one)
