"""Endpoints, against the project's own server over real sockets."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.openai_server import Model, Server
from deploy.demo.train import CHECKPOINTS
from evaluation.errors import EndpointRefused
from evaluation.inference import endpoints
from evaluation.inference.endpoints import Client, SharedClock, probe
from evaluation.inference.engine import Engine
from evaluation.inference.run import run
from evaluation.inference.tests.conftest import BENCHMARKS, Runner, spec_of
from evaluation.records import Checkpoint, Endpoint, RunSpec

pytestmark = pytest.mark.engine

XS = CHECKPOINTS / "tiny-xs"
LOOPBACK = ("127.0.0.0/8",)


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """A server in a thread; gives its base URL."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serving(Server(Model(XS))) as url:
        yield url


@pytest.fixture
def completions(base_url: str) -> Endpoint:
    return Endpoint(base_url, "tiny-xs", tokenizer=str(XS), allowed_networks=LOOPBACK)


class Quiet(ThreadingHTTPServer):
    """Says nothing about clients that leave in the middle: some tests do so on purpose."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


Reply = Callable[[str, dict[str, Any]], tuple[int, dict[str, str], Any]]


@contextmanager
def scripted(reply: Reply) -> Iterator[str]:
    """A server that answers POSTs as the test says: (path, body) -> (status, headers, JSON)."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.answer(404, {}, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(*reply(self.path, body))

        def answer(self, status: int, headers: dict[str, str], value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(Quiet(("127.0.0.1", 0), Handler)) as url:
        yield url


def text(content: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": content}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


def test_multiple_choice_equals_the_local_run(completions: Endpoint, evaluate: Runner) -> None:
    spec = spec_of(BENCHMARKS["facts"])
    local, remote = evaluate(spec, limit=40), evaluate(spec, completions, limit=40)
    assert [local[n].choice for n in range(40)] == [remote[n].choice for n in range(40)]
    for number in range(40):
        assert remote[number].log_likelihoods == pytest.approx(local[number].log_likelihoods, abs=1e-4)
        assert remote[number].tokens_in == local[number].tokens_in
        assert remote[number].tokens_out == 4  # one token a choice, as the server says


@pytest.mark.parametrize("change", [{}, {"tokenizer": ""}, {"style": "chat"}], ids=["tokens", "text", "chat"])
def test_generation_equals_the_local_run(change: dict[str, Any], completions: Endpoint, evaluate: Runner) -> None:
    spec = spec_of(BENCHMARKS["sorting"])
    local, remote = evaluate(spec, limit=30), evaluate(spec, dataclasses.replace(completions, **change), limit=30)
    assert [local[n].output for n in range(30)] == [remote[n].output for n in range(30)]
    assert [local[n].tokens_in for n in range(30)] == [remote[n].tokens_in for n in range(30)]
    assert all((remote[n].tokens_out or 0) > 0 and (remote[n].seconds or 0) > 0 for n in range(30))


def test_a_server_without_prompt_log_probabilities_is_refused(evaluate: Runner) -> None:
    with serving(Server(Model(XS, prompt_logprobs=False))) as url:
        endpoint = Endpoint(url, "tiny-xs", tokenizer=str(XS), allowed_networks=LOOPBACK)
        with pytest.raises(EndpointRefused, match="log-probabilities of a prompt"):
            evaluate(spec_of(BENCHMARKS["facts"]), endpoint)
        assert len(evaluate(spec_of(BENCHMARKS["sorting"]), endpoint, limit=3)) == 3


def test_chat_endpoints_refuse_multiple_choice_in_words(completions: Endpoint, evaluate: Runner) -> None:
    with pytest.raises(EndpointRefused, match="chat endpoint"):
        evaluate(spec_of(BENCHMARKS["facts"]), dataclasses.replace(completions, style="chat"))


def test_probe_says_what_an_endpoint_can_do(completions: Endpoint) -> None:
    found = probe(completions, log_likelihoods=True)
    assert (found.models, found.context_length) == (("tiny-xs",), 128)
    with pytest.raises(EndpointRefused, match=r"no model 'other'.*tiny-xs"):
        probe(dataclasses.replace(completions, model="other"), log_likelihoods=False)
    with pytest.raises(EndpointRefused, match="tokenizer"):
        probe(dataclasses.replace(completions, tokenizer=""), log_likelihoods=True)


def test_private_addresses_are_refused_at_submit_and_at_connect(completions: Endpoint) -> None:
    with pytest.raises(EndpointRefused, match="not public"):
        probe(dataclasses.replace(completions, allowed_networks=()), log_likelihoods=False)
    client = Client(completions)
    client.pool._network_backend.allowed = ()  # type: ignore[attr-defined]  # as if the name now led elsewhere
    with closing(client), pytest.raises(EndpointRefused, match="not public"):
        client.get("/models")


def test_an_endpoint_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "TRIES", 2)
    with pytest.raises(EndpointRefused, match="does not answer"):
        probe(Endpoint("http://127.0.0.1:9/v1", "any", allowed_networks=LOOPBACK), log_likelihoods=False)


def test_passing_failures_are_repeated_and_others_are_not(evaluate: Runner) -> None:
    asked: list[str] = []

    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        asked.append(str(body["prompt"]))
        if len(asked) == 2:
            return 429, {"Retry-After": "0.01"}, {}
        if "reject" in body["prompt"]:
            return 422, {}, {"error": {"message": "no such word"}}
        return 200, {}, text(" a b")

    with scripted(reply) as url:
        endpoint = Endpoint(url, "any", allowed_networks=LOOPBACK)
        attempts = evaluate(spec_of(BENCHMARKS["sorting"]), endpoint, limit=1)
        assert (attempts[0].answer, attempts[0].tokens_in, attempts[0].tokens_out) == ("a b", 7, 2)
        assert len(asked) == 3  # the probe, the failure, the answer
        with pytest.raises(EndpointRefused, match=r"state 422 \(no such word\)"):
            evaluate(spec_of(BENCHMARKS["sorting"], prompt="reject {{ question }}"), endpoint, limit=1)


def test_redirects_are_not_followed(evaluate: Runner) -> None:
    reply: Reply = lambda path, body: (307, {"Location": "http://127.0.0.1:1/"}, {})  # noqa: E731
    with scripted(reply) as url, pytest.raises(EndpointRefused, match="state 307"):
        probe(Endpoint(url, "any", allowed_networks=LOOPBACK), log_likelihoods=False)


def test_a_server_that_does_not_count_leaves_the_counts_open(evaluate: Runner) -> None:
    with scripted(lambda path, body: (200, {}, {"choices": [{"index": 0, "text": "x"}]})) as url:
        attempts = evaluate(spec_of(BENCHMARKS["sorting"]), Endpoint(url, "any", allowed_networks=LOOPBACK), limit=2)
    assert [(each.tokens_in, each.tokens_out) for each in attempts.values()] == [(None, None)] * 2


def test_log_probabilities_that_are_no_numbers_are_refused(evaluate: Runner) -> None:
    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        sent = len(body["prompt"][0])
        values = {"token_logprobs": [None, *["NaN"] * sent], "top_logprobs": [None] * (sent + 1)}
        return 200, {}, {"choices": [{"index": 0, "text": "", "logprobs": values}]}

    with scripted(reply) as url:
        endpoint = Endpoint(url, "any", tokenizer=str(XS), allowed_networks=LOOPBACK)
        with pytest.raises(EndpointRefused, match="not finite"):
            evaluate(spec_of(BENCHMARKS["facts"]), endpoint, limit=2)


def test_requests_run_side_by_side_and_stop_together(engine: Engine) -> None:
    """Eight at a time; closing interrupts a server that never answers."""
    release, waiting = threading.Event(), threading.Semaphore(0)

    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if body["prompt"].startswith("Q:"):
            waiting.release()
            release.wait(20)
        return 200, {}, text("x")

    with scripted(reply) as url:
        spec = RunSpec(Endpoint(url, "any", allowed_networks=LOOPBACK), spec_of(BENCHMARKS["sorting"]))
        evaluation = run(spec, engine=engine)
        next(evaluation)
        assert all(waiting.acquire(timeout=10) for _ in range(8))
        evaluation.close()
        assert engine.lock.acquire(timeout=2)
        engine.lock.release()
        release.set()


def test_the_key_is_sent_and_never_shown(completions: Endpoint) -> None:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Quiet(("127.0.0.1", 0), Handler)) as url:
        endpoint = Endpoint(url, "any", api_key="hidden-key", allowed_networks=LOOPBACK)
        with pytest.raises(EndpointRefused, match="refuses the key") as refused:
            probe(endpoint, log_likelihoods=False)
    assert seen == ["Bearer hidden-key"]
    assert "hidden-key" not in f"{refused.value!s} {endpoint!r}"


