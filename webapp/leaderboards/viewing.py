"""What of a board is shown. All of it lives in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

KINDS = {"table": "Table", "ranks": "Ranks", "heatmap": "Heatmap"}
MOST_KEYS = 4  # of a sort
LONGEST_SEARCH = 200
LONGEST_COLUMNS = 4000


@dataclass(frozen=True)
class View:
    """Equal views share one rendering.

    sort: keys in order of weight, with commas: "rank", "name", "value" or a benchmark; a leading minus turns one round.
    search: terms of `filtering`. comparable: contenders with a result of another harness are not ranked.
    costs: what contenders cost over the suite, too: keys "cost" and "per-pass".
    columns: names of benchmarks, or @group, with commas; "-name" is all but these; empty is all.
    """

    sort: str = "rank"
    search: str = ""
    tag: str = ""
    complete: bool = False
    comparable: bool = True
    costs: bool = False
    columns: str = ""
    kind: str = "table"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> View:
        page, kind = query.get("page", ""), query.get("view", "")
        return cls(
            sort=_keys(query.get("sort", "")) or "rank",
            search=query.get("q", "")[:LONGEST_SEARCH].strip(),
            tag=query.get("tag", "")[:40].strip(),
            complete=query.get("complete") == "1",
            comparable=query.get("comparable") != "0",
            costs=query.get("costs") == "1",
            columns=_listed(query.get("cols", "")[:LONGEST_COLUMNS]),
            kind=kind if kind in KINDS else "table",
            page=int(page) if page.isdecimal() and len(page) < 6 else 1,
        )

    @property
    def query(self) -> str:
        """The shortest address of this view: what is usual is left out."""
        parts = {
            "sort": self.sort if self.sort != "rank" else "",
            "q": self.search,
            "tag": self.tag,
            "complete": "1" if self.complete else "",
            "comparable": "" if self.comparable else "0",
            "costs": "1" if self.costs else "",
            "cols": self.columns,
            "view": self.kind if self.kind != "table" else "",
            "page": str(self.page) if self.page > 1 else "",
        }
        return urlencode({name: value for name, value in parts.items() if value}, safe=",@:/")

    @property
    def keys(self) -> list[str]:
        return self.sort.split(",")

    def sorted_by(self, key: str) -> View:
        """The view after a click on this column: again turns it round."""
        return replace(self, sort=f"-{key}" if self.sort == key else key, page=1)

    def on_page(self, page: int) -> View:
        return replace(self, page=page)

    def shows(self, columns: Sequence[tuple[str, str]]) -> list[int]:
        """Which of the columns, given as (name, group), are shown."""
        asked = [part for part in self.columns.split(",") if part]
        left_out = {part[1:] for part in asked if part.startswith("-")}
        chosen = {part for part in asked if not part.startswith("-")}
        return [
            at
            for at, (name, group) in enumerate(columns)
            if (not chosen or not chosen.isdisjoint((name, f"@{group}"))) and left_out.isdisjoint((name, f"@{group}"))
        ]


def _listed(text: str) -> str:
    return ",".join(part for part in text.replace(" ", "").split(",") if part)


def _keys(text: str) -> str:
    """Each column once, the first mention counts."""
    keys: dict[str, str] = {}
    for key in _listed(text[: 80 * MOST_KEYS]).split(","):
        keys.setdefault(key.removeprefix("-"), key)
    return ",".join([key for key in keys.values() if key][:MOST_KEYS])
