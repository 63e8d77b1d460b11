"""The expected answer of every route to everybody: "METHOD name" under the statuses of six kinds of people.

A read page needs no POST row: its POST must answer as its GET does. A route that only writes needs no GET row: its GET
must be refused with 405.
"""

from __future__ import annotations

PEOPLE = ("anonymous", "stranger", "viewer", "reviewer", "submitter", "owner")

STATUSES = {
    # anonymous, stranger, viewer, reviewer, submitter, owner
    "200 200 200 200 200 200": """
        GET results:compare
        GET pages:home  GET pages:help  GET pages:guide  GET pages:design  GET pages:setup
        GET operations:healthz  GET operations:readyz
        GET accounts:sign_up  GET accounts:new_password  GET notices:forgot_password
        GET catalog:entries  GET catalog:benchmarks  GET catalog:suites  GET catalog:calibration_sets
        GET api:calibration_sets
        GET leaderboards:leaderboards
        GET schema  GET docs
        GET api:schemes  GET api:analyses
        GET api:entries  GET api:benchmarks  GET api:suites  GET api:jobs  GET api:runs  GET api:leaderboards
        GET api:searches  GET api:reports  GET api:reviews  GET api:measurements
        GET releases:releases  GET api:releases
    """,
    # Signed-in people have no business at the door.
    "200 302 302 302 302 302": "GET accounts:sign_in  PUT accounts:sign_in",
    "302 204 204 204 204 204": "POST pages:see_step",
    "302 302 302 302 302 302": """
        POST pages:first_steps
        POST accounts:sign_in  POST accounts:sign_out  POST accounts:sign_up
        POST accounts:create_team  POST accounts:join
        POST notices:mark_read  POST notices:preferences
    """,
    # Without saying what to compare, or to export, there is nothing.
    "400 400 400 400 400 400": "GET api:compare  GET api:export_scores",
    "302 403 403 403 403 403": """
        GET accounts:admin_sign_in
        POST pages:pause_worker  POST pages:drain_worker  POST pages:resume_worker
        GET operations:disk_usage
    """,
    # Only in the demo, only from this machine; nothing to compare; frames on other sites show only what is public.
    "404 404 404 404 404 404": """
        GET operations:metrics
        POST accounts:demo_sign_in  GET results:compare_pairs  GET results:compare_export  GET releases:embed
    """,
    # Whatever belongs to the person, or to everybody who signed in.
    "302 200 200 200 200 200": """
        GET pages:workers  POST jobs:entry_choices
        GET accounts:profile  GET accounts:change_password  GET accounts:create_team  POST accounts:create_token
        GET accounts:join  GET removals:delete_account
        GET notices:notices  GET notices:unread_count  GET notices:preferences
        GET catalog:register_entry  GET catalog:create_benchmark  GET catalog:create_suite
        GET catalog:create_calibration_set
        GET jobs:jobs  GET jobs:submit_job  GET searches:searches  GET searches:submit_search
        GET results:reports  GET results:request_report  GET results:linear_audit  GET results:runtime
        GET reviews:reviews  GET reviews:inbox_count  GET reviews:request_review
        GET leaderboards:create_leaderboard
        GET imports:imports  GET imports:new_import
    """,
    "401 200 200 200 200 200": """
        GET api:imports  GET api:me  GET api:teams  GET api:tokens  GET api:workers  GET api:price_list
        GET api:notices  POST api:read_notices  GET api:notice_preferences  PATCH api:notice_preferences
        GET api:account_deletion
    """,
    "401 201 201 201 201 201": "POST api:teams  POST api:tokens",
    # Somebody's own token, or notice (the submitter's).
    "302 404 404 404 302 404": "POST accounts:revoke_token  GET notices:open_notice",
    "401 404 404 404 200 404": "POST api:read_notice",
    "401 404 404 404 204 404": "DELETE api:token",
    # What the team sees: to others it is not there.
    "404 404 200 200 200 200": """
        GET catalog:entry  GET catalog:benchmark  GET catalog:suite
        GET searches:search  GET searches:search_progress  GET api:search
        GET jobs:job  GET jobs:job_progress  GET jobs:run  GET jobs:entry_runs
        GET results:entry_efficiency  GET api:measurement
        GET results:attempts  GET results:samples  GET results:sample  GET results:compare_sample
        GET results:report  GET results:report_result
        GET results:job_curves  GET results:run_curve  GET api:job_curves  GET api:run_curve
        GET api:saved_views
        GET results:report_samples  GET results:report_sample  GET results:report_efficiency
        GET leaderboards:leaderboard  GET leaderboards:standings
        GET leaderboards:tournament  GET leaderboards:tournament_result
        GET api:entry  GET api:prices  GET api:benchmark  GET api:benchmark_samples  GET api:suite
        GET api:calibration_set
        GET api:job  GET api:job_runs  GET api:run  GET api:run_events  GET api:run_samples
        GET api:leaderboard  GET api:leaderboard_report  GET api:report
        GET reviews:review  GET reviews:review_state  GET reviews:sign_off  GET reviews:sign_off_json
        GET api:review  GET api:sign_off
        GET releases:release  GET releases:release_json  GET releases:release_csv  GET releases:badge
        GET releases:board_releases  GET api:release  GET api:export_board
    """,
    # It leads on.
    "404 404 302 302 302 302": "GET results:report_compare",
    "302 404 200 200 200 200": """
        GET accounts:team  GET accounts:audit  GET jobs:team_spending  GET releases:as_of
        GET reviews:sample_comments
        GET imports:import  GET imports:import_state
    """,
    "401 404 200 200 200 200": """
        GET api:team  GET api:members  GET api:audit_events  GET api:team_spending  GET api:leaderboard_as_of
        GET api:export_audit  GET api:sample_comments  GET api:import
    """,
    # What submitters and owners write. A form that names a team of others is refused on its field.
    "302 422 422 422 302 302": """
        POST catalog:register_entry  POST catalog:create_benchmark  POST catalog:create_suite
        POST catalog:create_calibration_set
        POST jobs:submit_job  POST results:linear_audit  POST searches:submit_search
        POST leaderboards:create_leaderboard  POST imports:new_import
    """,
    "302 422 422 422 200 200": "POST jobs:estimate_job  POST searches:estimate_search",
    "302 404 403 403 200 200": """
        POST reviews:remove_sample_comment
        GET catalog:add_entry_version  GET catalog:add_benchmark_version
        GET catalog:add_price  GET catalog:price_list  GET catalog:describe_entry
        GET leaderboards:change_leaderboard
    """,
    "302 404 403 403 302 302": """
        POST catalog:add_entry_version  POST catalog:add_benchmark_version
        POST catalog:add_price  POST catalog:price_list  POST catalog:describe_entry  POST catalog:set_expert_cost
        POST searches:stop_search  POST jobs:cancel_job  POST jobs:retry_job  POST results:measure
        POST results:request_report
        POST leaderboards:change_leaderboard  POST leaderboards:delete_view
        POST imports:load_import  POST imports:cancel_import
        POST reviews:freeze_again  POST reviews:withdraw_review  POST reviews:send_review
    """,
    # Whoever sees a board may keep a view of it for themselves.
    "302 404 302 302 302 302": "POST leaderboards:save_view",
    "401 404 201 201 201 201": "POST api:saved_views",
    "401 400 403 403 201 201": """
        POST api:entries  POST api:benchmarks  POST api:suites  POST api:calibration_sets
        POST api:leaderboards  POST api:reviews  POST api:releases  POST api:imports
    """,
    # The same page reads and, sent its form, asks for a report.
    "404 404 403 403 302 302": "POST leaderboards:tournament  POST results:report  POST releases:board_releases",
    "401 400 403 403 202 202": """
        POST api:jobs  POST api:reports  POST api:linear_audits  POST api:searches  POST api:measurements
    """,
    "401 404 403 403 202 202": "POST api:finish_import  POST api:load_import",
    # JSON is no piece of a file.
    "401 404 403 403 415 415": "PATCH api:import",
    "401 404 403 403 201 201": "POST api:entry_versions  POST api:benchmark_versions  POST api:prices",
    "401 404 403 403 200 200": """
        POST api:stop_search  POST api:cancel_job  POST api:retry_job  PATCH api:leaderboard
        POST api:freeze_review  POST api:withdraw_review
        POST api:cancel_import
        PATCH api:entry  POST api:take_over_prices  PUT api:expert_cost
    """,
    # Reviews. The submitter asked for this one, and therefore does not rule on it; the reviewer approved it.
    "404 404 403 302 422 302": "POST reviews:review",
    "302 404 403 302 302 302": "POST reviews:answer_comment  POST reviews:resolve_comment",
    "401 404 403 201 403 201": "POST api:verdicts",
    "401 404 403 201 201 201": "POST api:comments  POST api:sample_comments",
    "302 404 422 200 200 200": "POST reviews:sample_comments",
    "401 404 403 403 204 204": "DELETE api:sample_comment  DELETE api:saved_view",
    "401 404 403 200 200 200": "POST api:resolve_comment",
    "401 404 403 403 409 409": "POST api:send_review",
    # What operators of the platform decide, who are nobody here: an owner is not one.
    "302 404 403 403 403 403": "POST accounts:set_running_limit  POST accounts:password_link",
    "401 404 403 403 403 403": "PUT api:running_limit",
    "401 403 403 403 403 403": """
        POST api:pause_worker  POST api:drain_worker  POST api:resume_worker  GET api:disk_usage
    """,
    # What owners decide. The member in question is the reviewer, who may leave.
    "302 404 403 403 403 302": """
        POST accounts:set_member  POST accounts:set_spending_limit  POST accounts:revoke_invitation
        POST catalog:withdraw_price  POST results:price_job
        POST reviews:publish_review  POST reviews:dismiss_verdict
        POST releases:withdraw_release  POST releases:show_release
        POST notices:webhook  POST notices:ping_webhook  POST notices:replay_delivery  POST notices:delete_webhook
    """,
    "302 404 403 403 403 200": """
        POST accounts:invite  GET notices:webhooks  GET notices:webhook  POST notices:renew_secret
        GET removals:delete_entry  GET removals:delete_team
    """,
    # Deleting: results that are signed off, and a search under way, stand in the way of entry and team; nobody is
    # called what is typed; and there is nothing that other teams use.
    "302 404 403 403 403 422": "POST removals:delete_entry  POST removals:delete_team  POST removals:hand_over",
    "302 422 422 422 422 422": "POST removals:delete_account",
    "401 404 403 403 403 409": "POST api:entry_deletion  POST api:team_deletion",
    "401 404 403 403 403 422": "POST api:hand_over",
    "401 422 422 422 422 422": "POST api:account_deletion",
    # One that the owner began.
    "302 404 404 404 404 200": "GET removals:removal  GET removals:removal_state",
    "401 404 404 404 404 200": "GET api:removal",
    "302 404 403 302 403 302": "POST accounts:remove_member",
    "401 404 403 403 403 200": """
        PUT api:member  PUT api:spending_limit  POST api:withdraw_price  POST api:price_job
        POST api:publish_review  POST api:dismiss_verdict
        PATCH api:release  POST api:withdraw_release  GET api:invitations
        GET api:entry_deletion  GET api:team_deletion
        GET api:webhooks  GET api:webhook  PATCH api:webhook  POST api:webhook_secret  GET api:deliveries
    """,
    "401 404 403 403 403 201": "POST api:webhooks  POST api:invitations",
    "401 404 403 403 403 202": "POST api:ping_webhook  POST api:replay_delivery",
    "401 404 403 403 403 204": "DELETE api:webhook  DELETE api:invitation",
    "401 404 403 204 403 204": "DELETE api:member",
}


def table() -> dict[tuple[str, str], dict[str, int]]:
    """(method, name of the route) -> status by kind of person."""
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for statuses, text in STATUSES.items():
        words = iter(text.split())
        for key in zip(words, words, strict=True):
            if key in rows:
                raise ValueError(f"{key} is in the table twice")
            rows[key] = dict(zip(PEOPLE, map(int, statuses.split()), strict=True))
    return rows
