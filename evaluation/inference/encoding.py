"""Texts become token ids, by the rules of lm-evaluation-harness, each distinct text once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation.errors import BadBenchmark
from evaluation.inference.forward import Scored, Written

REMEMBERED = 2_000_000  # characters of encoded texts to keep


class Encodings:
    """Token ids of texts for one tokenizer. The schemes of an entry ask the same texts one after the other."""

    def __init__(self) -> None:
        self._known: dict[str, list[int]] = {}
        self._characters = 0

    def encode(self, tokenizer: Any, begin: str, texts: Sequence[str]) -> dict[str, list[int]]:
        """Token ids of distinct texts; one that has the begin text already gets no second begin token."""
        found = {text: self._known[text] for text in texts if text in self._known}
        fresh: dict[str, list[int]] = {}
        for marked in (False, True):
            group = [text for text in dict.fromkeys(texts) if text not in found and text.startswith(begin) is marked]
            options = {"add_special_tokens": False} if marked else {}
            if group:
                ids = tokenizer(group, return_attention_mask=False, **options)["input_ids"]
                fresh.update(zip(group, ids, strict=True))
        self._remember(fresh)
        return found | fresh

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
        self._characters = 0

    def _remember(self, fresh: Mapping[str, list[int]]) -> None:
        size = sum(map(len, fresh))
        if size > REMEMBERED:
            return
        if self._characters + size > REMEMBERED:
            self.clear()
        self._known.update(fresh)
        self._characters += size


def split_pairs(
    requests: Sequence[Any], encode: Callable[[Sequence[str]], Mapping[str, list[int]]], begin: int
) -> list[Scored]:
    """Token ids of (context, continuation), by lm_eval's rules: the pair is encoded whole, the context alone."""
    pairs = [_move_spaces(*request.args[:2]) for request in requests]
    ids = encode([text for context, continuation in pairs for text in (context, context + continuation)])
    scored = []
    for index, (context, continuation) in enumerate(pairs):
        if context:
            head, tail = ids[context], ids[context + continuation][len(ids[context]) :]
        else:
            head, tail = [], ids[continuation]
            head, tail = ([begin], tail) if tail[:1] != [begin] else (tail[:1], tail[1:])
        scored.append(Scored(index, tuple(head), tuple(tail)))
    return scored


def _move_spaces(context: str, continuation: str) -> tuple[str, str]:
    """Spaces at the end of a context belong to the continuation: tokens begin with their space."""
    kept = context.rstrip()
    return (kept, context[len(kept) :] + continuation) if kept else (context, continuation)


def check_lengths(requests: Sequence[Scored], max_length: int) -> None:
    """An answer is never cut. Raises BadBenchmark for one that is empty or longer than the context."""
    for request in requests:
        if not 0 < len(request.continuation) <= max_length:
            raise BadBenchmark(
                f"An answer has {len(request.continuation)} tokens; this contender takes 1 to {max_length}.",
                field="choices",
            )


def check_room(requests: Sequence[Written], max_length: int) -> None:
    """Raises BadBenchmark when the longest answer would leave no room for a prompt."""
    longest = max((request.max_tokens for request in requests), default=0)
    if longest >= max_length:
        raise BadBenchmark(
            f"Answers of {longest} tokens leave no room for a prompt: the contender's context has {max_length}.",
            field="max_tokens",
            remedy="Ask for shorter answers.",
        )
