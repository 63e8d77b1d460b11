"""Pages of lists that grow for ever."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

LONGEST = 10_000  # rows: more than anybody pages through


class Pages(Paginator):  # type: ignore[type-arg]  # it takes none when the code runs
    """Of at most LONGEST rows, which is also how far they are counted: no list costs more for what is long over.

    Who looks for something older narrows the list, downloads it, or asks REST, whose cursors have no end.
    """

    object_list: QuerySet[Any]

    @cached_property
    def _found(self) -> int:
        return self.object_list.order_by()[: LONGEST + 1].count()

    @cached_property
    def count(self) -> int:
        return min(self._found, LONGEST)

    @property
    def more(self) -> bool:
        """Whether there are rows beyond the last page."""
        return self._found > LONGEST
