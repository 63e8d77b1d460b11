"""Regular expressions from strangers: refused when matching them could take exponential time.

Python's `re` backtracks and cannot be interrupted, so one pattern such as (a+)+$ would stop a worker for ever. What is
accepted here has no repetition or alternative inside a long repetition and no back references: polynomial at worst.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from re import _parser  # type: ignore[attr-defined]  # the only way to see a pattern's structure
from typing import Any

from evaluation.errors import BadBenchmark

MAX_LENGTH = 500  # characters of a pattern
MAX_REPEATS = 4  # unbounded repetitions, one after the other
_LONG = 32  # a repetition that may go further than this counts as unbounded


def check(pattern: str) -> re.Pattern[str]:
    """Compile a pattern with exactly one group. Raises BadBenchmark (field `extract`)."""
    if len(pattern) > MAX_LENGTH:
        raise _refusal(f"it is longer than {MAX_LENGTH} characters")
    try:
        compiled = re.compile(pattern)
        parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise _refusal(str(error)) from None
    if compiled.groups != 1:
        raise _refusal(f"it has {compiled.groups} groups and needs exactly one, around the answer")
    if sum(_walk(parsed, inside=False)) > MAX_REPEATS:
        raise _refusal(f"it has more than {MAX_REPEATS} unbounded repetitions")
    return compiled


def _walk(items: Iterable[tuple[Any, Any]], *, inside: bool) -> Iterator[int]:
    """Yield 1 for every unbounded repetition; refuse what backtracks exponentially inside of one."""
    for operation, argument in items:
        name = str(operation)
        if name.startswith("GROUPREF"):
            raise _refusal("back references are not allowed")
        if inside and name == "BRANCH":
            raise _refusal("an alternative (a|b) inside a repetition is not allowed; [ab] is")
        repeats = name.endswith("REPEAT")
        if repeats and inside:
            raise _refusal("a repetition inside a repetition is not allowed")
        unbounded = repeats and argument[1] > _LONG
        yield int(unbounded)
        for child in _children(argument):
            yield from _walk(child, inside=inside or unbounded)


def _children(argument: Any) -> Iterator[Any]:
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _children(part)


def _refusal(reason: str) -> BadBenchmark:
    return BadBenchmark(
        f"The pattern in `extract` cannot be used: {reason}.",
        field="extract",
        remedy="Use one group around the answer and simple repetitions, as in 'Answer: (.*)'.",
    )
