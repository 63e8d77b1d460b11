"""OpenAI-compatible servers as contenders: probed before use, asked in parallel, counted by what they report.

lm_eval writes the payloads and reads the answers; the connection is ours. It checks the very address it connects to,
follows no redirect, bounds time and size, repeats what failed for a passing reason, and stops when the run stops.
"""

from __future__ import annotations

import json
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpcore

from evaluation.endpoints import check_url, split_url
from evaluation.errors import EndpointRefused
from evaluation.guarded import GuardedNetwork
from evaluation.inference.forward import Answer, Stop
from evaluation.inference.harness import LIKELIHOOD, RemoteFormat
from evaluation.inference.sampling import Sampling
from evaluation.records import Endpoint

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 300.0
MAX_BYTES = 64_000_000  # of one answer
TRIES = 4
LONGEST_PAUSE = 20.0  # seconds between two tries, whatever the server asks for
PASSING = (408, 409, 425, 429, 500, 502, 503, 504)  # states that may pass
UNKNOWN_CONTEXT = 131_072  # tokens; a server that takes less says so itself
PROBE_TEXT = "The quick brown fox jumps over the lazy dog"


class Client:
    """Requests to one endpoint. `post` may be called from several threads. Raises EndpointRefused in words."""

    def __init__(self, endpoint: Endpoint) -> None:
        check_url(endpoint.base_url, endpoint.allowed_networks)
        self.endpoint = endpoint
        self.host, _ = split_url(endpoint.base_url)
        self.address = urlsplit(endpoint.base_url).netloc
        self.closed = threading.Event()
        self.pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=max(1, endpoint.concurrency),
            network_backend=GuardedNetwork(endpoint.allowed_networks),
        )

    def get(self, path: str) -> tuple[int, Any]:
        """State and JSON (None when it is none) of a GET below the base URL."""
        return self._repeat("GET", path, None)

    def post(self, path: str, payload: dict[str, Any]) -> Any:
        """JSON of a successful POST."""
        state, answer = self._repeat("POST", path, json.dumps(payload).encode())
        if state != 200 or not isinstance(answer, dict):
            raise self._refusal(f"answers {path} with state {state}{_reason(answer)}")
        return answer

    def lines(self, path: str, payload: dict[str, Any]) -> Iterator[str]:
        """The lines of a streamed answer, each as soon as it is there. Asked once: a second try would be timed, too."""
        rest, size = b"", 0
        try:
            with self._open("POST", path, json.dumps(payload).encode()) as answer:
                if answer.status != 200:
                    raise self._refusal(f"answers {path} with state {answer.status}{_reason(_json(answer.read()))}")
                for part in answer.iter_stream():
                    size += len(part)
                    if size > MAX_BYTES:
                        raise self._refusal(f"answers with more than {MAX_BYTES:,} bytes")
                    *whole, rest = (rest + part).split(b"\n")
                    yield from (line.decode("utf-8", "replace").strip() for line in whole)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise self._refusal(f"does not answer ({type(error).__name__}: {error})") from error
        yield rest.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Interrupt what is under way."""
        self.closed.set()
        self.pool.close()

    def _repeat(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        pause = 0.5
        for attempt in range(1, TRIES + 1):
            try:
                state, headers, content = self._once(method, path, body)
            except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
                if attempt == TRIES or self.closed.is_set():
                    raise self._refusal(f"does not answer ({type(error).__name__}: {error})") from error
            else:
                if state not in PASSING or attempt == TRIES:
                    return state, _json(content)
                pause = max(pause, _seconds(headers.get(b"retry-after", b"")))
            if self.closed.wait(min(pause, LONGEST_PAUSE)):
                raise self._refusal("was left")
            pause *= 2
        raise self._refusal("does not answer")

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[int, dict[bytes, bytes], bytes]:
        with self._open(method, path, body) as answer:
            content = bytearray()
            for part in answer.iter_stream():
                content += part
                if len(content) > MAX_BYTES:
                    raise self._refusal(f"answers with more than {MAX_BYTES:,} bytes")
            return answer.status, {name.lower(): value for name, value in answer.headers}, bytes(content)

    def _open(self, method: str, path: str, body: bytes | None) -> AbstractContextManager[httpcore.Response]:
        headers = [("Content-Type", "application/json"), ("Accept", "application/json"), ("Host", self.address)]
        if self.endpoint.api_key:
            headers.append(("Authorization", f"Bearer {self.endpoint.api_key}"))
        timeout = {"connect": CONNECT_SECONDS, "read": ANSWER_SECONDS, "write": ANSWER_SECONDS, "pool": None}
        url = self.endpoint.base_url.rstrip("/") + path
        return self.pool.stream(method, url, headers=headers, content=body, extensions={"timeout": timeout})

    def _refusal(self, what: str) -> EndpointRefused:
        return EndpointRefused(
            f"The endpoint {self.host} {what}.",
            field="base_url",
            remedy="Check address, key and model name, then retry.",
        )


@dataclass(slots=True)
class Timing:
    """Of one request, in seconds. latency: from asking to the answer; share: its part of the time that all took."""

    latency: float = 0.0
    share: float = 0.0


class SharedClock:
    """Divides each moment among the requests that are under way in it, so that their shares add up to wall time.

    Thread-safe. What a server costs by the hour is then counted once, however many requests it answers at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at, self._under_way, self._share = time.perf_counter(), 0, 0.0

    @contextmanager
    def request(self) -> Iterator[Timing]:
        """Times what happens inside."""
        timing = Timing()
        began, share = self._turn(+1)
        try:
            yield timing
        finally:
            ended, shared = self._turn(-1)
            timing.latency, timing.share = ended - began, shared - share

    def _turn(self, change: int) -> tuple[float, float]:
        """A request begins (+1) or ends (-1). Returns the time, and the share of one that had been there all along."""
        with self._lock:
            now = time.perf_counter()
            if self._under_way:
                self._share += (now - self._at) / self._under_way
            self._at, self._under_way = now, self._under_way + change
            return now, self._share


