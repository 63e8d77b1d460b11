"""`manage.py demo`: a team with three small entries, five benchmarks, a suite, a public board and a first job.

Idempotent: what is there stays as it is. Scores are no canned numbers: the job is run by the real workers. Prices and
release dates are invented, and say so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.services import create_team
from webapp.catalog.calibration import create_calibration_set, texts_of
from webapp.catalog.expert_costs import PAPER
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Source, Suite
from webapp.catalog.prices import PriceRequest, add_price, set_expert_cost
from webapp.catalog.services import contender, create_benchmark, create_suite, register_entry
from webapp.catalog.sources import SourceRequest
from webapp.jobs.services import JobRequest, submit_job
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.services import create_leaderboard

FOLDER = settings.BASE_DIR / "deploy/demo"
PUBLIC = Visibility.PUBLIC
INVENTED = "invented for the demo"


@dataclass(frozen=True)
class DemoEntry:
    """An entry of the demo; its release and its price (US dollars per million tokens) are plainly invented."""

    title: str
    description: str
    tags: tuple[str, ...]
    released_on: date
    input_usd: str
    output_usd: str


ENTRIES = {
    "tiny-xs": DemoEntry(
        title="Tiny XS",
        description="40 thousand parameters: it learned the patterns that come often.",
        tags=("demo", "lightweight"),
        released_on=date(2026, 2, 16),
        input_usd="0.10",
        output_usd="0.30",
    ),
    "tiny-s": DemoEntry(
        title="Tiny S",
        description="132 thousand parameters.",
        tags=("demo", "lightweight"),
        released_on=date(2026, 5, 11),
        input_usd="0.30",
        output_usd="0.90",
    ),
    "tiny-m": DemoEntry(
        title="Tiny M",
        description="398 thousand parameters: the largest of the three.",
        tags=("demo", "large"),
        released_on=date(2026, 9, 7),
        input_usd="1.00",
        output_usd="3.00",
    ),
}
# US dollars that a person who knows this world would cost per sample.
EXPERTS = {
    "additions": ("0.02", f"{PAPER} for two-digit addition"),
    "written-additions": ("0.02", f"{PAPER} for two-digit addition"),
    "facts": ("0.10", INVENTED),
    "series": ("0.30", INVENTED),
    "sorting": ("0.05", INVENTED),
}
SCHEMES = ("fp32", "bf16")


class Command(BaseCommand):
    help = "Make the demo team with entries, benchmarks, a suite, a board and a first job, unless they are there."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        # Whoever deletes the demo's team does not want it back at the next start.
        if Team.objects.filter(name="demo").exists() or User.objects.filter(username="demo").exists():
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
        _calibration(user, team, suite)
        entries = [_entry(user, team, name, about) for name, about in ENTRIES.items()]
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
        version = create_benchmark(
            actor=user,
            team=team,
            name=name,
            title=about["title"],
            visibility=PUBLIC,
            definition=about["definition"],
            lines=lines,
        )
    usd, source = EXPERTS[name]
    set_expert_cost(actor=user, benchmark=version.benchmark, usd=Decimal(usd), source=source)
    return version


def _entry(user: User, team: Team, name: str, about: DemoEntry) -> EntryVersion:
    source = SourceRequest(source=Source.DIRECTORY, location=str((FOLDER / "checkpoints" / name).resolve()))
    version = register_entry(
        actor=user,
        team=team,
        name=name,
        title=about.title,
        description=about.description,
        tags=about.tags,
        released_on=about.released_on,
        visibility=PUBLIC,
        source=source,
    )
    price = PriceRequest(
        source=INVENTED,
        valid_from=about.released_on,
        input_usd=Decimal(about.input_usd),
        output_usd=Decimal(about.output_usd),
    )
    add_price(actor=user, entry=version.entry, request=price)
    return version


def _calibration(user: User, team: Team, suite: Suite) -> None:
    """Stories of the same world that hold no question of its benchmarks (deploy/demo/calibration.py)."""
    with Path(FOLDER / "calibration.jsonl").open("rb") as lines:
        texts = texts_of(lines)
    create_calibration_set(
        actor=user,
        team=team,
        name="small-world-stories",
        title="Stories of the small world",
        suite=suite,
        texts=texts,
        visibility=PUBLIC,
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
