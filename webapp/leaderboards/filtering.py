"""The search of a board: words, /regular expressions/, @field:values, each turned round by a leading minus.

llama @scheme:int8 -@tag:closed @score:>60 @arc:70..80 /^small/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from webapp.leaderboards.patterns import BadPattern, contenders_like
from webapp.leaderboards.tables import Row, Table

Test = Callable[[Row], bool]
MOST_TERMS = 12
TERMS = re.compile(r'-?(?:@[\w.-]+:)?(?:"[^"]*"|/(?:[^/\\]|\\.)+/|\S+)')
COMPARED = re.compile(r"(?P<sign>[<>]=?|=)?(?P<number>-?\d+(?:\.\d+)?)(?P<unit>[kKmMbBtT]?)(?P<percent>%?)")
UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">": float.__gt__, ">=": float.__ge__, "<": float.__lt__, "<=": float.__le__,
    "=": lambda value, limit: abs(value - limit) < 0.05,  # as far as it is written
}  # fmt: skip

TEXTS: Mapping[str, Callable[[Row], Iterable[str]]] = {
    "tag": lambda row: row.standing.tags,
    "team": lambda row: [row.standing.team],
    "scheme": lambda row: [row.standing.scheme],
    "family": lambda row: [row.family],
    "entry": lambda row: [row.standing.entry],
    "state": lambda row: set(row.line.states),
}
NUMBERS: Mapping[str, Callable[[Row], float | None]] = {
    "score": lambda row: _percent(row.score),
    "value": lambda row: row.standing.value,
    "rank": lambda row: row.standing.position,
    "parameters": lambda row: row.standing.parameters,
}


@dataclass(frozen=True)
class Term:
    """A part of a search. error: why it cannot be used, as a sentence; then it filters nothing."""

    text: str
    test: Test
    error: str = ""


def parse(search: str, table: Table, leaderboard_id: int) -> list[Term]:
    """The terms of a search, in order. All of them must hold."""
    return [_term(text, table, leaderboard_id) for text in TERMS.findall(search)[:MOST_TERMS]]


def without(terms: Sequence[Term], at: int) -> str:
    """The search that is left when one term is taken away."""
    return " ".join(term.text for i, term in enumerate(terms) if i != at)


class _Unusable(Exception):
    """Why a term cannot be used."""


def _term(text: str, table: Table, leaderboard_id: int) -> Term:
    turned = len(text) > 1 and text.startswith("-")
    try:
        test = _test(text[turned:], table, leaderboard_id)
    except (_Unusable, BadPattern) as error:
        return Term(text, lambda _: True, f"{text} is left out. {error}")
    return Term(text, (lambda row: not test(row)) if turned else test)


def _test(text: str, table: Table, leaderboard_id: int) -> Test:
    if text.startswith("@"):
        return _field(text[1:], table)
    if text.startswith("/") and text.endswith("/") and len(text) > 2:
        like = contenders_like(text[1:-1].replace(r"\/", "/"), leaderboard_id)
        return lambda row: row.standing.contender_id in like
    if text.startswith("/"):
        raise _Unusable("A regular expression stands between two slashes, as in /^small/.")
    word = text.strip('"').lower()
    return lambda row: word in row.name.lower() or word in row.standing.title.lower()


def _field(text: str, table: Table) -> Test:
    name, colon, value = text.partition(":")
    value = value.strip('"').lower()
    if not colon or not value:
        raise _Unusable("A field has a value, as in @tag:open or @score:>60.")
    if name.lower() in TEXTS:
        texts = TEXTS[name.lower()]
        return lambda row: any(value == one.lower() for one in texts(row))
    numbers = NUMBERS.get(name.lower()) or _benchmark(name, table)
    if numbers is None:
        raise _Unusable(f"There is no such field. Known: {', '.join((*TEXTS, *NUMBERS))}, and each benchmark by name.")
    return _compared(numbers, value)


def _benchmark(name: str, table: Table) -> Callable[[Row], float | None] | None:
    column = next((one for one in table.columns if one.name == name), None)
    return (lambda row: _percent(column.result(row))) if column else None


def _compared(number: Callable[[Row], float | None], value: str) -> Test:
    """Unknown is neither more nor less than anything."""
    low, dots, high = value.partition("..")
    limits = [_limit(part, usual) for part, usual in ((low, ">="), (high, "<="))] if dots else [_limit(value, "=")]

    def test(row: Row) -> bool:
        known = number(row)
        return known is not None and all(compare(float(known), limit) for compare, limit in limits)

    return test


def _limit(text: str, usual: str) -> tuple[Callable[[float, float], bool], float]:
    match = COMPARED.fullmatch(text)
    if match is None:
        raise _Unusable("A number is compared as in >60, <=5 or 60..70.")
    return SIGNS[match["sign"] or usual], float(match["number"]) * UNITS[match["unit"].lower()]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
