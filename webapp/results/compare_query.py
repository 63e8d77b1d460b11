"""What of a comparison is shown: all of it lives in the URL, so that an address is a permalink."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import QueryDict

FEWEST, MOST = 2, 6
LARGEST_ID = 2**31
SORTS = {"index": "In order", "split": "Most divided first", "hard": "Fewest right first"}


@dataclass(frozen=True)
class Query:
    """suite or benchmark (a version): ids; contenders: 2 to 6 ids in order; baseline: one of them, or none.

    margin: points within which means count as equal. filter, sort, search, after: which samples are listed, the last
    one of the page before ("version-index"). see, flips, power: the planner's points and per cent.
    """

    suite: int | None = None
    benchmark: int | None = None
    contenders: tuple[int, ...] = ()
    baseline: int | None = None
    margin: float = 1.0
    filter: str = "all"
    sort: str = "index"
    q: str = ""
    after: str = ""
    see: float | None = None
    flips: float | None = None
    power: float = 80.0
    choose: bool = False

    @classmethod
    def of(cls, given: QueryDict) -> Query:
        """From an address; what is not understood falls back to its default, so that no address fails."""
        ids = [part for text in given.getlist("contenders") for part in text.split(",")]
        chosen = tuple(dict.fromkeys(found for found in map(_id, ids) if found is not None))[:MOST]
        baseline = _id(given.get("baseline", ""))
        sort = given.get("sort", "")
        return cls(
            suite=_id(given.get("suite", "")),
            benchmark=None if given.get("suite") else _id(given.get("benchmark", "")),
            contenders=chosen,
            baseline=baseline if baseline in chosen else None,
            margin=_number(given.get("margin", ""), 0.01, 50.0) or 1.0,
            filter=given.get("filter", "")[:40] or "all",
            sort=sort if sort in SORTS else "index",
            q=given.get("q", "")[:80].strip(),
            after=given.get("after", "")[:24],
            see=_number(given.get("see", ""), 0.01, 100.0),
            flips=_number(given.get("flips", ""), 0.01, 100.0),
            power=_number(given.get("power", ""), 50.0, 99.9) or 80.0,
            choose=given.get("choose") == "1",
        )

    @property
    def enough(self) -> bool:
        return len(self.contenders) >= FEWEST and not self.choose

    @property
    def text(self) -> str:
        """The query string; defaults are left out."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        parts["contenders"] = ",".join(map(str, self.contenders))
        parts["choose"] = "1" if self.choose else ""
        defaults = {field.name: field.default for field in fields(self)}
        kept = {k: v for k, v in parts.items() if v not in (None, "", ()) and (k in {"filter"} or v != defaults[k])}
        if self.filter == "all":
            kept.pop("filter", None)
        return urlencode({k: _written(v) for k, v in kept.items()}, safe=",")

    def but(self, **changes: Any) -> str:
        """The query string of the same comparison with something else; a new list starts at its first page."""
        lists = {"filter", "sort", "q", "baseline", "contenders"}
        if lists & set(changes):
            changes = {"after": "", **changes}
        return replace(self, **changes).text

    @property
    def carried(self) -> dict[str, str]:
        """What forms on the page carry along besides their own fields."""
        return dict(parse_qsl(self.text))


def key_of(version: int, index: int) -> str:
    return f"{version}-{index}"


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _id(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and 0 < int(text[:12]) < LARGEST_ID else None


def _number(text: str, low: float, high: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if low <= value <= high else None