@dataclass(frozen=True, slots=True)
class Probe:
    """What an endpoint said about itself. models: names it lists (maybe none); context_length: tokens, if it says."""

    models: tuple[str, ...]
    context_length: int | None
    log_likelihoods: bool


def probe(endpoint: Endpoint, *, log_likelihoods: bool) -> Probe:
    """Reachable, permitted, knows the model, and can do what the benchmark needs? Raises EndpointRefused if not.

    A server without log-probabilities of the prompt would not fail: it would score about chance. Hence the question.
    """
    model = RemoteModel(endpoint, seed=0, log_likelihoods=log_likelihoods)
    model.close()
    return model.probe


class RemoteModel:
    """An endpoint as a contender. Probes at construction."""

    def __init__(self, endpoint: Endpoint, *, seed: int, log_likelihoods: bool) -> None:
        self.endpoint = endpoint
        self.path = "/chat/completions" if endpoint.style == "chat" else "/completions"
        self.clock = SharedClock()
        self.client = Client(endpoint)
        try:
            models, context = _list_models(self.client, endpoint.model)
            self.format = RemoteFormat(endpoint, seed=seed, max_length=context or UNKNOWN_CONTEXT)
            if log_likelihoods:
                self._check_log_likelihoods()
            else:
                self.format.read_text(self.client.post(self.path, self.format.probe_text("Say yes.")))
        except BaseException:
            self.close()
            raise
        self.probe = Probe(models, context, log_likelihoods)

    @property
    def chat(self) -> Callable[..., Any] | None:
        """See Contender."""
        return self.format.chat

    def close(self) -> None:
        """Give connections back."""
        self.client.close()

    def answers(
        self, kind: str, requests: Sequence[Any], stop: Stop, sampling: Sampling | None = None
    ) -> Iterator[tuple[int, Answer]]:
        """See Contender. At most `concurrency` requests are under way."""
        ask: Callable[[Any], tuple[int, Answer]]
        ask = self._likelihood if kind == LIKELIHOOD else partial(self._text, sampling)
        work = iter(self.format.scored(requests) if kind == LIKELIHOOD else enumerate(requests))
        workers = ThreadPoolExecutor(max(1, self.endpoint.concurrency), thread_name_prefix="endpoint")
        try:
            under_way: set[Future[tuple[int, Answer]]] = set()
            while True:
                stop()
                while len(under_way) < 2 * self.endpoint.concurrency and (item := next(work, None)) is not None:
                    under_way.add(workers.submit(ask, item))
                if not under_way:
                    return
                done, under_way = wait(under_way, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            self.close()  # ends what is under way
            workers.shutdown(wait=False, cancel_futures=True)

    def _likelihood(self, request: Any) -> tuple[int, Answer]:
        payload, context, sent = self.format.likelihood(request)
        with self.clock.request() as timing:
            answer = self.client.post(self.path, payload)
        fault = _log_probability_fault(answer, sent)
        if fault:
            raise _no_log_probabilities(self.client.host, fault)
        value = self.format.read_likelihood(answer, sent, context)
        return request.index, _counted(value, answer, timing)

    def _text(self, sampling: Sampling | None, item: tuple[int, Any]) -> tuple[int, Answer]:
        index, request = item
        payload = self.format.text(request, sampling, index)
        with self.clock.request() as timing:
            answer = self.client.post(self.path, payload)
        return index, _counted(self.format.read_text(answer), answer, timing)

    def _check_log_likelihoods(self) -> None:
        if self.endpoint.style == "chat":
            raise EndpointRefused(
                "A chat endpoint gives no log-probabilities of a prompt, and multiple-choice benchmarks need them.",
                field="style",
                remedy="Use a completions endpoint for this benchmark, or a generation benchmark for this endpoint.",
            )
        if not self.endpoint.tokenizer:
            raise EndpointRefused(
                "Multiple-choice benchmarks need the endpoint's tokenizer, to know where a choice begins.",
                field="tokenizer",
                remedy="Give the directory of the tokenizer on the worker.",
            )
        payload, sent = self.format.probe_likelihood(PROBE_TEXT)
        fault = _log_probability_fault(self.client.post(self.path, payload), sent)
        if fault:
            raise _no_log_probabilities(self.client.host, fault)


def _log_probability_fault(answer: Any, sent: int) -> str:
    """What is wrong with the log-probabilities of an echoed prompt of `sent` tokens and one new token, if anything."""
    try:
        found = answer["choices"][0]["logprobs"]["token_logprobs"]
        count = len(found)
    except (LookupError, TypeError):
        return "it returns none"
    if count != sent + 1:
        return f"it returns {count} for a prompt of {sent} tokens and one new token"
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in found[1:]):
        return "some of them are not finite numbers"
    return ""


