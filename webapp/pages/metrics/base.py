"""What is said of a number wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass

ARXIV = "https://arxiv.org/abs/"


@dataclass(frozen=True)
class Metric:
    """A number that pages show. labels: how their headings write it.

    text: two sentences for somebody who sees it for the first time. formula: in plain signs. source: paper or
    definition; link: its address, if it has one. section: of the guide, as page#section.
    """

    key: str
    labels: tuple[str, ...]
    text: str
    formula: str
    source: str
    section: str
    link: str = ""

    @property
    def name(self) -> str:
        return self.labels[0]
