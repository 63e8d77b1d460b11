"""`crosstable`: the platform from a terminal. JSON or a table on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from getpass import getpass
from itertools import islice
from pathlib import Path
from typing import Any

from crosstable import account, tables
from crosstable.api import Crosstable
from crosstable.errors import CrosstableError
from crosstable.progress import Progress, job_words, size

REFUSED, NOT_DONE, INTERRUPTED = 1, 3, 130
Arguments = argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        if asked.command == "login":
            return login(asked)
        with Crosstable(*account.find(asked.url, asked.token)) as site:
            return int(asked.run(site, asked))
    except (CrosstableError, OSError) as error:  # the second: a file that cannot be read or written
        print(error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\nStopped looking; what was submitted goes on.", file=sys.stderr)
        return INTERRUPTED


def login(asked: Arguments) -> int:
    """Store address and token after trying them."""
    url = asked.url or input("Address of the site: ").strip()
    token = asked.token or getpass("Token (from your profile page): ").strip()
    with Crosstable(url, token) as site:
        name = site.me()["username"]
    print(f"Signed in as {name}; stored in {account.store(url, token)}.", file=sys.stderr)
    return 0


def submit(site: Crosstable, asked: Arguments) -> int:
    job = {"team": asked.team, "entries": asked.entry, "schemes": asked.scheme or ["bf16"], "title": asked.title}
    job |= {"suite": asked.suite} if asked.suite else {"benchmarks": asked.benchmark}
    settings = {name: getattr(asked, name) for name in ("seed", "limit", "batch_size", "attempts", "temperature")}
    job["settings"] = {name: value for name, value in settings.items() if value is not None}
    if asked.priority is not None:
        job["priority"] = asked.priority
    if asked.dry_run:
        return _say(asked, site.plan(**job), tables.plan)
    made = site.submit(key=asked.key, **job)
    print(f"Job {made['id']}: {site.page('jobs', made['id'])}", file=sys.stderr)
    if asked.watch:
        return _watch(site, asked, made["id"])
    return _say(asked, made, lambda found: str(found["id"]))


def watch(site: Crosstable, asked: Arguments) -> int:
    return _watch(site, asked, asked.job)


def _watch(site: Crosstable, asked: Arguments, job: int) -> int:
    progress, state = Progress(f"Job {job}"), {}
    try:
        for state in site.watch(job, every=asked.every):
            progress.show(state["progress"]["done"], state["progress"]["total"], job_words(state))
    finally:
        progress.end()
    runs = sorted(site.runs(job), key=lambda run: (run["contender"], run["benchmark"]))
    _say(asked, {**state, "runs": runs}, lambda found: tables.results(found["runs"]))
    return 0 if state["state"] == "done" else NOT_DONE


def jobs(site: Crosstable, asked: Arguments) -> int:
    return _say(asked, list(islice(site.jobs(asked.state), asked.most)), tables.jobs)


def cancel(site: Crosstable, asked: Arguments) -> int:
    return _say(asked, site.cancel(asked.job), lambda job: f"Job {job['id']}: {job['state']}. {job['reason']}")


def retry(site: Crosstable, asked: Arguments) -> int:
    return _say(asked, site.retry(asked.job), lambda job: f"Job {job['id']}: {job['state']}. {job['reason']}")


def board(site: Crosstable, asked: Arguments) -> int:
    return _say(asked, site.board(asked.board, q=asked.search, sort=asked.sort), tables.board)


def compare(site: Crosstable, asked: Arguments) -> int:
    found = site.compare(
        asked.contender, suite=asked.suite, benchmark=asked.benchmark, baseline=asked.baseline, margin=asked.margin
    )
    return _say(asked, found, tables.comparison)


def import_(site: Crosstable, asked: Arguments) -> int:
    progress = Progress(f"Uploading {Path(asked.path).name}")
    more = {"preview": asked.preview, "visibility": asked.visibility, **({"kind": asked.kind} if asked.kind else {})}
    made = site.import_results(
        asked.path, team=asked.team, heard=lambda sent, all_: progress.show(sent, all_, size(sent)), **more
    )
    progress.end()
    reading, state = Progress(f"Import {made['id']}"), made
    for state in site.watch_import(made["id"], every=asked.every):
        read = state["rows"] if state["state"] == "done" else state["rows_read"]
        reading.show(read or 0, state["rows"], f"{state['state']}, {read or 0:,} rows")
    reading.end()
    _say(asked, state, lambda found: f"{found['state']}: {found['reason']}\n{site.page('imports', found['id'])}")
    return 0 if state["state"] in ("done", "ready") else NOT_DONE


def export(site: Crosstable, asked: Arguments) -> int:
    progress = Progress(f"Writing {asked.file}")
    if asked.board:
        made = site.export_board(asked.board, asked.file, q=asked.search)
    else:
        source = {name: getattr(asked, name) for name in ("leaderboard", "job", "report", "runs", "questions")}
        made = site.export(asked.file, heard=lambda so_far: progress.show(so_far, None, size(so_far)), **source)
    progress.end()
    return _say(asked, {"file": str(made), "bytes": made.stat().st_size}, lambda found: found["file"])


def _say(asked: Arguments, found: Any, drawn: Callable[[Any], str]) -> int:
    print(json.dumps(found, indent=1, ensure_ascii=False) if asked.format == "json" else drawn(found))
    return 0


# --- what can be typed ------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crosstable", description="Evaluation jobs, boards and comparisons.")
    parser.add_argument("--url", default="", help="address of the site; or CROSSTABLE_URL")
    parser.add_argument("--token", default="", help="better in CROSSTABLE_TOKEN, where other people do not see it")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "login", login, "store address and token")
    _add_jobs(commands)
    _add_reading(commands)
    _add_files(commands)
    return parser


def _command(commands: Any, name: str, run: Callable[..., int], help_: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=help_, description=help_)
    made.add_argument("--format", choices=["table", "json"], default="table")
    made.set_defaults(run=run, command=name)
    return made


def _add_jobs(commands: Any) -> None:
    made = _command(commands, "submit", submit, "submit a job: entries x schemes on a suite or on benchmarks")
    made.add_argument("--team", required=True)
    made.add_argument("--entry", required=True, action="append", help="team/name or team/name:version; repeatable")
    made.add_argument("--scheme", action="append", help="bf16 if left out; repeatable")
    on = made.add_mutually_exclusive_group(required=True)
    on.add_argument("--suite", default="", help="team/name")
    on.add_argument("--benchmark", action="append", help="team/name; repeatable")
    made.add_argument("--title", default="")
    for name, kind in {"seed": int, "limit": int, "batch-size": int, "attempts": int, "temperature": float}.items():
        made.add_argument(f"--{name}", type=kind)
    made.add_argument("--priority", type=int)
    made.add_argument("--key", default="", help="the same key and job make one job, however often they are sent")
    made.add_argument("--dry-run", action="store_true", help="say what it would take, and submit nothing")
    made.add_argument("--watch", action="store_true", help="wait for its end")
    made.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between looks")
    for name, run, help_ in (
        ("watch", watch, "show a job's progress until it ends"),
        ("cancel", cancel, "cancel a job; finished samples are kept"),
        ("retry", retry, "queue again what failed or was cancelled"),
    ):
        about = _command(commands, name, run, help_)
        about.add_argument("job", type=int)
        about.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between looks")
    listed = _command(commands, "jobs", jobs, "list jobs, newest first")
    listed.add_argument("--state", default="", choices=["", "queued", "running", "done", "failed", "cancelled"])
    listed.add_argument("--most", type=int, default=20)


def _add_reading(commands: Any) -> None:
    made = _command(commands, "board", board, "show a leaderboard")
    made.add_argument("board", help="team/name")
    made.add_argument("--search", default="", help="as on its page: words, @score:>60")
    made.add_argument("--sort", default="")
    made = _command(commands, "compare", compare, "compare 2 to 6 contenders on the same samples")
    made.add_argument("contender", nargs="+", help="entry@scheme")
    on = made.add_mutually_exclusive_group(required=True)
    on.add_argument("--suite", default="", help="team/name")
    on.add_argument("--benchmark", default="", help="team/name or team/name:version")
    made.add_argument("--baseline", default="")
    made.add_argument("--margin", type=float, help="points within which means count as equal")


def _add_files(commands: Any) -> None:
    made = _command(commands, "import", import_, "bring in results: a folder of lm-eval, an Inspect log, CSV, ...")
    made.add_argument("path")
    made.add_argument("--team", required=True)
    made.add_argument("--kind", default="", help="the format, where the name does not tell it")
    made.add_argument("--visibility", default="team", choices=["private", "team", "public"])
    made.add_argument("--preview", action="store_true", help="read it and say what it would make")
    made.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="between looks")
    made = _command(commands, "export", export, "write scores, or a board, into a .csv, .jsonl or .parquet file")
    made.add_argument("file")
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--leaderboard", metavar="TEAM/NAME", help="the scores behind a board")
    source.add_argument("--job", type=int, help="the scores of a job")
    source.add_argument("--report", type=int, help="the scores that went into a report")
    source.add_argument("--runs", help="the scores of runs: ids with commas")
    source.add_argument("--board", metavar="TEAM/NAME", help="a board itself: places and means")
    made.add_argument("--questions", choices=["once", "every", "none"], default="once", help="prompts and targets")
    made.add_argument("--search", default="", help="with --board: as on its page")