def test_a_checkpoint_and_its_server_are_different_contenders(completions: Endpoint, engine: Engine) -> None:
    evaluation = run(RunSpec(completions, spec_of(BENCHMARKS["sorting"]), limit=1), engine=engine)
    list(evaluation)
    assert evaluation.origin["endpoint"] == completions.base_url
    local = run(RunSpec(Checkpoint(str(Path(XS))), spec_of(BENCHMARKS["sorting"]), limit=1), engine=engine)
    list(local)
    assert len(local.origin["weights_hash"]) == 64


def test_attempts_at_an_endpoint_are_drawn_by_their_own_seeds(completions: Endpoint, engine: Engine) -> None:
    """Resumed or not, alone or side by side: the same texts, for a server that honours `seed`."""

    def outputs(**fields: Any) -> dict[tuple[int, int], str]:
        spec = RunSpec(completions, spec_of(BENCHMARKS["sorting"]), limit=6, attempts=4, temperature=1.2, **fields)
        made = [attempt for attempts in run(spec, engine=engine) for attempt in attempts]
        assert len({(attempt.sample, attempt.attempt) for attempt in made}) == len(made)
        return {(attempt.sample, attempt.attempt): attempt.output for attempt in made}

    whole = outputs()
    assert len(whole) == 24
    assert sum(len({whole[sample, attempt] for attempt in range(4)}) > 1 for sample in range(6)) >= 4
    done = frozenset(key for key in whole if sum(key) % 2)
    assert outputs(skip=done) == {key: text for key, text in whole.items() if key not in done}


