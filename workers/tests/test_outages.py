"""The broker and the web die in mid-run: runs go on, submissions are accepted, and start when the broker returns."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from deploy.local.servers import EmbeddedValkey
from webapp.accounts.models import Scope
from webapp.accounts.services import create_token
from webapp.jobs.models import Run
from webapp.results.models import Score
from workers.tests.conftest import (
    Lab,
    Process,
    Start,
    analysis_worker,
    answers,
    evaluation_worker,
    free_port,
    kill,
    living,
    state,
    wait_until,
)

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.django_db(transaction=True)]
BEAT = ("-B", "--scheduler", "celery.beat:Scheduler")


def web(start: Start, port: int, **more: str) -> Process:
    quiet = ("--lifespan", "on", "--log-level", "warning")
    process = start("uvicorn", "webapp.asgi:application", "--port", str(port), *quiet, **more)
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), of=process)
    return process


def submit(lab: Lab, port: int, token: str, repeat: int, limit: int = 30) -> Run:
    body = {"team": "lab", "entries": ["lab/tiny-m"], "schemes": ["fp32"], "suite": "lab/choice-1500"}
    body |= {"settings": {"batch_size": 2, "limit": limit, "repeat": repeat}}
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"http://127.0.0.1:{port}/api/v1/jobs/", json=body, headers=headers, timeout=30)
    assert answer.status_code == 202, answer.text
    return Run.objects.get(jobs=answer.json()["id"])


def test_the_broker_and_the_web_die_and_come_back(
    lab: Lab, start: Start, broker: EmbeddedValkey, tmp_path: Path
) -> None:
    more = {"BROKER_URL": broker.url(), "CHANNEL_LAYER_URL": broker.channel_layer_url()}
    more |= {"CROSSTABLE_DATA": str(tmp_path / "var"), "CROSSTABLE_HTTPS": "0"}
    port = free_port()
    assert start("manage", "collectstatic", "--noinput", "-v0", **more).child.wait(120) == 0
    site = web(start, port, **more)
    analysis_worker(start, *BEAT, **more)
    worker = evaluation_worker(start, **more)
    token = create_token(actor=lab.owner, name="ci", scopes=[Scope.READ, Scope.SUBMIT], days=1)[1]
    wait_until(lambda: living("evaluation"), of=worker, seconds=120)
    first = lab.job(lab.entry("tiny-m"), size=1500, settings={"batch_size": 2}).runs.get()
    wait_until(lambda: Score.objects.filter(run=first).exists(), of=worker)

    kill(broker)
    site.kill()
    site = web(start, port, **more)
    wait_until(lambda: state(first) == Run.State.DONE, of=worker, seconds=180)
    assert first.attempt == 1, "the run went on"
    for repeat in (1, 2):
        accepted = submit(lab, port, token, repeat)  # the worker is idle, and looks at the queue without a bell
        wait_until(lambda run=accepted: state(run) == Run.State.DONE, of=worker, seconds=60)

    broker.stop()
    broker.start()
    told = submit(lab, port, token, repeat=3)
    wait_until(lambda: state(told) == Run.State.DONE, of=worker, seconds=60)
