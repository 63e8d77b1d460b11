"""A small world for tests, made through the same services as the real one."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from evaluation.protocol import DECODE, LOCAL, PREFILL, USUAL, Efficiency, Pace, Spread
from evaluation.records import Attempt
from webapp.accounts import services as accounts
from webapp.accounts.models import Role, Team, User, Visibility
from webapp.accounts.selectors import May, may
from webapp.bells import Bell
from webapp.catalog import prices
from webapp.catalog import services as catalog
from webapp.catalog.calibration import create_calibration_set
from webapp.catalog.models import (
    BenchmarkVersion,
    CalibrationSet,
    Contender,
    EntryVersion,
    ModelEntry,
    Price,
    Source,
    Suite,
)
from webapp.catalog.sources import SourceRequest
from webapp.imports import services as imports
from webapp.imports import work
from webapp.imports.models import Import
from webapp.jobs import leases
from webapp.jobs import services as jobs
from webapp.jobs.leases import Lease
from webapp.jobs.models import Job, Run
from webapp.jobs.services import JobRequest
from webapp.leaderboards import services as leaderboards
from webapp.leaderboards.models import Leaderboard, SavedView
from webapp.leaderboards.saved_views import save_view
from webapp.notices import webhooks
from webapp.notices.models import Event, Kind, Notice, Webhook
from webapp.notices.services import News, notify
from webapp.releases import services as releases
from webapp.releases.models import Release
from webapp.removals.models import Removal
from webapp.results import measurements
from webapp.results.models import Measurement, Report
from webapp.results.reports import compute_report
from webapp.results.services import finish_run, record_scores
from webapp.reviews import sample_comments
from webapp.reviews import services as reviews
from webapp.reviews.models import Review, SampleComment
from webapp.reviews.subjects import Remark, Subject
from webapp.searches.models import Search
from webapp.searches.services import SearchRequest, submit_search

PASSWORD = "a long and quiet walk"
EVENTS = tuple(Event.values)
SCHEMES = ["fp32", "bf16", "served"]
CHOICE = {"kind": "multiple_choice", "prompt": "Q: {{ question }}\nA:"}
TEXT = {"kind": "generation", "prompt": "Q: {{ question }}\nA:", "stop": ["\n"], "max_tokens": 8}


def person(username: str) -> User:
    return accounts.sign_up(username=username, email=f"{username}@example.org", password=PASSWORD)


def checkpoint(folder: Path, *, width: int = 2) -> Path:
    """A folder with the files of a checkpoint: a valid safetensors header over `width` zeros, no knowledge."""
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"weight": {"dtype": "F32", "shape": [width], "data_offsets": [0, 4 * width]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * width))
    (folder / "config.json").write_text(json.dumps({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}))
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "width": width}))
    return folder


def entry(actor: User, team: Team, name: str, folder: Path, **fields: Any) -> EntryVersion:
    source = SourceRequest(Source.DIRECTORY, str(folder))
    return catalog.register_entry(actor=actor, team=team, name=name, source=source, **fields)


def many_entries(
    actor: User, team: Team, names: Iterable[str], *, below: Path = Path("/"), **fields: Any
) -> list[EntryVersion]:
    """Of folders that are not there: registering reads the files of each."""
    owned = {"team": team, "created_by": actor, **fields}
    entries = ModelEntry.objects.bulk_create(ModelEntry(name=name, **owned) for name in names)
    made = {"source": Source.DIRECTORY, "number": 1, "created_by": actor}
    return EntryVersion.objects.bulk_create(
        EntryVersion(entry=one, location=str(below / one.name), fingerprint=one.name, **made) for one in entries
    )


def price(actor: User, version: EntryVersion, **fields: Any) -> Price:
    """By the hour and since long ago, unless fields say otherwise."""
    by_tokens = "input_usd" in fields
    usual = {"source": "An invoice", "valid_from": date(2020, 1, 1), "hour_usd": None if by_tokens else Decimal(36)}
    request = prices.PriceRequest(**{**usual, **fields})
    return prices.add_price(actor=actor, entry=version.entry, request=request)


def calibration_set(actor: User, team: Team, name: str = "stories", **more: Any) -> CalibrationSet:
    return create_calibration_set(actor=actor, team=team, name=name, texts=["One text.", "Another one."], **more)


def documents(size: int) -> list[bytes]:
    """Sums with two choices; the right one is always the first."""
    return [
        json.dumps({"question": f"{i}+{i}", "choices": [str(2 * i), str(2 * i + 1)], "gold": 0}).encode()
        for i in range(size)
    ]


def texts(size: int) -> list[bytes]:
    return [json.dumps({"question": f"{i}+{i}", "answer": str(2 * i)}).encode() for i in range(size)]


def benchmark(
    actor: User, team: Team, name: str, size: int = 4, *, kind: str = "choice", **more: Any
) -> BenchmarkVersion:
    definition, lines = (CHOICE, documents(size)) if kind == "choice" else (TEXT, texts(size))
    return catalog.create_benchmark(actor=actor, team=team, name=name, definition=definition, lines=lines, **more)


def suite(actor: User, team: Team, name: str, versions: Sequence[BenchmarkVersion], **more: Any) -> Suite:
    return catalog.create_suite(actor=actor, team=team, name=name, versions=versions, **more)


def job(
    actor: User, team: Team, chosen: Suite, versions: Sequence[EntryVersion], scheme: str = "fp32", **more: Any
) -> Job:
    contenders = [catalog.contender(version=version, scheme=scheme) for version in versions]
    items = [item.version for item in chosen.items.select_related("version__benchmark")]
    request = JobRequest(contenders=contenders, versions=items, suite=chosen, **more)
    return jobs.submit_job(actor=actor, team=team, request=request)[0]


def board(actor: User, team: Team, name: str, chosen: Suite, *, order: str = "mean-score", **more: Any) -> Leaderboard:
    """Ordered by the mean score, which a reader of a test computes in the head."""
    named = {"name": name, "title": name.title(), "suite": chosen, "order": order}
    return leaderboards.create_leaderboard(actor=actor, team=team, **named, **more)


def public_board(actor: User, team: Team, name: str, chosen: Suite) -> Leaderboard:
    return board(actor, team, name, chosen, visibility=Visibility.PUBLIC)


def worker(name: str = "worker-1", *, schemes: Sequence[str] = tuple(SCHEMES)) -> str:
    """A worker that says it lives."""
    leases.worker_seen(name=name, host="host", device="cpu", schemes=schemes, environment={"torch": "2.13.0"})
    return name


def claim(name: str = "worker-1", *, schemes: Sequence[str] = tuple(SCHEMES)) -> Lease:
    """Take the next run of the queue, which must not be empty."""
    run = leases.claim(worker=name, schemes=schemes)
    assert run is not None, "no run is queued"
    lease = leases.lease_of(run)
    leases.start(lease=lease, total=run.version.samples or 4)
    return lease


def score(lease: Lease, rights: Sequence[bool], *, start: int = 0) -> None:
    """Store one attempt per flag: a right one chooses choice 0, a wrong one choice 1."""
    attempts = [
        Attempt(
            sample=start + at,
            score=float(right),
            answer=str(2 * (start + at) + (not right)),
            output=f" {2 * (start + at) + (not right)}",
            target=str(2 * (start + at)),
            choice=0 if right else 1,
            log_likelihoods=(-1.0, -2.5) if right else (-3.0, -0.5),
            tokens_in=12,
            tokens_out=1,
            seconds=0.01,
        )
        for at, right in enumerate(rights)
    ]
    record_scores(lease=lease, attempts=attempts, seconds=0.1 * len(attempts))


def pace(writing: float = 20.0, peak: int = 2_000_000, **more: Any) -> Efficiency:
    """What the fixed protocol might find: reading is ten times as fast as writing."""
    rates = {(PREFILL, 1): 10 * writing, (DECODE, 1): writing, (DECODE, 8): 5 * writing}
    paces = tuple(
        Pace(phase, batch, USUAL, Spread(rate, 0.9 * rate, 1.1 * rate, 5)) for (phase, batch), rate in rates.items()
    )
    first = Spread(9.6 / writing, 9 / writing, 10 / writing, 5)
    usual = {"to_first": first, "weights_bytes": peak // 2, "host_peak_bytes": peak, "load_seconds": 0.5}
    told = {"protocol": LOCAL, "kernel": "torch 2.13.0, float32, 2 threads", "emulated": False, "paces": paces}
    return Efficiency(**{**told, **usual, **more})


def measurement(contender: Contender, found: Efficiency | None = None, *, device: str = "a CPU") -> Measurement:
    """Made by an idle worker."""
    told = {"device": device, "versions": "v", "worker": "worker-1", "settings": {}}
    made = measurements.store(contender_id=contender.pk, found=found or pace(), **told)
    assert made is not None
    return made


def finish(rights: Sequence[bool]) -> Run:
    """Claim the next run and score all of it."""
    lease = claim()
    score(lease, rights)
    return finish_run(
        lease=lease, provenance={"harness": "lm-eval 0.4.13", "seed": 1234, "command": "lm_eval --model hf"}
    )


def search(actor: User, team: Team, chosen: Suite, version: EntryVersion, **more: Any) -> Search:
    """The mean of one contender from few random samples, asked for and not begun."""
    items = [item.version for item in chosen.items.select_related("version__benchmark")]
    one = catalog.contender(version=version, scheme="fp32")
    usual = {"goal": "estimate", "contenders": [one], "method": "random", "budget": 8, "suite": chosen}
    request = SearchRequest(**{**usual, "versions": items, **more})
    return submit_search(actor=actor, team=team, request=request)[0]


def refresh(chosen: Leaderboard) -> Leaderboard:
    """What the analysis worker does after a run landed."""
    for run in Run.objects.filter(version__in=chosen.suite.benchmarks.all(), team=chosen.team):
        leaderboards.run_landed(run=run)
    leaderboards.refresh(board_id=chosen.pk)
    chosen.refresh_from_db()
    return chosen


def notice(user: User, team: Team) -> Notice:
    """Somebody, who is not named, mentions the user."""
    return notify(news=News(Kind.MENTION, team, "Look at this, please.", "/jobs/"), to=[user])[0]


def webhook(actor: User, team: Team, url: str = "https://1.1.1.1/hook", events: Sequence[str] = EVENTS) -> Webhook:
    """Told of everything; a test waits to be sent."""
    made = webhooks.create_webhook(actor=actor, team=team, url=url, events=events)[0]
    webhooks.ping(actor=actor, webhook=made)
    return made


def saved_view(actor: User, chosen: Leaderboard, name: str = "By name") -> SavedView:
    return save_view(actor=actor, board=chosen, name=name, query="sort=name", shared=True)


def sample_comment(actor: User, team: Team, version: BenchmarkVersion, body: str = "Odd.") -> SampleComment:
    return sample_comments.comment(actor=actor, team=team, version=version, index=1, body=body)


def release(actor: User, chosen: Leaderboard, name: str = "first", **more: Any) -> Release:
    return releases.freeze(actor=actor, board=chosen, name=name, **more)


def report(actor: User, chosen: Leaderboard, analysis: str = "swiss", **parameters: Any) -> Report:
    """Asked for and computed, as the analysis worker does it."""
    asked = leaderboards.request_report(actor=actor, board=chosen, analysis=analysis, parameters=parameters)
    compute_report(report_id=asked.pk)
    asked.refresh_from_db()
    return asked


def review(author: User, reviewer: User, chosen: Leaderboard, runs: Sequence[int]) -> Review:
    """Asked for by one, approved by the other with a remark; the other becomes a reviewer of the team."""
    team = chosen.team
    if not may(reviewer, team, May.REVIEW):
        owner = team.memberships.filter(role=Role.OWNER).select_related("user").first()
        accounts.set_member(actor=owner.user, team=team, username=reviewer.username, role=Role.REVIEWER)
    subject = Subject(runs, leaderboard=chosen)
    made = reviews.request_review(actor=author, team=team, title="Ship it?", subject=subject, reviewers=[reviewer])
    reviews.submit_verdict(
        actor=reviewer,
        review=made,
        ruling="approve",
        seen_hash=made.subject_hash,
        body="Looked at it.",
        remarks=[Remark("Why is this wrong?", {"run": runs[0], "sample": 1})],
    )
    made.refresh_from_db()
    return made


def imported(actor: User, team: Team, scores: Sequence[float] = (1, 0, 1), *, look: bool = True) -> Import:
    """A table of one entry's scores on one benchmark, read, and unless somebody wants to look first, loaded."""
    rows = "".join(f"away,riddles,{at},{score},Riddle {at}?\n" for at, score in enumerate(scores))
    data = f"entry,benchmark,sample,score,prompt\n{rows}".encode()
    request = imports.ImportRequest(name="scores.csv", size=len(data), look=look)
    made, _ = imports.begin_import(actor=actor, team=team, request=request)
    imports.append_chunk(actor=actor, job=made, offset=0, data=data)
    imports.finish_upload(actor=actor, job=made)
    work.work_on(import_id=made.pk)
    made.refresh_from_db()
    return made


def removal(actor: User, team: Team) -> Removal:
    """Of an entry that was there once, and of which some rows are gone."""
    told = {"kind": "entry", "target": 0, "name": f"{team.name}/gone", "team": team, "created_by": actor}
    return Removal.objects.create(**told, expected={"runs": 4}, removed={"runs": 1})


def rung(callbacks: Sequence[Any]) -> list[Bell]:
    """The bells among what is to happen on commit (`django_capture_on_commit_callbacks`)."""
    firsts = [arguments[0] for one in callbacks if (arguments := getattr(one, "args", ()))]
    return [first for first in firsts if isinstance(first, Bell)]
