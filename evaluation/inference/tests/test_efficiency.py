"""The measuring protocol on real modules and over real sockets: what it finds, what it leaves out, how it stops."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from deploy.demo.openai_server import Model, Server
from evaluation.errors import EndpointRefused, NotEnoughData
from evaluation.inference import efficiency
from evaluation.inference.efficiency import Bench, measure
from evaluation.inference.engine import Engine
from evaluation.inference.streaming import events, measure_endpoint
from evaluation.inference.tests.test_endpoints import LOOPBACK, XS, scripted, serving, text
from evaluation.protocol import BATCHES, DECODE, LOCAL, PREFILL, REMOTE, USUAL, Efficiency, Pace, Spread
from evaluation.records import BenchmarkSpec, Checkpoint, Endpoint, RunSpec

pytestmark = pytest.mark.engine
NOTHING = BenchmarkSpec("none", "")


def go_on() -> None:
    """Nobody stops it."""


def measured(engine: Engine, xs: Checkpoint, scheme: str = "fp32") -> Efficiency:
    return measure(RunSpec(xs, NOTHING, scheme), engine=engine, stop=go_on)


def test_every_pace_of_the_protocol_is_found_and_travels_as_json(engine: Engine, xs: Checkpoint) -> None:
    found = measured(engine, xs)
    kinds = [(pace.phase, pace.batch, pace.prompt) for pace in found.paces]
    assert kinds == [
        (PREFILL, 1, 32), (PREFILL, 1, USUAL), (DECODE, 1, USUAL), (PREFILL, 8, USUAL), (DECODE, 8, USUAL),
    ]  # fmt: skip
    assert all(0 < pace.rate.least <= pace.rate.median <= pace.rate.most for pace in found.paces)
    assert found.left_out == ("prefill of 1 × 512 tokens: longer than the context of 128 tokens",)
    assert found.to_first.median == pytest.approx(USUAL / found.rate(PREFILL).median)
    assert (found.protocol, found.joules, found.device_peak_bytes) == (LOCAL, None, None)
    assert found.host_peak_bytes >= found.weights_bytes > 0
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert Efficiency.from_dict(told) == found


def test_the_kernel_is_named_with_its_versions(engine: Engine, xs: Checkpoint) -> None:
    threads = torch.get_num_threads()
    rest = f"torch {torch.__version__}, float32, {threads} thread{'' if threads == 1 else 's'}"
    assert measured(engine, xs).kernel == rest
    native, emulated = measured(engine, xs, "int8"), measured(engine, xs, "nvfp4")
    assert (native.kernel, native.emulated) == (f"torchao 0.18.0 on {rest}", False)
    assert (emulated.kernel, emulated.emulated) == (f"emulated on {rest}", True)
    assert native.versions["torchao"] == "0.18.0"
    assert native.weights_bytes < emulated.weights_bytes


def test_loading_is_timed_once_and_the_scheme_apart(xs: Checkpoint) -> None:
    engine = Engine()
    plain, copied = measured(engine, xs), measured(engine, xs, "llm_int8" if torch.cuda.is_available() else "nf4")
    assert plain.load_seconds == copied.load_seconds > 0  # the second is a copy of the first
    assert copied.apply_seconds > plain.apply_seconds


def test_a_slow_device_says_what_it_left_out(engine: Engine, xs: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficiency, "SECONDS", 0.0)
    hasty = measured(engine, xs)
    assert hasty.paces == ()
    assert "decode of 8 × 96 tokens: no time left" in hasty.left_out
    monkeypatch.setattr(efficiency, "SECONDS", 1e-3)
    found = measured(engine, xs)
    assert {pace.rate.n for pace in found.paces} == {1}  # the pass that would only have warmed up
    assert found.rate(DECODE, batch=8) is None
    with pytest.raises(NotEnoughData):
        _ = hasty.runtime


def test_a_measurement_is_bounded_and_stops_between_tokens(engine: Engine, xs: Checkpoint) -> None:
    calls = 0

    class Enough(Exception):
        pass

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise Enough

    with pytest.raises(Enough):
        measure(RunSpec(xs, NOTHING), engine=engine, stop=stop)
    assert not engine.lock.locked()
    began = time.perf_counter()
    assert measured(engine, xs).seconds <= time.perf_counter() - began < efficiency.SECONDS


def test_a_batch_that_does_not_fit_is_left_out(engine: Engine, xs: Checkpoint) -> None:
    warm = engine.model(RunSpec(xs, NOTHING), engine.find(xs)).model.lm.model

    class Small(torch.nn.Module):
        """Has room for one row."""

        def forward(self, ids: torch.Tensor, **options: Any) -> Any:
            if len(ids) > 1:
                raise torch.OutOfMemoryError("no room")
            return warm(ids, **options)

        def get_input_embeddings(self) -> Any:
            return warm.get_input_embeddings()

    with torch.inference_mode():
        bench = Bench(Small(), 128, "cpu", go_on)
        assert {pace.batch for pace in bench.paces()} == {1}
    assert f"decode of {BATCHES[-1]} × 96 tokens: out of memory" in bench.left_out


def test_idealized_times_follow_from_what_was_measured() -> None:
    flat = Spread(0, 0, 0, 1)
    paces = [Pace(PREFILL, 1, 32, dataclasses.replace(flat, median=320.0)), Pace(PREFILL, 8, 96, flat)]
    paces += [Pace(PREFILL, 1, 96, dataclasses.replace(flat, median=480.0))]
    paces += [Pace(DECODE, 1, 96, dataclasses.replace(flat, median=20.0))]
    runtime = Efficiency(LOCAL, "", False, tuple(paces)).runtime
    assert dict(runtime.encode) == pytest.approx({32: 0.1, 96: 0.2})
    assert runtime.seconds([16, 192], [1, 11]).tolist() == pytest.approx([0.05, 0.4 + 0.5])


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serving(Server(Model(XS))) as url:
        yield url


@pytest.mark.parametrize("style", ["completions", "chat"])
def test_an_endpoint_is_timed_on_its_stream(style: str, base_url: str) -> None:
    found = measure_endpoint(Endpoint(base_url, "tiny-xs", style=style, allowed_networks=LOOPBACK), stop=go_on)
    assert (found.protocol, found.kernel, found.weights_bytes) == (REMOTE, "as served", None)
    assert 0 < found.to_first.median < 1
    assert found.rate(DECODE).median > 0
    assert found.together.median > 0


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (200, text("all at once"), "does not stream its answers"),
        (400, {"error": {"message": "no streams here"}}, r"state 400 \(no streams here\)"),
    ],
)
def test_a_server_that_does_not_stream_is_refused_in_words(status: int, answer: dict[str, Any], reason: str) -> None:
    with scripted(lambda path, body: (status, {}, answer)) as url, pytest.raises(EndpointRefused, match=reason):
        measure_endpoint(Endpoint(url, "any", allowed_networks=LOOPBACK), stop=go_on)


def test_events_are_read_past_comments_and_noise() -> None:
    lines = [": ping", "event: x", 'data: {"a": 1}', "", "data: {", "data: [1]", "data:[DONE]", 'data: {"b": 2}']
    assert list(events(iter(lines))) == [{"a": 1}]
