"""What a worker logs names the run that it speaks of, also from the engine's own thread, and the request behind it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from evaluation.inference import run as inference
from webapp import logs
from webapp.accounts.models import Scope
from webapp.accounts.services import create_token
from webapp.jobs.models import Job, Run
from workers import pipeline
from workers.presence import Presence
from workers.tests.conftest import Lab, Process, Start, Web, evaluation_worker, free_port, state, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
FORMAT = {"CROSSTABLE_LOG_FORMAT": "json"}
IDENT = "proxy-7.of_64" + "f" * 51  # as long as one may be


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
    with logs.bound(request=IDENT):
        lab.job(lab.entry(), size=4)

    def broken(*_: Any, **__: Any) -> None:
        logging.getLogger("crosstable.engine").warning("loading")
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(inference.loading, "load", broken)
    assert pipeline.evaluate_next()
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    facts = {"run": str(Run.objects.get().pk), "attempt": "1", "worker": "here", "request": IDENT}
    for logger in ("crosstable.engine", "crosstable.worker"):
        (line,) = [one for one in told if one["logger"] == logger]
        assert {name: line[name] for name in facts} == facts
    assert "a bug of ours" in next(one["traceback"] for one in told if "traceback" in one)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_is_followed_from_its_request_to_its_worker(lab: Lab, start: Start, static_files: dict[str, str]) -> None:
    lab.entry("tiny-xs")
    lab.sums(4)
    token = create_token(actor=lab.owner, name="ci", scopes=[Scope.READ, Scope.SUBMIT], days=1)[1]
    asked = {"team": "lab", "entries": ["lab/tiny-xs"], "schemes": ["fp32"], "suite": "lab/choice-4"}
    web = Web(start, {**static_files, **FORMAT}, free_port())
    web.up()

    said = {"Authorization": f"Bearer {token}", "X-Request-ID": IDENT, "Idempotency-Key": "once"}
    answers = [httpx.post(f"{web.address}/api/v1/jobs/", json=asked, headers=said, timeout=30) for _ in range(2)]
    assert [(answer.status_code, answer.headers["X-Request-ID"]) for answer in answers] == [(202, IDENT)] * 2
    worker = evaluation_worker(start, **FORMAT)
    run = Run.objects.get()
    wait_until(lambda: state(run) == Run.State.DONE, seconds=180, of=worker)

    job = str(Job.objects.get().pk)
    submitted = [line for line in lines_of(web.process) if line.get("job") == job]
    assert [(line["message"], line["request"]) for line in submitted] == [
        (f"job {job} submitted: 1 runs, 1 new", IDENT),
        (f"job {job} was there", IDENT),
    ]
    of_the_run = [line for line in lines_of(worker) if line.get("run") == str(run.pk)]
    assert [line["message"] for line in of_the_run if line["logger"] == "crosstable.run"] == [f"takes {run}"]
    assert {(line["request"], line["attempt"], line["worker"]) for line in of_the_run} == {
        (IDENT, "1", "evaluation@test")
    }


def lines_of(process: Process | None) -> list[dict[str, Any]]:
    assert process
    process.stop()
    return [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
