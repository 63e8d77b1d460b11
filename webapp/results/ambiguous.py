"""The samples of a multiplicity report, fifty to a page: which are shown and in which order stands in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.core.paginator import Page, Paginator

from evaluation.analyses.multiplicity import Samples

PAGE = 50
SHOWN = {
    "ambiguous": "Ambiguous",
    "all": "All",
    "nobody": "All competitors wrong",
    "everybody": "All competitors right",
}
SORTS = ("dissenters", "right", "range", "margin", "capacity")


@dataclass(frozen=True)
class Row:
    """A sample of the table. at: its position in the result; start, length: of the gold range, in per cent."""

    at: int
    name: str
    dissenters: int
    right: float
    low: float | None
    high: float | None
    margin: float | None
    choices: float | None

    @property
    def bar(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (100 * self.low, 100 * (self.high - self.low))


@dataclass(frozen=True)
class View:
    """Which samples are shown, and in which order: all of it lives in the URL. A minus turns the order round."""

    sort: str = "dissenters"
    show: str = "ambiguous"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> View:
        sort, show, page = query.get("sort", ""), query.get("show", ""), query.get("page", "")
        return cls(
            sort=sort if sort.removeprefix("-") in SORTS else "dissenters",
            show=show if show in SHOWN else "ambiguous",
            page=int(page) if page.isdecimal() and len(page) < 9 else 1,
        )

    def query(self, **changes: Any) -> str:
        parts = {"sort": self.sort, "show": self.show, "page": self.page, **changes}
        plain = {"sort": "dissenters", "show": "ambiguous", "page": 1}
        return urlencode({key: value for key, value in parts.items() if value != plain[key]})


@dataclass(frozen=True)
class SamplesPage:
    """A page of samples with what its heads and chips lead to. shows: (title, count, query, is it this)."""

    view: View
    page: Page[int]
    rows: list[Row]
    heads: list[dict[str, Any]]
    shows: list[tuple[str, int, str, bool]]
    rivals: int
    before: str | None
    after: str | None


def samples_page(samples: Samples, view: View, rivals: int, *, probable: bool) -> SamplesPage:
    """The page that a view asks for. probable: whether there are ranges, margins and capacities to show."""
    shown = {name: np.flatnonzero(kept) for name, kept in _kept(samples).items()}
    page = Paginator(_sorted(samples, shown[view.show], view.sort), PAGE).get_page(view.page)
    return SamplesPage(
        view=view,
        page=page,
        rows=[_row(samples, at) for at in page.object_list],
        heads=[_head(view, key) for key in SORTS if probable or key in {"dissenters", "right"}],
        shows=[
            (title, shown[key].size, view.query(show=key, page=1), key == view.show) for key, title in SHOWN.items()
        ],
        rivals=rivals,
        before=view.query(page=page.number - 1) if page.has_previous() else None,
        after=view.query(page=page.number + 1) if page.has_next() else None,
    )


TITLES = {
    "dissenters": ("Dissenters", "Competitors whose answer is not the baseline’s"),
    "right": ("Right, %", "Share of the level set that is right"),
    "range": ("Right answer’s probability", "Smallest and largest that any contender of the level set gives it"),
    "margin": ("Margin", "Of the baseline’s first choice over its second"),
    "capacity": ("Capacity", "How many different answers the level set supports"),
}


def _head(view: View, key: str) -> dict[str, Any]:
    title, about = TITLES[key]
    active = view.sort.removeprefix("-") == key
    turned = f"-{key}" if view.sort == key else key
    direction = "ascending" if view.sort.startswith("-") else "descending"
    return {
        "key": key, "title": title, "about": about, "query": view.query(sort=turned, page=1), "active": active,
        "direction": direction, "arrow": ("↑" if direction == "ascending" else "↓") if active else "",
    }  # fmt: skip


def _kept(samples: Samples) -> dict[str, np.ndarray]:
    return {
        "ambiguous": samples.dissenters > 0,
        "all": np.ones(len(samples.names), dtype=bool),
        "nobody": samples.right == 0,
        "everybody": samples.right == 1,
    }


def _sorted(samples: Samples, kept: np.ndarray, sort: str) -> list[int]:
    """Largest first, or smallest after a minus; what is not known at the end, equals in their order."""
    key = sort.removeprefix("-")
    values = samples.gold_high - samples.gold_low if key == "range" else getattr(samples, key)
    chosen = np.asarray(values, dtype=float)[kept]
    keys = chosen if sort.startswith("-") else -chosen
    order: list[int] = kept[np.argsort(keys, kind="stable")].tolist()
    return order


def _row(samples: Samples, at: int) -> Row:
    low, high, margin, bits = (
        number(values[at]) for values in (samples.gold_low, samples.gold_high, samples.margin, samples.capacity)
    )
    return Row(
        at=at,
        name=samples.names[at],
        dissenters=int(samples.dissenters[at]),
        right=float(samples.right[at]),
        low=low,
        high=high,
        margin=margin,
        choices=None if bits is None else 2.0**bits,
    )


def number(value: Any) -> float | None:
    """None for a hole."""
    return None if np.isnan(value) else float(value)
