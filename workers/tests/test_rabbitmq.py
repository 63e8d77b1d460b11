"""The same with RabbitMQ as the broker: runs begin by its bells, and outlast it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from webapp.accounts.models import Scope
from webapp.accounts.services import create_token
from webapp.jobs.models import Run
from webapp.results.models import Score
from workers.tests.conftest import Lab, Start, Web, evaluation_worker, free_port, living, state, wait_until
from workers.tests.rabbitmq import RabbitMQ, program
from workers.tests.test_outages import submit

pytestmark = [
    pytest.mark.engine,
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(program() is None, reason="no RabbitMQ on this machine"),
]


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[RabbitMQ]:
    server = RabbitMQ(tmp_path / "rabbitmq")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_runs_begin_by_its_bells_and_outlast_it(
    lab: Lab, start: Start, static_files: dict[str, str], rabbitmq: RabbitMQ
) -> None:
    """Nothing sweeps here: what begins while it answers was rung for."""
    more = {**static_files, "BROKER_URL": rabbitmq.url(), "CROSSTABLE_HTTPS": "0"}
    worker = evaluation_worker(start, **more)
    site = Web(start, more, free_port())
    site.up()
    token = create_token(actor=lab.owner, name="ci", scopes=[Scope.READ, Scope.SUBMIT], days=1)[1]
    wait_until(lambda: living("evaluation"), of=worker, seconds=120)
    lab.job(lab.entry("tiny-m"), size=1500, settings={"batch_size": 2, "limit": 2})  # whose bell rings elsewhere
    rung = submit(lab, site.port, token, repeat=1)
    wait_until(lambda: state(rung) == Run.State.DONE, of=worker)

    long = submit(lab, site.port, token, repeat=2, limit=1500)
    wait_until(lambda: Score.objects.filter(run=long).exists(), of=worker)
    rabbitmq.kill()
    assert state(long) == Run.State.RUNNING
    away = [submit(lab, site.port, token, repeat=repeat) for repeat in (3, 4)]
    wait_until(lambda: all(state(run) == Run.State.DONE for run in [long, *away]), of=worker, seconds=120)
    assert long.attempt == 1, "it went on"

    rabbitmq.start()
    told = submit(lab, site.port, token, repeat=5)
    wait_until(lambda: state(told) == Run.State.DONE, of=worker, seconds=60)