def _no_log_probabilities(host: str, fault: str) -> EndpointRefused:
    return EndpointRefused(
        f"The endpoint {host} does not give the log-probabilities of a prompt: {fault}. "
        "Multiple-choice scores from it would be near chance, whatever the model knows.",
        field="base_url",
        remedy="Use a server that supports `echo` with `logprobs` (vLLM does), or generation benchmarks only.",
    )


def _list_models(client: Client, wanted: str) -> tuple[tuple[str, ...], int | None]:
    """Names the server lists and the context length of `wanted`, if it says. Servers without the list are fine."""
    state, answer = client.get("/models")
    if state in (401, 403):
        raise EndpointRefused(f"The endpoint {client.host} refuses the key (state {state}).", field="api_key")
    entries = answer.get("data") if state == 200 and isinstance(answer, dict) else None
    found = [entry for entry in entries or () if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    names = tuple(entry["id"] for entry in found)
    if names and wanted not in names:
        known = ", ".join(names[:5])
        raise EndpointRefused(
            f"The endpoint {client.host} has no model {wanted!r}.", field="model", remedy=f"It lists: {known}."
        )
    length = next((entry.get("max_model_len") for entry in found if entry["id"] == wanted), None)
    return names, length if isinstance(length, int) and length > 1 else None


def _counted(value: tuple[float, bool] | str, answer: Any, timing: Timing) -> Answer:
    """With the tokens as the server counted them; None where it does not say."""
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    return Answer(
        value,
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        tokens_cached=_count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        seconds=timing.share,
        latency=timing.latency,
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _reason(answer: Any) -> str:
    """The server's own words, if it has any, in short."""
    error = answer.get("error", answer.get("detail")) if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return f" ({' '.join(message.split())[:200]})" if isinstance(message, str) else ""


def _seconds(header: bytes) -> float:
    try:
        return min(max(0.0, float(header)), LONGEST_PAUSE)
    except ValueError:
        return 0.0
