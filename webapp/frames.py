"""What is pushed to the viewers of a page: a drawing packed once, whole and as what it changed of the one before."""

from __future__ import annotations

import asyncio
import gzip
import re

VERSION = re.compile(r'data-version="(\d+)"')
ROW = re.compile(r'<tr data-key="([^"]*)".*?</tr>', re.DOTALL)


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
    """The drawing `after` in which a row that stays as it was is its key alone; live.js puts it in again."""
    known = {row[1]: row[0] for row in ROW.finditer(before)}

    def kept(row: re.Match[str]) -> str:
        return f'<tr data-key="{row[1]}" data-kept></tr>' if known.get(row[1]) == row[0] else row[0]

    return ROW.sub(kept, after).replace("data-version=", f'data-since="{since}" data-version=', 1)


def _packed(html: str) -> bytes:
    return gzip.compress(html.encode(), mtime=0)
