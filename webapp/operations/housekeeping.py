"""How things are thrown away, a bounded number at a time; what and when stands in rules.py.

Nothing is remembered between two turns: a process that dies halfway leaves whole batches behind, and the next one goes
on with the oldest of what is left.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, Model, Q, QuerySet
from django.utils import timezone

BATCH = 1000  # of a rule and turn: however much there is, no transaction is long
COUNTED = 10_000  # what is due is counted so far, and no further
SOON = timedelta(days=7)


@dataclass(frozen=True)
class Outlook:
    """What a rule throws away now, and what now or within a week, both counted to one beyond COUNTED. oldest: from when
    the first of them is."""

    due: int = 0
    soon: int = 0
    oldest: datetime | None = None

    @property
    def coming(self) -> int:
        """Not due yet, but within a week."""
        return self.soon - self.due

    @property
    def more(self) -> bool:
        """There may be more than these numbers say."""
        return self.soon > COUNTED


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """Something that is kept for a while. setting: says for how long (deploy/env.example); "": not at all."""

    key: str
    title: str
    setting: str = ""

    @property
    def keep(self) -> timedelta | None:
        """None: for ever."""
        return getattr(settings, self.setting) if self.setting else timedelta(0)

    @property
    def variable(self) -> str:
        """The setting's name in the environment."""
        return f"CROSSTABLE_{self.setting}_DAYS" if self.setting else ""

    def turn(self) -> int:
        """One batch of what is older than it is kept; exactly as old stays. Returns how many there were."""
        keep = self.keep
        return 0 if keep is None else self.take(timezone.now() - keep)

    def outlook(self) -> Outlook:
        keep = self.keep
        return Outlook() if keep is None else self.look(timezone.now() - keep)

    @abstractmethod
    def take(self, before: datetime) -> int: ...

    @abstractmethod
    def look(self, before: datetime) -> Outlook: ...


@dataclass(frozen=True, kw_only=True)
class Rows(Rule):
    """Rows of a table. rows: those that nothing needs, of any age; since: the field from which on they are kept, of
    which the oldest are found by an index; also: another time that must be as long ago."""

    rows: Callable[[], QuerySet[Any]]
    since: str
    also: str = ""

    @transaction.atomic
    def take(self, before: datetime) -> int:
        """Under their locks, which check once more: a row that somebody has come back to meanwhile stays."""
        oldest = self._older(before).select_for_update(skip_locked=True, of=("self",))
        gone = [row.pk for row in oldest[:BATCH]]
        if gone:
            self.model._default_manager.filter(pk__in=gone).delete()
        return len(gone)

    def look(self, before: datetime) -> Outlook:
        some = self._older(before + SOON)[: COUNTED + 1]
        due = Q(**{f"{self.since}__lt": before})
        return Outlook(**some.aggregate(due=Count("pk", filter=due), soon=Count("pk"), oldest=Min(self.since)))

    @property
    def model(self) -> type[Model]:
        found: type[Model] = self.rows().model
        return found

    def _older(self, before: datetime) -> QuerySet[Any]:
        times = filter(None, (self.since, self.also))
        return self.rows().filter(**{f"{time}__lt": before for time in times}).only("pk").order_by(self.since)


@dataclass(frozen=True, kw_only=True)
class Closed(Rows):
    """Rows that stay, while what they hold goes. close: does it to a bounded number of those older than a time."""

    close: Callable[[datetime], int]

    def take(self, before: datetime) -> int:
        return self.close(before)


@dataclass(frozen=True, kw_only=True)
class Files(Rule):
    """Files of a folder, which may not be there; their time is that of the last change. Folders below it stay."""

    folder: Callable[[], Path]

    def take(self, before: datetime) -> int:
        gone = [path for at, path in sorted(self._files()) if at < before][:BATCH]
        for path in gone:
            Path(path).unlink(missing_ok=True)
        return len(gone)

    def look(self, before: datetime) -> Outlook:
        times = sorted(at for at, _ in self._files() if at < before + SOON)[: COUNTED + 1]
        return Outlook(sum(at < before for at in times), len(times), times[0] if times else None)

    def _files(self) -> Iterator[tuple[datetime, str]]:
        try:
            with os.scandir(self.folder()) as found:
                for one in found:
                    if one.is_file(follow_symlinks=False):
                        yield datetime.fromtimestamp(one.stat(follow_symlinks=False).st_mtime, UTC), one.path
        except FileNotFoundError:
            return
