"""Which entries a form lists to choose from: all where they are few; else the chosen ones, and those that are found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from webapp.accounts.models import User
from webapp.catalog.models import EntryVersion, Source
from webapp.catalog.selectors import latest_versions, newest_entries

LISTED = 50  # entries, beside those that are chosen


@dataclass(frozen=True)
class Row:
    at: int
    version: EntryVersion
    chosen: bool

    def __str__(self) -> str:
        facts = [str(self.version), self.version.entry.team.name]
        if self.version.parameters:
            facts.append(f"{self.version.parameters:,} parameters")
        if self.version.source == Source.ENDPOINT:
            facts.append("endpoint, as served")
        if self.version.source == Source.IMPORTED:
            facts.append("imported, cannot be run")
        return " · ".join(facts)


@dataclass(frozen=True)
class EntryChoices:
    """groups: rows by the heading above them, "" where all are listed. told: what to do about those that are not."""

    groups: dict[str, list[Row]]
    find: str = ""
    told: str = ""

    @property
    def number(self) -> int:
        return sum(len(rows) for rows in self.groups.values())

    @property
    def few(self) -> bool:
        return not self.told


def entry_choices(user: User, chosen: Iterable[object], find: str = "") -> EntryChoices:
    """chosen: ids as a form or an address has them. find: words, each of which an entry must have."""
    pks, find = set(ids(chosen)), find.replace("\0", "").strip()
    newest = newest_entries(user, LISTED + 1)
    if len(newest) <= LISTED:
        return EntryChoices({"": _rows(sorted(newest, key=lambda one: (one.entry.name, one.pk)), pks)})
    kept = list(latest_versions(user).filter(pk__in=pks)) if pks else []
    found = newest_entries(user, LISTED + 1, find, without=kept) if find or kept else newest
    rows = _rows([*kept, *found[:LISTED]], pks)
    groups = {"Chosen": rows[: len(kept)], "Found" if find else "Newest": rows[len(kept) :]}
    told = _told(len(found), find, bool(kept))
    return EntryChoices({head: group for head, group in groups.items() if group}, find, told)


def ids(values: Iterable[object]) -> list[int]:
    """What may be an id among what an address or a form says."""
    return [int(text) for text in map(str, values) if text.isdecimal() and len(text) < 19]


def _rows(versions: Sequence[EntryVersion], chosen: set[int]) -> list[Row]:
    return [Row(at, version, version.pk in chosen) for at, version in enumerate(versions)]


def _told(found: int, find: str, kept: bool) -> str:
    if not find:
        return f"The {LISTED} newest entries are listed. Type to find any other."
    if found > LISTED:
        return f"More than {LISTED} entries match, and the newest of them are listed. Type more."
    if found:
        return f"{found} {'entry matches' if found == 1 else 'entries match'}."
    return f"No {'other ' if kept else ''}entry matches “{find}”."
