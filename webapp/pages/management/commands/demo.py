"""`manage.py demo`: a team with three small entries, five benchmarks, a suite, a public board and a first job.

Idempotent: what is there stays as it is. Nothing is a canned number; the job is run by the real workers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.services import create_team
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Source, Suite
from webapp.catalog.services import contender, create_benchmark, create_suite, register_entry
from webapp.catalog.sources import SourceRequest
from webapp.jobs.services import JobRequest, submit_job
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.services import create_leaderboard

FOLDER = settings.BASE_DIR / "deploy/demo"
PUBLIC = Visibility.PUBLIC
ENTRIES = {
    "tiny-xs": ("Tiny XS", "40 thousand parameters: it learned the patterns that come often."),
    "tiny-s": ("Tiny S", "132 thousand parameters."),
    "tiny-m": ("Tiny M", "398 thousand parameters: the largest of the three."),
}


SCHEMES = ("fp32", "bf16")


class Command(BaseCommand):
    help = "Make the demo team with entries, benchmarks, a suite, a board and a first job, unless they are there."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if Team.objects.filter(name="demo").exists():
            self.stdout.write("The demo is there.")
            return
        user = User(username="demo", email="demo@example.org")
        user.set_unusable_password()
        user.save()
        team = create_team(actor=user, name="demo", title="Demo team")
        versions = [_benchmark(user, team, name, about) for name, about in _definitions().items()]
        suite = create_suite(
            actor=user, team=team, name="small-world", title="Small world", versions=versions, visibility=PUBLIC
        )
        entries = [_entry(user, team, name, *about) for name, about in ENTRIES.items()]
        _board(user, team, suite)
        request = JobRequest(
            contenders=[contender(version=version, scheme=scheme) for version in entries for scheme in SCHEMES],
            versions=versions,
            suite=suite,
            title="First look at three small entries",
            visibility=PUBLIC,
        )
        submit_job(actor=user, team=team, request=request)
        self.stdout.write("The demo is made: 3 entries, 5 benchmarks, 30 runs in the queue.")


def _definitions() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "benchmarks/definitions.json").read_text())
    return found


def _benchmark(user: User, team: Team, name: str, about: dict[str, Any]) -> BenchmarkVersion:
    with Path(FOLDER / f"benchmarks/{name}.jsonl").open("rb") as lines:
        return create_benchmark(
            actor=user,
            team=team,
            name=name,
            title=about["title"],
            visibility=PUBLIC,
            definition=about["definition"],
            lines=lines,
        )


def _entry(user: User, team: Team, name: str, title: str, description: str) -> EntryVersion:
    source = SourceRequest(source=Source.DIRECTORY, location=str((FOLDER / "checkpoints" / name).resolve()))
    return register_entry(
        actor=user,
        team=team,
        name=name,
        title=title,
        description=description,
        tags=["demo"],
        visibility=PUBLIC,
        source=source,
    )


def _board(user: User, team: Team, suite: Suite) -> Leaderboard:
    return create_leaderboard(
        actor=user,
        team=team,
        name="small-world",
        title="Small world",
        description="Three small language models on a made-up world of sums, towns, series and sorting.",
        suite=suite,
        visibility=PUBLIC,
    )
