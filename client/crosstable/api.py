"""The platform as an object: each method is one thing that people do, and returns the JSON that the server answers."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from crosstable.errors import CrosstableError, Problem
from crosstable.http import Http
from crosstable.packing import packed, sha256

Json = dict[str, Any]
ENDED = {"done", "failed", "cancelled"}
FORMATS = ("csv", "jsonl", "parquet")
WRONG_OFFSET = 409


class Crosstable:
    """A site and somebody's token. url: without /api; token: from the profile page, with the scopes that it needs.

    Raises Problem when a call is refused, Unreachable when nobody answers.
    """

    def __init__(self, url: str, token: str = "", **options: Any) -> None:
        self._http, self._site = Http(url, token, **options), url.rstrip("/")
        self._sleep: Callable[[float], None] = options.get("sleep", time.sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def page(self, kind: str, number: int) -> str:
        """Where people look at one of the "jobs" or "imports"; `url` in an answer is that of REST."""
        return f"{self._site}/{kind}/{number}/"

    def me(self) -> Json:
        return self._json("me/")

    # --- jobs ----------------------------------------------------------------------------------------------------

    def submit(self, *, key: str = "", **job: Any) -> Json:
        """`team`, `entries`, `schemes`, and `suite` or `benchmarks`; more as in POST /jobs/. It makes one job however
        often it is sent: without a `key` it gets one of its own."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        made: Json = self._http.send("POST", "jobs/", again=True, json=job, headers=headers).json()
        return made

    def plan(self, **job: Any) -> Json:
        """What a job would do, take and cost; nothing is submitted."""
        found: Json = self._http.send("POST", "jobs/", again=True, json={**job, "dry_run": True}).json()
        return found

    def jobs(self, state: str = "", search: str = "") -> Iterator[Json]:
        return self._http.pages("jobs/", state=state, q=search)

    def job(self, job: int) -> Json:
        return self._json(f"jobs/{job}/")

    def runs(self, job: int) -> Iterator[Json]:
        return self._http.pages(f"jobs/{job}/runs/")

    def watch(self, job: int, *, every: float = 2.0) -> Iterator[Json]:
        """The job now, and again every so many seconds until it has ended."""
        return self._watched(f"jobs/{job}/", every)

    def cancel(self, job: int) -> Json:
        return self._act(f"jobs/{job}/cancel/")

    def retry(self, job: int) -> Json:
        """Queue again what failed or was cancelled."""
        return self._act(f"jobs/{job}/retry/")

    # --- boards and comparisons ----------------------------------------------------------------------------------

    def board(self, board: str, **view: Any) -> Json:
        """board: `team/name`. view: `sort`, `q`, `tag`, `complete` as in the address of its page."""
        found: Json = self._http.get(f"leaderboards/{board}/", **view)
        return found

    def compare(self, contenders: Sequence[str], *, suite: str = "", benchmark: str = "", **more: Any) -> Json:
        """Two to six contenders by name on a suite or benchmark (`team/name`): every pair, with its test."""
        asked = {"contenders": ",".join(contenders), "suite": suite, "benchmark": benchmark, **more}
        found: Json = self._http.get("compare/", **asked)
        return found

    # --- in and out ----------------------------------------------------------------------------------------------

    def export(self, file: Path | str, *, heard: Callable[[int], None] = lambda size: None, **source: Any) -> Path:
        """Raw scores of `leaderboard`, `job`, `report` or `runs` into a .csv, .jsonl or .parquet file.

        The file appears when it is whole. heard: is told the bytes so far. Raises CrosstableError for another ending.
        """
        return self._fetched(f"exports/scores.{_kind(file)}", Path(file), source, heard)

    def export_board(self, board: str, file: Path | str, **view: Any) -> Path:
        """A board as a view shows it."""
        return self._fetched(f"leaderboards/{board}/standings.{_kind(file)}", Path(file), view, lambda size: None)

    def import_results(
        self, path: Path | str, *, team: str, heard: Callable[[int, int], None] = lambda sent, size: None, **more: Any
    ) -> Json:
        """Upload a file or a folder of results and have it loaded; returns the import, which then goes on by itself.

        What was uploaded before is not sent again, and an upload that broke off goes on. heard: is told the bytes sent
        and their number. more: `kind`, `visibility`, `preview` as in POST /imports/.
        """
        with packed(Path(path)) as (file, name):
            size = file.stat().st_size
            begin = {"team": team, "name": name, "size": size, "sha256": sha256(file), **more}
            made: Json = self._http.send("POST", "imports/", again=True, json=begin).json()
            if made["state"] != "uploading":
                return made
            self._upload(made, file, size, heard)
        return self._act(f"imports/{made['id']}/finish/")

    def watch_import(self, number: int, *, every: float = 1.0) -> Iterator[Json]:
        return self._watched(f"imports/{number}/", every, {*ENDED, "ready"})

    # ---------------------------------------------------------------------------------------------------------------

    def _json(self, path: str) -> Json:
        found: Json = self._http.get(path)
        return found

    def _act(self, path: str) -> Json:
        """An action that is safe to press twice."""
        found: Json = self._http.send("POST", path, again=True).json()
        return found

    def _watched(self, path: str, every: float, ended: set[str] = ENDED) -> Iterator[Json]:
        while True:
            found = self._json(path)
            yield found
            if found["state"] in ended:
                return
            self._sleep(every)

    def _upload(self, made: Json, file: Path, size: int, heard: Callable[[int, int], None]) -> None:
        """From where the server stands. A piece whose answer was lost is refused, and tells where to go on.

        Raises CrosstableError for a file that has no such bytes any more.
        """
        offset = made["offset"]
        with file.open("rb") as content:
            while offset < size:
                content.seek(offset)
                piece = content.read(min(made["chunk_bytes"], size - offset))
                if not piece:
                    raise CrosstableError(
                        f"{file.name} became shorter while it was sent. Send it again when it is whole."
                    )
                offset = self._send_piece(made["id"], offset, piece)
                heard(offset, size)

    def _send_piece(self, number: int, offset: int, data: bytes) -> int:
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        path = f"imports/{number}/"
        try:
            answer = self._http.send("PATCH", path, again=True, content=data, headers=headers)
        except Problem as problem:
            reached = self._json(path)["offset"] if problem.status == WRONG_OFFSET else offset
            if reached <= offset:
                raise
            return int(reached)
        return int(answer.headers["Upload-Offset"])

    def _fetched(self, path: str, file: Path, params: Json, heard: Callable[[int], None]) -> Path:
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            with self._http.stream(path, params) as answer, part.open("wb") as out:
                for piece in answer.iter_bytes():
                    out.write(piece)
                    heard(out.tell())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        return file


def _kind(file: Path | str) -> str:
    kind = Path(file).suffix.removeprefix(".")
    if kind not in FORMATS:
        raise CrosstableError(f"{file}: the name must end in {', '.join('.' + known for known in FORMATS)}.")
    return kind
