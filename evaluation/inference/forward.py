"""Batches through a causal language model: log-likelihoods and texts, a batch at a time, as fast as the model allows.

Order, padding, truncation and arithmetic are those of lm-evaluation-harness 0.4 (`HFLM._loglikelihood_tokens` and
`HFLM.generate_until`), so the numbers are the same to the last digit; a test compares them. What differs is the work
around the model: one gather per batch instead of one per request, no text made of tokens that nobody reads, a row of
a generation that stops on its own, and an answer handed out as soon as its batch is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from evaluation.inference.sampling import Drawn

Stop = Callable[[], None]  # raises when the run was cancelled


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. value: (log-likelihood in nats, is greedy), or text.

    tokens_out: tokens generated (none for scoring). seconds: this request's share of the time in which it was computed;
    latency, to_first: seconds from asking to the whole answer and to its first token. None: not measured.
    """

    value: tuple[float, bool] | str
    tokens_in: int | None
    tokens_out: int | None
    seconds: float | None
    latency: float | None = None
    to_first: float | None = None
    tokens_cached: int | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A continuation to score. index: of its request; context and continuation: token ids, neither empty."""

    index: int
    context: tuple[int, ...]
    continuation: tuple[int, ...]
    inputs: tuple[int, ...] = field(init=False)  # all but the last token; requests that agree in it share a row

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", self.context + self.continuation[:-1])


@dataclass(frozen=True, slots=True)
class Written:
    """A text to continue, as token ids. options: what `generate` takes beside them; seed: of what is drawn."""

    index: int
    text: str
    tokens: Sequence[int]
    stops: tuple[str, ...]
    max_tokens: int
    options: tuple[tuple[str, Any], ...] = ()
    seed: int = 0


def score(
    call: Callable[[torch.Tensor], torch.Tensor],
    requests: Sequence[Scored],
    *,
    batch_size: int,
    max_length: int,
    device: torch.device,
    stop: Stop,
) -> Iterator[tuple[int, Answer]]:
    """Log-likelihoods of continuations, longest rows first. call: token ids (rows, length) -> logits."""
    groups: dict[tuple[int, ...], list[Scored]] = {}
    for request in requests:
        groups.setdefault(request.inputs, []).append(request)
    rows = [max(members, key=lambda member: len(member.continuation)) for members in groups.values()]
    rows.sort(key=lambda row: (-len(row.inputs), row.context + row.continuation))
    for start in range(0, len(rows), batch_size):
        stop()
        batch = rows[start : start + batch_size]
        members = [groups[row.inputs] for row in batch]
        began = time.perf_counter()
        values = _score_batch(call, batch, members, max_length, device)
        latency = time.perf_counter() - began
        for request, value in zip((member for row in members for member in row), values, strict=True):
            tokens = len(request.context) + len(request.continuation)
            yield request.index, Answer(value, tokens, 0, latency / len(values), latency)


def _score_batch(
    call: Callable[[torch.Tensor], torch.Tensor],
    batch: Sequence[Scored],
    members: Sequence[Sequence[Scored]],
    max_length: int,
    device: torch.device,
) -> list[tuple[float, bool]]:
    inputs = [row.inputs[-max_length:] for row in batch]
    longest = max(map(len, inputs))
    padded = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in inputs], dtype=torch.long)
    logits = call(padded.to(device))
    rows: list[int] = []
    places: list[int] = []
    tokens: list[int] = []
    sizes: list[int] = []
    for number, (ids, sharing) in enumerate(zip(inputs, members, strict=True)):
        end = len(ids) + logits.shape[1] - longest  # prompt tuning may add virtual tokens in front
        for request in sharing:
            size = len(request.continuation)
            rows += [number] * size
            places += range(end - size, end)
            tokens += request.continuation
            sizes.append(size)
    log_probabilities = torch.log_softmax(logits[rows, places], dim=-1)
    wanted = torch.tensor(tokens, dtype=torch.long, device=log_probabilities.device)
    greedy = (log_probabilities.argmax(dim=-1) == wanted).tolist()
    chosen = log_probabilities.gather(1, wanted.unsqueeze(1)).squeeze(1).cpu()
    return list(_sums(chosen, greedy, sizes))


def _sums(chosen: torch.Tensor, greedy: list[bool], sizes: list[int]) -> Iterator[tuple[float, bool]]:
    """Log-probabilities of tokens (total,) summed by request, in their own precision."""
    values: list[float] = chosen.tolist()
    start = 0
    for size in sizes:
        end = start + size
        yield values[start] if size == 1 else float(chosen[start:end].sum()), all(greedy[start:end])
        start = end


@dataclass(slots=True)
class Generator:
    """How texts are written: the model and its tokenizer, with what is known about them.

    temperature: above 0, tokens are drawn by each request's seed; at 0 each request's options decide.
    """

    model: Any
    tokenizer: Any
    device: torch.device
    max_length: int
    stop: Stop
    temperature: float = 0.0
    ending: dict[str, torch.Tensor] = field(default_factory=dict)  # stop text -> which tokens end with it

    def write(self, requests: Sequence[Written], batch_size: int) -> Iterator[tuple[int, Answer]]:
        """Texts, the longest prompts first, in batches of equal options."""
        alike = sorted(requests, key=lambda request: repr((request.options, request.stops, request.max_tokens)))
        for _, group in groupby(alike, key=lambda request: (request.options, request.stops, request.max_tokens)):
            ordered = sorted(group, key=lambda request: (-len(request.tokens), request.text))
            for start in range(0, len(ordered), batch_size):
                self.stop()
                yield from self._write_batch(ordered[start : start + batch_size])

    def _write_batch(self, batch: Sequence[Written]) -> list[tuple[int, Answer]]:
        began = time.perf_counter()
        room = self.max_length - batch[0].max_tokens
        ids, mask = _pad_left([request.tokens[-room:] for request in batch], self.tokenizer.pad_token_id)
        ends, finite = _Ends(self, batch[0].stops, ids.shape[1], len(batch)), _Finite(batch)
        out = self.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            max_length=ids.shape[1] + batch[0].max_tokens,
            stopping_criteria=StoppingCriteriaList([ends]),
            logits_processor=LogitsProcessorList([finite, *self._drawn(batch, ids.shape[1])]),
            pad_token_id=self.tokenizer.pad_token_id,
            use_cache=True,
            **dict(batch[0].options),
        )[:, ids.shape[1] :].tolist()
        sizes, prompts = ends.sizes(), mask.sum(1).tolist()
        texts = [self._text(request, row[:size]) for request, row, size in zip(batch, out, sizes, strict=True)]
        latency, to_first = time.perf_counter() - began, finite.since(began)
        return [
            (request.index, Answer(text, prompt, size, latency / len(batch), latency, to_first))
            for request, text, size, prompt in zip(batch, texts, sizes, prompts, strict=True)
        ]

    def _text(self, request: Written, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for stop in request.stops:
            text = text.split(stop, maxsplit=1)[0]
        return text

    def _drawn(self, batch: Sequence[Written], prompt: int) -> list[Drawn]:
        if not self.temperature:
            return []
        seeds = [request.seed for request in batch]
        return [Drawn(self.temperature, seeds, prompt=prompt, most=batch[0].max_tokens, device=self.device)]

    def ends_with(self, stop: str, vocabulary: int) -> torch.Tensor | None:
        """Which tokens hold `stop`, as a mask (vocabulary,); None when it may spread over several tokens."""
        known = self.tokenizer.convert_tokens_to_ids(stop)
        special = stop in self.tokenizer.all_special_tokens
        if not special and not (len(stop) == 1 and stop.isascii()):
            return None
        if stop not in self.ending:
            texts = [] if special else self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
            mask = torch.zeros(max(vocabulary, len(self.tokenizer)), dtype=torch.bool)
            mask[[known] if special else [token for token, text in enumerate(texts) if stop in text]] = True
            self.ending[stop] = mask.to(self.device)
        return self.ending[stop]


def _pad_left(rows: Sequence[Sequence[int]], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both (rows, longest)."""
    longest = max(map(len, rows))
    ids = [[padding] * (longest - len(row)) + list(row) for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids), torch.tensor(mask)


