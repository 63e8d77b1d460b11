"""The five steps on the home page: in the demo a look at what is there, elsewhere the way from nothing to a board.

Steps tick themselves. What is done by looking is noted when its page has been opened, once in a session; what is done
by working is read from what there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from webapp.accounts.models import User
from webapp.catalog.selectors import entries, suites
from webapp.errors import DomainError
from webapp.jobs import selectors as jobs
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import leaderboards
from webapp.pages.models import FirstSteps

SESSION = "steps seen"
# Address -> the step that is done by opening it.
LOOKED_AT = {
    "leaderboards:leaderboard": "board",
    "results:sample": "cell",
    "results:compare": "compare",
    "results:compare_sample": "compare",
    "results:report": "report",
    "leaderboards:tournament": "report",
}
KEYS = frozenset(LOOKED_AT.values())


@dataclass(frozen=True)
class Step:
    title: str
    text: str
    url: str
    done: bool


@dataclass(frozen=True)
class Walk:
    """steps: empty once all are done. hidden: the person has put them away."""

    steps: Sequence[Step]
    hidden: bool

    @property
    def done(self) -> int:
        return sum(step.done for step in self.steps)


def walk(user: User) -> Walk:
    known = FirstSteps.objects.filter(user=user).first() or FirstSteps(user=user)
    board = leaderboards(user).first()
    finished = jobs.newest_finished(user)
    steps = _looks(user, known, board, finished) if settings.DEMO else _works(user, known, board, finished)
    return Walk([] if all(step.done for step in steps) else steps, known.hidden)


def looked_at(request: HttpRequest, view_name: str) -> str:
    """The step that this page ticks and that was not noted in this session yet; else empty."""
    step = LOOKED_AT.get(view_name, "")
    if view_name == "results:compare" and "contenders" not in request.GET:
        return ""
    noted = not step or not request.user.is_authenticated or step in request.session.get(SESSION, [])
    return "" if noted else step


@transaction.atomic
def note(*, user: User, step: str) -> None:
    """The page of a step has been opened. Safe to call twice."""
    if step not in KEYS:
        raise DomainError("There is no such step.", status=404)
    FirstSteps.objects.get_or_create(user=user)
    known = FirstSteps.objects.select_for_update().get(user=user)
    if step not in known.seen:
        known.seen = sorted({*known.seen, step})
        known.save(update_fields=["seen"])


def hide(*, user: User, hidden: bool) -> None:
    FirstSteps.objects.update_or_create(user=user, defaults={"hidden": hidden})


def _looks(user: User, known: FirstSteps, board: Leaderboard | None, finished: int | None) -> list[Step]:
    """The demo's: its entries, benchmarks and first job are there already."""
    about = _address(board)
    suite = f"?suite={board.suite_id}" if board else ""
    return [
        Step("Open the board", "Ranks admit ties, intervals stand beside scores, and cells fill while runs finish. "
             "Press a “?” to learn what a number means.", about, "board" in known.seen),
        Step("Open a cell", "Read the prompt, the raw output and the extracted answer of every single sample.",
             _samples(finished) or about, "cell" in known.seen),
        Step("Compare contenders", "Two on the same samples: how much better, how sure, and where they differ.",
             reverse("results:compare") + suite, "compare" in known.seen),
        Step("Submit a job of your own", "Run an entry under a scheme such as bf16 and watch its cells fill.",
             reverse("jobs:submit_job") + suite, jobs.jobs(user).filter(created_by=user).count() > 1),
        Step("Read a report", "A tournament, what a correct answer costs, or who flips at equal accuracy.",
             reverse("leaderboards:tournament", args=[board.team.name, board.name]) if board
             else reverse("results:reports"), "report" in known.seen),
    ]  # fmt: skip


def _works(user: User, known: FirstSteps, board: Leaderboard | None, finished: int | None) -> list[Step]:
    return [
        Step("Register an entry", "A language model: a folder of weights, a hub repository at a commit, an endpoint.",
             reverse("catalog:register_entry"), entries(user).exists()),
        Step("Choose benchmarks", "Upload questions as JSON lines or name a task of the harness, and put them in a "
             "suite.", reverse("catalog:create_suite"), suites(user).exists()),
        Step("Submit a job", "Entries under schemes such as bf16, on a suite. You see first what it takes.",
             reverse("jobs:submit_job"), jobs.jobs(user).exists()),
        Step("Watch the board", "Cells fill while the workers score samples. Nothing needs a reload.",
             _address(board), bool(board and finished)),
        Step("Open a cell", "Read the prompt, the raw output and the extracted answer of every single sample.",
             _samples(finished) or (_address(board) if board else reverse("jobs:jobs")), "cell" in known.seen),
    ]  # fmt: skip


def _address(board: Leaderboard | None) -> str:
    if board is None:
        return reverse("leaderboards:create_leaderboard")
    return reverse("leaderboards:leaderboard", args=[board.team.name, board.name])


def _samples(finished: int | None) -> str:
    return reverse("results:samples", args=[finished]) if finished else ""
