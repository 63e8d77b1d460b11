"""What is pushed to the viewers of a page: a drawing packed once, whole and as what it changed of the one before."""

from __future__ import annotations

import asyncio
import gzip
import re

VERSION = re.compile(r'data-version="(\d+)"')
ROW = re.compile(r'<tr data-key="([^"]*)".*?</tr>', re.DOTALL)
KEPT = "<td data-kept></td>"
CELL = re.compile(r"(?=<t[dh]\b|</tr>)")


class Frame:
    """A drawing of one version. changes: packed, for a page that shows the version `since`."""

    def __init__(self, html: str, before: Frame | None) -> None:
        found = VERSION.search(html)
        self.html, self.version = html, int(found[1]) if found else 0
        self.since = before.version if before else None
        self.changes = _packed(changes(before.html, html, before.version)) if before else b""
        self._whole: asyncio.Future[bytes] | None = None

    async def whole(self) -> bytes:
        """Packed, once for all who need it: those who missed the drawing before."""
        if self._whole is None:
            self._whole = asyncio.ensure_future(asyncio.to_thread(_packed, self.html))
        return await asyncio.shield(self._whole)


def changes(before: str, after: str, since: int) -> str:
    """The drawing `after` in which a row that stays is its key alone, and a cell that stays empty; live.js fills them.

    A result changes one row; an order changes a number in every row and leaves 100 cells beside it.
    """
    known = {row[1]: row[0] for row in ROW.finditer(before)}

    def kept(row: re.Match[str]) -> str:
        if known.get(row[1]) == row[0]:
            return f'<tr data-key="{row[1]}" data-kept></tr>'
        old, new = CELL.split(known.get(row[1], "")), CELL.split(row[0])
        if len(old) != len(new):
            return row[0]
        cells = zip(old[1:-1], new[1:-1], strict=True)
        return "".join([new[0], *(KEPT + _after(cell) if cell == other else cell for other, cell in cells), new[-1]])

    return ROW.sub(kept, after).replace("data-version=", f'data-since="{since}" data-version=', 1)


def _after(cell: str) -> str:
    """The space between it and the next one, which is no part of an element."""
    return cell[len(cell.rstrip()) :]


def _packed(html: str) -> bytes:
    return gzip.compress(html.encode(), mtime=0)