def test_a_server_is_told_temperature_and_seed_and_its_cached_tokens_are_kept(engine: Engine) -> None:
    asked: list[dict[str, Any]] = []

    def reply(path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        asked.append(body)
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
        return 200, {}, {**text("x"), "usage": usage}

    with scripted(reply) as url:
        endpoint = Endpoint(url, "any", allowed_networks=LOOPBACK)
        spec = RunSpec(endpoint, spec_of(BENCHMARKS["sorting"]), limit=1, attempts=3, temperature=0.5)
        made = [attempt for attempts in run(spec, engine=engine) for attempt in attempts]
    assert [attempt.tokens_cached for attempt in made] == [5, 5, 5]
    assert [attempt.seconds_to_first for attempt in made] == [None] * 3, "not known without a stream"
    assert [body["temperature"] for body in asked[1:]] == [0.5] * 3
    assert len({body["seed"] for body in asked[1:]}) == 3


def test_the_shares_of_requests_add_up_to_the_time_they_took() -> None:
    clock = SharedClock()
    began = time.perf_counter()
    with clock.request() as first:
        time.sleep(0.05)
        with clock.request() as second:
            time.sleep(0.1)
        time.sleep(0.05)
    whole = time.perf_counter() - began
    assert first.share + second.share == pytest.approx(whole, abs=0.01)
    assert second.share == pytest.approx(second.latency / 2, abs=0.01)
    assert first.latency == pytest.approx(whole, abs=0.01)
