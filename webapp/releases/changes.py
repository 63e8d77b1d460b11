"""What became of ranks between two frozen boards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from webapp.releases.snapshots import Frozen


class Move(StrEnum):
    UP = "up"
    DOWN = "down"
    SAME = "same"
    NEW = "new"
    UNRANKED = "unranked"


@dataclass(frozen=True)
class Change:
    """places: how many; before: the rank, or its interval, then. held: the two intervals of ranks overlap, so that the
    data do not show a move."""

    move: Move
    places: int = 0
    before: str = ""
    held: bool = False


def changes(before: Frozen, after: Frozen) -> dict[str, Change]:
    """By contender of `after`. Contenders are the same when name and fingerprint of their entry are."""
    then = {_key(row): row for row in before["standings"]}
    return {row["contender"]: _change(then.get(_key(row)), row) for row in after["standings"]}


def gone(before: Frozen, after: Frozen) -> list[str]:
    """Contenders that were ranked before and are not there any more."""
    now = {_key(row) for row in after["standings"]}
    return [row["contender"] for row in before["standings"] if rank(row) and _key(row) not in now]


def rank(row: Mapping[str, object]) -> str:
    """A place, or the interval of places; empty for whoever misses a result, or has one of another harness."""
    low, high = row["rank_low"], row["rank_high"]
    if row["position"] is None or low is None or not row["comparable"]:
        return ""
    return str(low) if low == high else f"{low}–{high}"


def _key(row: Mapping[str, object]) -> tuple[object, object]:
    return row["contender"], row["fingerprint"]


def _change(then: Mapping[str, object] | None, now: Mapping[str, object]) -> Change:
    if not rank(now):
        return Change(Move.UNRANKED, before=rank(then) if then else "")
    if then is None or not rank(then):
        return Change(Move.NEW)
    places = int(str(then["position"])) - int(str(now["position"]))
    move = Move.UP if places > 0 else Move.DOWN if places < 0 else Move.SAME
    return Change(move, abs(places), rank(then), held=_overlap(then, now))


def _overlap(then: Mapping[str, object], now: Mapping[str, object]) -> bool:
    low, high, other_low, other_high = (int(str(row[end])) for row in (then, now) for end in ("rank_low", "rank_high"))
    return low <= other_high and other_low <= high
