"""Every page answers in few queries, whatever it shows: session and user included."""

from __future__ import annotations

from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from webapp.tests.test_templates import FOR_OPERATORS

BUDGETS = {
    "pages:home": 16,
    "pages:help": 2,
    "pages:guide": 2,
    "pages:design": 2,
    "pages:workers": 7,
    "accounts:profile": 5,
    "accounts:change_password": 3,
    "accounts:create_team": 3,
    "accounts:team": 7,
    "accounts:join": 5,
    "accounts:audit": 6,
    "accounts:new_password": 3,
    "notices:notices": 7,
    "notices:unread_count": 3,
    "notices:preferences": 3,
    "notices:forgot_password": 2,
    "notices:webhooks": 6,
    "notices:webhook": 7,
    "catalog:entries": 7,
    "catalog:entry": 9,
    "catalog:register_entry": 6,
    "catalog:add_entry_version": 7,
    "catalog:describe_entry": 7,
    "catalog:add_price": 7,
    "catalog:price_list": 7,
    "catalog:benchmarks": 7,
    "catalog:benchmark": 9,
    "catalog:create_benchmark": 5,
    "catalog:add_benchmark_version": 7,
    "catalog:suites": 7,
    "catalog:suite": 7,
    "catalog:create_suite": 8,
    "catalog:calibration_sets": 6,
    "catalog:create_calibration_set": 8,
    "jobs:jobs": 9,
    "jobs:job": 12,
    "jobs:job_progress": 11,
    "jobs:submit_job": 13,
    "jobs:run": 12,
    "searches:searches": 5,
    "searches:submit_search": 11,
    "searches:search": 16,
    "searches:search_progress": 12,
    "jobs:entry_runs": 6,
    "results:entry_efficiency": 7,
    "jobs:team_spending": 5,
    "results:job_curves": 7,
    "results:run_curve": 6,
    "results:attempts": 6,
    "results:samples": 9,
    "results:sample": 10,
    "results:compare": 5,
    "results:compare_sample": 11,
    "results:reports": 6,
    "results:request_report": 6,
    "results:linear_audit": 8,
    "results:runtime": 6,
    "results:report": 7,
    "results:report_result": 5,
    "results:report_samples": 4,
    "results:report_sample": 11,
    "results:report_efficiency": 9,
    "reviews:reviews": 8,
    "reviews:inbox_count": 5,
    "reviews:request_review": 3,
    "reviews:review": 22,
    "reviews:review_state": 16,
    "reviews:sign_off": 12,
    "reviews:sample_comments": 7,
    "releases:releases": 6,
    "releases:release": 8,
    "releases:board_releases": 11,
    "releases:as_of": 16,
    "releases:embed": 4,
    "imports:imports": 7,
    "imports:new_import": 6,
    "imports:import": 8,
    "imports:import_state": 7,
    "removals:delete_entry": 20,
    "removals:delete_team": 20,
    "removals:delete_account": 20,
    "removals:removal": 4,
    "removals:removal_state": 4,
    "leaderboards:leaderboards": 6,
    "leaderboards:leaderboard": 12,
    "leaderboards:standings": 10,
    "leaderboards:tournament": 6,
    "leaderboards:tournament_result": 5,
    "leaderboards:create_leaderboard": 8,
    "leaderboards:change_leaderboard": 5,
    "operations:disk_usage": 19,
}


def test_pages_stay_within_their_budgets(client, alice, addresses):
    """All in one world, which takes longer to make than the pages to answer."""
    client.force_login(alice)
    beyond = []
    for name, budget in BUDGETS.items():
        alice.is_staff = name in FOR_OPERATORS
        alice.save()
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            response = client.get(reverse(name, args=addresses.get(name, ())))
        assert response.status_code == 200, name
        if len(queries) > budget:
            told = "\n  ".join(str(query["sql"])[:160] for query in queries)
            beyond.append(f"{name} asks {len(queries)} times, not {budget}:\n  {told}")
    assert not beyond, "\n".join(beyond)
