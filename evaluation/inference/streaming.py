"""Endpoints by the protocol: time to first token and tokens per second, seen on the stream of a few short requests.

What is measured is what a client here meets, network and queue included. Prompts differ from request to request, so
that no server answers from what it has read before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

from evaluation.errors import EndpointRefused
from evaluation.inference.endpoints import Client
from evaluation.inference.forward import Stop
from evaluation.protocol import BATCHES, DECODE, REMOTE, REPEATS, SECONDS, USUAL, WRITTEN, Efficiency, Pace, Spread
from evaluation.records import Endpoint

WORDS = 10  # of a prompt, each with a number: 40 to 90 tokens, by the tokenizer
END = "[DONE]"


@dataclass(frozen=True, slots=True)
class Streamed:
    """One answer. to_first, seconds: to its first text and to its end; tokens: as the server counted, else texts."""

    to_first: float
    seconds: float
    tokens: int

    @property
    def rate(self) -> float | None:
        """Tokens per second after the first one; None where there was but one moment."""
        after = self.seconds - self.to_first
        return (self.tokens - 1) / after if self.tokens > 1 and after > 0 else None


def measure_endpoint(endpoint: Endpoint, *, stop: Stop) -> Efficiency:
    """At most 1 + `REPEATS` + 2 × 8 requests of `WRITTEN` tokens each. Raises EndpointRefused where nothing streams."""
    began, most = time.perf_counter(), BATCHES[-1]
    with closing(Client(replace(endpoint, concurrency=most))) as client:
        ask = partial(_ask, client, count(int(time.time()) % 10_000))
        ask()  # opens the connection, wakes the server
        alone: list[Streamed] = []
        while len(alone) < REPEATS and (not alone or time.perf_counter() - began < SECONDS):
            stop()
            alone.append(ask())
        together = [_together(ask, most, stop) for _ in range(2)]
    rates = [one.rate for one in alone if one.rate is not None]
    paces = [Pace(DECODE, 1, USUAL, Spread.of(rates))] if rates else []
    return Efficiency(
        protocol=REMOTE,
        kernel="as served",
        emulated=False,
        paces=(*paces, Pace(DECODE, most, USUAL, Spread.of(together))),
        to_first=Spread.of([one.to_first for one in alone]),
        left_out=() if rates else ("speed of one answer: all of it came at once",),
        seconds=time.perf_counter() - began,
    )


def _together(ask: Callable[[], Streamed], most: int, stop: Stop) -> float:
    """Tokens per second of as many requests at once, their prompts included."""
    stop()
    began = time.perf_counter()
    with ThreadPoolExecutor(most, thread_name_prefix="stream") as workers:
        answers = [future.result() for future in [workers.submit(ask) for _ in range(most)]]
    return sum(one.tokens for one in answers) / (time.perf_counter() - began)


def _ask(client: Client, numbers: Iterator[int]) -> Streamed:
    """One request, followed to its end."""
    path, payload = _request(client.endpoint, next(numbers))
    began, first, texts, counted = time.perf_counter(), None, 0, None
    for event in events(client.lines(path, payload)):
        if _text(event):
            first, texts = first or time.perf_counter(), texts + 1
        usage = event.get("usage")
        counted = usage.get("completion_tokens", counted) if isinstance(usage, Mapping) else counted
    if first is None:
        raise EndpointRefused(
            f"The endpoint {client.host} does not stream its answers, so no first token can be timed.",
            field="base_url",
            remedy="Its latency stands in its runs.",
        )
    tokens = counted if type(counted) is int and counted > 0 else texts
    return Streamed(first - began, time.perf_counter() - began, tokens)


def _request(endpoint: Endpoint, number: int) -> tuple[str, dict[str, Any]]:
    """Path and payload of a prompt that begins with its number."""
    prompt = f"{number}: " + " ".join(f"word {number + at}" for at in range(WORDS))
    usual = {"model": endpoint.model, "stream": True, "stream_options": {"include_usage": True}, "temperature": 0}
    if endpoint.style == "chat":
        messages = [{"role": "user", "content": prompt}]
        return "/chat/completions", {**usual, "messages": messages, "max_tokens": WRITTEN}
    return "/completions", {**usual, "prompt": prompt, "max_tokens": WRITTEN}


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The JSON of server-sent events; lines that are none are passed over."""
    for line in lines:
        name, _, value = line.partition(":")
        if name != "data" or not value.strip():
            continue
        if value.strip() == END:
            return
        try:
            event = json.loads(value)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def _text(event: Mapping[str, Any]) -> str:
    """The new text of an event; "" where it brings none."""
    choices = event.get("choices")
    first = choices[0] if isinstance(choices, Sequence) and choices and isinstance(choices[0], Mapping) else {}
    delta = first.get("delta")
    found = delta.get("content") if isinstance(delta, Mapping) else first.get("text")
    return found if isinstance(found, str) else ""