class _Ends(StoppingCriteria):  # type: ignore[misc]  # transformers is untyped here
    """Ends each row at its own first stop text, and the whole batch when the run is cancelled."""

    def __init__(self, generator: Generator, stops: Sequence[str], prompt: int, rows: int) -> None:
        self.generator, self.prompt = generator, prompt
        vocabulary = generator.model.config.get_text_config().vocab_size
        masks = {stop: generator.ends_with(stop, vocabulary) for stop in stops}
        self.single = [mask for mask in masks.values() if mask is not None]
        self.spread = [stop for stop, mask in masks.items() if mask is None]
        longest = max(
            (len(generator.tokenizer.encode(stop, add_special_tokens=False)) for stop in self.spread), default=0
        )
        self.look_back = longest + 2  # a text may be cut into other tokens than its own
        self.done = torch.zeros(rows, dtype=torch.bool, device=generator.device)
        self.length = torch.zeros(rows, dtype=torch.long, device=generator.device)

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        self.generator.stop()
        self.length += ~self.done
        for mask in self.single:
            self.done |= mask[input_ids[:, -1]]
        if self.spread:
            recent = input_ids[:, self.prompt :][:, -self.look_back :]
            texts = self.generator.tokenizer.batch_decode(recent)
            hits = [any(stop in text for stop in self.spread) for text in texts]
            self.done |= torch.tensor(hits, device=self.done.device)
        return self.done

    def sizes(self) -> list[int]:
        """Number of tokens that each row wrote, its stop included."""
        sizes: list[int] = self.length.tolist()
        return sizes


class _Finite(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped here
    """Raises when a row's logits are not numbers: the text that follows would mean nothing.

    Its look at the logits waits for the device, so the first one also tells when the first token was there.
    """

    def __init__(self, batch: Sequence[Written]) -> None:
        self.batch = batch
        self.first: float | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        bad = scores.isnan().any(dim=-1)
        if bad.any():
            raise NotANumberError(self.batch[int(bad.nonzero()[0])].index)
        if self.first is None:
            self.first = time.perf_counter()
        return scores

    def since(self, began: float) -> float | None:
        """Seconds from `began` to the first token; None when no token was written."""
        return None if self.first is None else self.first - began


class NotANumberError(ArithmeticError):
    """Logits of a request are NaN. index: of the request."""

    def __init__(self, index: int) -> None:
        self.index = index
        super().__init__(f"the logits of request {index} are not numbers")
