"""Results that were made elsewhere, read as streams: bounded, strict, and never executed.

`read` finds out what a file is and yields its sources; `survey.survey` reads them once and says what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from evaluation.importing import tables
from evaluation.importing.harness_results import read_harness
from evaluation.importing.inspect_logs import read_inspect
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow
from evaluation.importing.sources import Source


@dataclass(frozen=True)
class Format:
    """A kind of results that can be imported. endings: of file names."""

    key: str
    title: str
    endings: tuple[str, ...]


FORMATS: dict[str, Format] = {
    one.key: one
    for one in (
        Format("lm-eval", "lm-evaluation-harness, its output directory packed", (".zip", ".tar.gz", ".tgz", ".tar")),
        Format("inspect", "Inspect, a log", (".eval", ".json")),
        Format("csv", "CSV, one row per score", (".csv",)),
        Format("jsonl", "JSON Lines, one object per score", (".jsonl", ".ndjson")),
        Format("parquet", "Parquet, one row per score", (".parquet", ".pq")),
    )
}
SINGLE = {"csv": tables.read_csv, "jsonl": tables.read_jsonl, "parquet": tables.read_parquet}
SEVERAL = {"lm-eval": read_harness, "inspect": read_inspect}


def detect(name: str) -> str:
    """The key of the format of a file, by its name. Raises BadRow."""
    for one in FORMATS.values():
        if name.lower().endswith(one.endings):
            return one.key
    endings = ", ".join(ending for one in FORMATS.values() for ending in one.endings)
    raise BadRow("its name does not tell what it is", file=name, remedy=f"Known endings: {endings}.")


def read(stream: BinaryIO, *, name: str, kind: str = "", limits: Limits | None = None) -> Iterator[Source]:
    """The sources in a file, from its beginning. kind: a key of FORMATS; "" goes by the name. Raises BadRow."""
    bounds, chosen = limits or Limits(), kind or detect(name)
    stream.seek(0)
    if chosen in SEVERAL:
        yield from SEVERAL[chosen](stream, file=name, limits=bounds)
    else:
        yield Source(name, SINGLE[chosen](stream, file=name, limits=bounds))
