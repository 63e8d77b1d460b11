"""Runs against a real OpenAI-compatible server that serves a demo checkpoint."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.conf import settings as conf
from pytest_django import Settings

from webapp.catalog.models import EntryVersion, Source
from webapp.catalog.services import register_entry
from webapp.catalog.sources import SourceRequest
from webapp.jobs.models import Run
from webapp.results.models import Score
from webapp.tests import factories
from workers import pipeline
from workers.tests.conftest import CHECKPOINTS, Lab
from workers.tests.test_pipeline import this_process_is_a_worker

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.django_db]
__all__ = ["this_process_is_a_worker"]
CHECKPOINT = str(CHECKPOINTS / "tiny-xs")


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """A server process; gives its address, up to /v1."""
    command = [sys.executable, "-m", "deploy.demo.openai_server", CHECKPOINT, "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=conf.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stdout)))
        yield f"{found[0]}/v1"
        server.terminate()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as found:
        yield found


def register(lab: Lab, address: str, style: str = "completions") -> EntryVersion:
    source = SourceRequest(
        Source.ENDPOINT, address, endpoint_model="tiny-xs", endpoint_style=style, tokenizer=CHECKPOINT, api_key="s3cret"
    )
    return register_entry(actor=lab.owner, team=lab.team, name=f"served-{style}", source=source)


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings: Settings) -> None:
    settings.ALLOWED_NETWORKS = ["127.0.0.1/32"]


def choices(run: Run) -> list[int | None]:
    return list(Score.objects.filter(run=run).order_by("index").values_list("choice", flat=True))


def test_an_endpoint_gives_the_same_choices_as_its_checkpoint(lab: Lab, address: str) -> None:
    served = register(lab, address)
    remote = lab.job(served, size=30).runs.get()
    assert lab.suite is not None
    local = factories.job(lab.owner, lab.team, lab.suite, [lab.entry("tiny-xs")]).runs.get()
    while pipeline.evaluate_next():
        pass
    for run in (remote, local):
        run.refresh_from_db()
        assert run.state == Run.State.DONE, run.reason
    assert remote.contender.name == "served-completions@served"
    chosen = [
        list(Score.objects.filter(run=run).order_by("index").values_list("choice", flat=True))
        for run in (remote, local)
    ]
    assert chosen[0] == chosen[1]
    assert remote.tokens_in
    assert "s3cret" not in str(remote.provenance)


def test_a_chat_endpoint_writes_answers(lab: Lab, address: str) -> None:
    run = lab.job(register(lab, address, "chat"), size=8, kind="text").runs.get()
    pipeline.evaluate_next()
    run.refresh_from_db()
    assert (run.state, run.done) == (Run.State.DONE, 8), run.reason


def test_attempts_at_a_priced_endpoint_cost_what_its_tokens_cost(lab: Lab, address: str) -> None:
    served = register(lab, address)
    factories.price(lab.owner, served, input_usd=Decimal(3), output_usd=Decimal(15))
    run = lab.job(served, size=6, kind="text", settings={"attempts": 3, "temperature": 0.8}).runs.get()
    pipeline.evaluate_next()
    run.refresh_from_db()
    assert (run.state, run.done, run.total) == (Run.State.DONE, 6, 6), run.reason
    scores = list(Score.objects.filter(run=run))
    assert len(scores) == 18
    for score in scores:
        assert score.cost_usd == pytest.approx(((score.tokens_in or 0) * 3 + (score.tokens_out or 0) * 15) / 1e6)
        assert (score.latency or 0) > 0
    assert run.cost_usd == pytest.approx(sum(score.cost_usd or 0 for score in scores))
    busy = sum(score.seconds or 0 for score in scores)
    assert busy < sum(score.latency or 0 for score in scores), "side by side, a moment is counted once"
    found = run.provenance["efficiency"]
    assert found["timed"] == 18
    assert found["latency_p50"] <= found["latency_p95"]
    assert run.provenance["peak_memory_bytes"] is None or run.provenance["peak_memory_bytes"] > 0


def test_a_server_without_prompt_log_probabilities_is_refused(lab: Lab) -> None:
    with serving("--no-prompt-logprobs") as address:
        run = lab.job(register(lab, address), size=8).runs.get()
        pipeline.evaluate_next()
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "log-prob" in run.reason
    assert not Score.objects.exists(), "nothing was stored of an answer that would be wrong"


def test_a_server_that_is_gone_fails_with_its_host(lab: Lab) -> None:
    run = lab.job(register(lab, "http://127.0.0.1:9/v1"), size=8).runs.get()
    pipeline.evaluate_next()
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "127.0.0.1 does not answer" in run.reason


def test_a_private_address_is_refused_again_by_the_worker(lab: Lab, address: str, settings: Settings) -> None:
    run = lab.job(register(lab, address), size=8).runs.get()
    settings.ALLOWED_NETWORKS = []
    pipeline.evaluate_next()
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "127.0.0.1" in run.reason
