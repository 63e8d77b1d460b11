"""A team at work: what every page has something to show of."""

from __future__ import annotations

import pytest

from webapp.accounts.invitations import invite
from webapp.accounts.models import User
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs.models import Job
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories
from webapp.tests.permission_world import bodies, people, world  # noqa: F401 - fixtures

ENTRY, BENCHMARK, BOARD = ("lab", "small"), ("lab", "sums"), ("lab", "main")


@pytest.fixture
def addresses(
    job: Job, board: Leaderboard, entry: EntryVersion, benchmark: BenchmarkVersion, alice: User
) -> dict[str, tuple[object, ...]]:
    """What each URL name needs; the board shows four finished runs, and the run has its samples."""
    factories.worker()
    runs = [factories.finish([True, False, True, True]) for _ in range(4)]
    factories.refresh(board)
    run, report = runs[0].pk, factories.report(alice, board).pk
    flips = factories.report(alice, board, "multiplicity", epsilon=0.5).pk
    search = factories.search(alice, board.team, board.suite, entry).pk
    review = factories.review(alice, factories.person("reviewer"), board, [one.pk for one in runs]).pk
    release = factories.release(alice, board, visibility="public").pk
    imported = factories.imported(alice, board.team).pk
    removal = factories.removal(alice, board.team).pk
    return {
        "imports:import": (imported,),
        "imports:import_state": (imported,),
        "removals:delete_entry": ENTRY,
        "removals:delete_team": ("lab",),
        "removals:removal": (removal,),
        "removals:removal_state": (removal,),
        "releases:release": (release,),
        "releases:embed": (release,),
        "releases:board_releases": BOARD,
        "releases:as_of": BOARD,
        "pages:guide": ("boards",),
        "accounts:team": ("lab",),
        "accounts:audit": ("lab",),
        "accounts:new_password": ("MQ", "set-password"),
        "notices:webhooks": ("lab",),
        "notices:webhook": ("lab", factories.webhook(alice, board.team).pk),
        "accounts:join": (invite(actor=alice, team=board.team, role="viewer", days=1, uses=1)[1],),
        "catalog:entry": ENTRY,
        "catalog:add_entry_version": ENTRY,
        "catalog:describe_entry": ENTRY,
        "catalog:add_price": ENTRY,
        "catalog:price_list": ENTRY,
        "catalog:benchmark": BENCHMARK,
        "catalog:add_benchmark_version": BENCHMARK,
        "catalog:suite": ("lab", "basics"),
        "jobs:job": (job.pk,),
        "searches:search": (search,),
        "searches:search_progress": (search,),
        "jobs:job_progress": (job.pk,),
        "jobs:run": (run,),
        "jobs:entry_runs": ENTRY,
        "results:entry_efficiency": ENTRY,
        "jobs:team_spending": ("lab",),
        "results:job_curves": (job.pk,),
        "results:run_curve": (run,),
        "results:samples": (run,),
        "results:attempts": (run,),
        "results:sample": (run, 2),
        "results:compare_sample": (runs[0].version_id, 2),
        "results:report": (report,),
        "results:report_result": (report,),
        "results:report_efficiency": (report,),
        "results:report_samples": (flips,),
        "results:report_sample": (flips, 1),
        "reviews:review": (review,),
        "reviews:sample_comments": (runs[0].version_id, 2),
        "reviews:review_state": (review,),
        "reviews:sign_off": (review,),
        "leaderboards:leaderboard": BOARD,
        "leaderboards:standings": BOARD,
        "leaderboards:tournament": BOARD,
        "leaderboards:tournament_result": BOARD,
        "leaderboards:change_leaderboard": BOARD,
    }
