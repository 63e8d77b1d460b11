"""Rows on their way to COPY: written as PostgreSQL reads them while a file is surveyed, so that it is read only once.

What a row belongs to has no id yet: each line begins with the number of its run or benchmark, and gets the id when it
is copied.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Set
from typing import IO, Any

from evaluation.importing.rows import Row
from evaluation.importing.survey import hashes

BATCH = 2000  # lines
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Spool:
    """Two temporary files; a keeper of `survey`. Use it in a `with` statement."""

    def __init__(self) -> None:
        self._scores, self._questions = (
            tempfile.TemporaryFile(buffering=2**20)  # noqa: SIM115 - `__exit__` closes it
            for _ in range(2)
        )

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._scores.close()
        self._questions.close()

    def score(self, run: int, row: Row) -> None:
        """In the order of `results.services.COLUMNS`."""
        likely = "{" + ",".join(map(repr, row.log_likelihoods)) + "}"
        told = (row.tokens_in, row.tokens_out, row.tokens_cached, row.seconds, row.latency, row.seconds_to_first)
        numbers = "\t".join(["\\N" if value is None else repr(value) for value in (*told, row.cost_usd)])
        choice = "\\N" if row.choice is None else row.choice
        answer, output = row.answer.translate(ESCAPED), row.output.translate(ESCAPED)
        line = f"{run}\t{row.sample}\t{row.attempt}\t{row.score!r}\t{answer}\t{output}\t{choice}\t{likely}\t{numbers}\n"
        self._scores.write(line.encode())

    def question(self, benchmark: int, row: Row) -> None:
        """In the order of `loading.QUESTION`."""
        choices = json.dumps(row.choices, ensure_ascii=False)
        texts = (row.document or "{}", row.prompt, choices, row.target, row.subject[:120], *hashes(row))
        told = "\t".join([text.translate(ESCAPED) for text in texts])
        self._questions.write(f"{benchmark}\t{row.sample}\t{told}\n".encode())

    def scores(self, runs: Mapping[int, int]) -> Iterator[list[bytes]]:
        """Lines for COPY of the runs with an id, in batches that name the id for the number."""
        ids = {str(number).encode(): b"%d\t" % pk for number, pk in runs.items()}
        yield from self._lines(self._scores, lambda number, _: ids.get(number))

    def questions(self, versions: Mapping[int, tuple[int, Set[int]]]) -> Iterator[list[bytes]]:
        """The same for questions: of each benchmark its version's id, and the samples that it still lacks."""
        ids = {str(number).encode(): (b"%d\t" % pk, lacks) for number, (pk, lacks) in versions.items()}

        def prefix(number: bytes, rest: bytes) -> bytes | None:
            pk, lacks = ids.get(number, (None, frozenset()))
            return pk if int(rest.partition(b"\t")[0]) in lacks else None

        yield from self._lines(self._questions, prefix)

    @staticmethod
    def _lines(file: IO[bytes], prefix: Any) -> Iterator[list[bytes]]:
        file.seek(0)
        batch: list[bytes] = []
        for line in file:
            number, _, rest = line.partition(b"\t")
            if (begin := prefix(number, rest)) is not None:
                batch.append(begin + rest)
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        yield batch
