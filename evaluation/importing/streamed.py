"""A large JSON document without holding it: the members of an object, and the items of one list in it, one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from evaluation.importing.cells import parse
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow

PIECE = 1 << 18
# What matters for nesting: brackets, separators, and whole strings, inside of which nothing matters. A string that goes
# on in the next piece is `open`; the possessive quantifiers read it once, however many quotes are escaped in it.
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|(?P<open>\\?\Z))|[\[\]{},:]', re.DOTALL)
Member = tuple[str, Any]


def members(stream: BinaryIO, *, file: str, limits: Limits, listed: str) -> Iterator[Member]:
    """(key, value) of an object; of the list under the key `listed` (key, item) for each item, in order.

    A document that is a list is one under the key `listed`. No value may be longer than `limits.line`. Raises BadRow.
    """
    walker = _Walker(file, limits, listed)
    while data := stream.read(PIECE):
        yield from walker.feed(data)
    walker.end()


class _Walker:
    """value: bytes of the value under way. depth: brackets that are open. inside: in the list that is taken apart."""

    def __init__(self, file: str, limits: Limits, listed: str) -> None:
        self.file, self.limits, self.listed = file, limits, listed
        self.rest, self.value = b"", bytearray()
        self.depth, self.key, self.inside, self.is_list, self.done = 0, "", False, False, False

    def feed(self, data: bytes) -> Iterator[Member]:
        buffer, at = self.rest + data, 0
        for token in TOKEN.finditer(buffer):
            if token["open"] is not None:
                break
            self.value += buffer[at : token.start()]
            yield from self._take(token.group())
            at = token.end()
        self.rest = buffer[at:]
        if len(self.value) + len(self.rest) > self.limits.line + PIECE:
            raise BadRow(f"a value is longer than {self.limits.line:,} bytes", file=self.file, field=self.key)

    def _take(self, token: bytes) -> Iterator[Member]:
        bottom = 2 if self.inside and not self.is_list else 1
        if token in (b"[", b"{"):
            yield from self._open(token, bottom)
        elif token in (b"]", b"}"):
            yield from self._close(token, bottom)
        elif self.depth == bottom and token == b",":
            yield from self._finished()
        elif self.depth == 1 and token == b":" and not self.is_list and not self.key:
            self.key = self._parsed()
        else:
            self.value += token

    def _open(self, token: bytes, bottom: int) -> Iterator[Member]:
        self.depth += 1
        if self.depth == 1:
            self.is_list = self.inside = token == b"["
            self.key = self.listed if self.is_list else ""
        elif self.depth == 2 and not self.is_list and self.key == self.listed and token == b"[" and not self.inside:
            self.inside, self.value = True, bytearray()
        else:
            self.value += token
        yield from ()

    def _close(self, token: bytes, bottom: int) -> Iterator[Member]:
        if self.depth == bottom:
            yield from self._finished()
            if self.inside and not self.is_list:
                self.inside, self.key = False, ""
                self.value = bytearray()
                self.depth -= 1
                return
        else:
            self.value += token
        self.depth -= 1
        self.done = self.depth == 0
        if self.depth < 0:
            raise BadRow("it is not JSON", file=self.file)

    def _finished(self) -> Iterator[Member]:
        if self.value.strip():
            key = self.key
            yield key, self._parsed()
        if not self.inside:
            self.key = ""
        self.value = bytearray()

    def _parsed(self) -> Any:
        try:
            found = parse(bytes(self.value), self.limits, lenient=True)
        except ValueError as error:
            raise BadRow(str(error), file=self.file, field=self.key) from None
        self.value = bytearray()
        return found

    def end(self) -> None:
        if not self.done or self.rest.strip():
            raise BadRow("it is not JSON, or it was cut off", file=self.file)
