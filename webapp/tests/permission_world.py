"""What the permission table is asked about: six people, one of each thing, and a valid body for each route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from webapp.accounts import services as accounts
from webapp.accounts.invitations import invite
from webapp.accounts.models import Team, Token, User
from webapp.catalog import services as catalog
from webapp.catalog.models import Benchmark, BenchmarkVersion, CalibrationSet, EntryVersion, ModelEntry, Suite
from webapp.jobs.models import Job, Run, Worker
from webapp.leaderboards.models import Leaderboard
from webapp.releases.models import Release
from webapp.results.models import Report
from webapp.reviews.models import Review
from webapp.searches.models import Search
from webapp.tests import factories
from webapp.tests.permission_table import PEOPLE

AUDIT = {"label": "y", "epsilon": "0.01", "epsilon_kind": "absolute", "delta": "0.1", "ridge": "0", "search": "0"}
TABLE_OF_FEATURES = "x,y\n1,0\n2,1\n3,0\n4,1\n"
AGAIN = {"eliminate": "0", "iterations": 100, "seed": 1, "missing": "strict", "round_score": "raw", "orders": 0}
FLIPS = {"epsilon": 0.1, "delta": 0.2, "metric": "accuracy"}
PRICE = {"hour_usd": "0.40", "valid_from": "2026-01-01", "source": "An invoice"}
LISTING = {"provider": "openai", "model": "gpt-4o"}
OWNED = (ModelEntry, Benchmark, Suite, CalibrationSet, Job, Run, Report, Leaderboard, Review, Release, Search)


@pytest.fixture
def people(charlie: User, vera: User, rita: User, bob: User, alice: User) -> dict[str, User | None]:
    return dict(zip(PEOPLE, (None, charlie, vera, rita, bob, alice), strict=True))


@pytest.fixture
def world(
    people: dict[str, User | None],
    job: Job,
    board: Leaderboard,
    entry: EntryVersion,
    team: Team,
    tmp_path: Path,
    bob: User,
    settings: Any,
) -> dict[str, dict[str, Any]]:
    """What each address needs, by the first word of its path; the submitter made all of it."""
    factories.checkpoint(tmp_path / "fresh", width=11)
    run, _ = (factories.finish([True, False, True, True]) for _ in range(2))
    factories.refresh(board)
    report = factories.report(bob, board, "multiplicity")
    invitation, secret = invite(actor=team.memberships.get(role="owner").user, team=team, role="viewer", days=1, uses=9)
    reviewer: Any = people["reviewer"]
    review = factories.review(bob, reviewer, board, [run.pk])
    for model in OWNED:
        model._default_manager.update(created_by=bob)
    webhook = factories.webhook(team.memberships.get(role="owner").user, team)
    hook = {"webhook": webhook.pk, "delivery": webhook.deliveries.get().pk}
    for user in filter(None, people.values()):
        accounts.create_token(actor=user, name="ci", scopes=["read"], days=1)
    return {
        "entries": {"team": "lab", "name": "small", "pk": factories.price(bob, entry).pk},
        "benchmarks": {"team": "lab", "name": "sums", "number": 1},
        "suites": {"team": "lab", "name": "basics"},
        "calibration-sets": {"pk": factories.calibration_set(bob, team).pk},
        "compare": {"version": run.version_id, "index": 1},
        "contenders": {"pk": run.contender_id},
        "measurements": {"pk": factories.measurement(run.contender).pk},
        "boards": {"team": "lab", "name": "main", "pk": factories.saved_view(bob, board).pk},
        "leaderboards": {"team": "lab", "name": "main", "kind": "csv", "pk": factories.saved_view(bob, board).pk},
        "exports": {"kind": "csv"},
        "jobs": {"pk": job.pk},
        "imports": {"pk": factories.imported(bob, team).pk},
        "searches": {"pk": factories.search(bob, team, board.suite, entry).pk},
        "runs": {"pk": run.pk, "index": 1},
        "reports": {"pk": report.pk, "at": 1},
        "reviews": {"pk": review.pk, "verdict": review.verdicts.get().pk, "comment": review.comments.get().pk},
        "samples": {
            "version": run.version_id,
            "index": 1,
            "pk": factories.sample_comment(bob, team, run.version).pk,
        },
        "releases": {"pk": factories.release(bob, board).pk},
        "teams": {"name": "lab", "kind": "csv", "username": "rita", "pk": invitation.pk} | hook,
        "notices": {"pk": factories.notice(bob, team).pk},
        "removals": {"pk": factories.removal(team.memberships.get(role="owner").user, team).pk},
        "me": {},
        "new-password": {"uidb64": "MQ", "token": "set-password"},
        "join": {"secret": secret},
        "help": {"slug": "boards"},
        "first-steps": {"step": "board"},
        "workers": {"pk": Worker.objects.get(name=factories.worker()).pk},
        "tokens": {"pk": Token.objects.get(user=bob).pk},
        "profile": {"pk": Token.objects.get(user=bob).pk},
    }


@pytest.fixture
def bodies(
    world: dict[str, dict[str, Any]],
    team: Team,
    suite: Suite,
    entry: EntryVersion,
    benchmark: BenchmarkVersion,
    tmp_path: Path,
) -> dict[str, Any]:
    """What is sent to each route that writes: valid, so that only the person decides the answer."""
    first = catalog.contender(version=entry, scheme="fp32")
    source = {"source": "directory", "location": str(tmp_path / "fresh")}
    choice = {"kind": "multiple_choice", "prompt": "Q: {{ question }}\nA:"}
    documents = [{"question": "1", "choices": ["a", "b"], "gold": 0}]
    named = {"team": team.pk, "name": "fresh", "title": "Fresh", "visibility": "team"}
    questions = {"origin": "harness", "harness_task": "arc_easy", "kind": "multiple_choice"}
    job = {"suite": suite.pk, "entries": [entry.pk], "schemes": ["bf16"], "team": team.pk, "visibility": "team"}
    job |= {"seed": 1, "batch_size": 1, "repeat": 0, "priority": 0, "key": "k"}
    search = {"goal": "estimate", "method": "random", "budget": "8", "suite": suite.pk, "entries": [entry.pk]}
    search |= {"schemes": ["bf16"], "team": team.pk, "visibility": "team", "batch": 8, "seed": 1, "key": "k"}
    search |= {"exploration": 1, "floor": 0.2, "batch_size": 8}
    rest_search = {"goal": "estimate", "method": "random", "budget": 8, "suite": "lab/basics", "team": "lab"}
    rest_job = {"team": "lab", "entries": ["lab/small"], "schemes": ["bf16"], "suite": "lab/basics"}
    rest = {"team": "lab", "name": "fresh"}
    rule = {"ruling": "approve", "seen_hash": Review.objects.get().subject_hash}
    comment = world["reviews"]["comment"]
    return {
        "reviews:review": {**rule, "remarks-TOTAL_FORMS": 0, "remarks-INITIAL_FORMS": 0},
        "reviews:answer_comment": {"parent": comment, f"body-{comment}": "Because."},
        "reviews:resolve_comment": {"resolve": comment},
        "reviews:dismiss_verdict": {
            "verdict": world["reviews"]["verdict"],
            f"reason-{world['reviews']['verdict']}": ".",
        },
        "api:reviews": {"team": "lab", "title": "Ship it?", "runs": [world["runs"]["pk"]]},
        "api:verdicts": rule,
        "api:comments": {"body": "Why?"},
        "api:resolve_comment": {"resolved": True},
        "api:freeze_review": {},
        "api:withdraw_review": {},
        "api:publish_review": {},
        "reviews:sample_comments": {"team": team.pk, "body": "Why?"},
        "api:sample_comments": {"team": "lab", "body": "Why?"},
        "api:dismiss_verdict": {"reason": "She is away."},
        "releases:board_releases": {"name": "fresh", "visibility": "team"},
        "releases:withdraw_release": {"reason": "A mistake."},
        "releases:show_release": {"visibility": "team"},
        "api:invitations": {"role": "viewer"},
        "api:releases": {"leaderboard": "lab/main", "name": "fresh"},
        "api:release": {"visibility": "team"},
        "api:withdraw_release": {"reason": "A mistake."},
        "accounts:sign_in": {"username": "alice", "password": factories.PASSWORD},
        "accounts:sign_up": {"username": "new", "email": "new@example.org", "password": factories.PASSWORD},
        "removals:delete_entry": {"name": "small"},
        "removals:delete_team": {"name": "lab"},
        "removals:delete_account": {"name": "nobody", "password": factories.PASSWORD},
        "removals:hand_over": {"to": team.pk},
        "api:entry_deletion": {"name": "small"},
        "api:team_deletion": {"name": "lab"},
        "api:account_deletion": {"name": "nobody", "password": factories.PASSWORD},
        "api:hand_over": {"to": "alice"},
        "accounts:create_team": {"name": "fresh", "title": "Fresh"},
        "accounts:create_token": {"name": "t", "scopes": ["read"], "days": 1},
        "accounts:set_member": {"username": "vera", "role": "viewer"},
        "accounts:set_spending_limit": {"usd": "100"},
        "accounts:set_running_limit": {"runs": "3"},
        "accounts:invite": {"role": "viewer", "days": 7, "uses": 1},
        "catalog:register_entry": {**named, **source},
        "catalog:add_entry_version": source,
        "catalog:create_benchmark": {**named, **questions},
        "catalog:add_benchmark_version": questions,
        "catalog:create_calibration_set": {**named, "texts": SimpleUploadedFile("texts.txt", b"A text.")},
        "catalog:create_suite": {**named, "versions": [benchmark.pk]},
        "catalog:describe_entry": {"title": "Other"},
        "catalog:add_price": {"basis": "hour", **PRICE},
        "catalog:price_list": LISTING,
        "catalog:withdraw_price": {"reason": "A slip of the pen."},
        "catalog:set_expert_cost": {"usd": "3.50", "source": "An estimate."},
        "imports:new_import": {
            "team": "lab",
            "visibility": "team",
            "file": SimpleUploadedFile("scores.csv", b"entry,benchmark,sample,score\na,b,0,1\n"),
        },
        "api:imports": {"team": "lab", "name": "scores.csv", "size": 40},
        "jobs:submit_job": job,
        "jobs:estimate_job": job,
        "searches:submit_search": search,
        "searches:estimate_search": search,
        "searches:stop_search": {"runs": "finish"},
        "api:searches": {**rest_search, "entries": ["lab/small"], "schemes": ["bf16"]},
        "api:stop_search": {},
        "leaderboards:create_leaderboard": {**named, "suite": suite.pk, "order": "mean-score"},
        "leaderboards:tournament": AGAIN,
        "leaderboards:save_view": {"name": "Mine", "query": "sort=name"},
        "api:saved_views": {"name": "Mine", "query": "sort=name"},
        "results:report": FLIPS,
        "results:request_report": {**FLIPS, "analysis": "multiplicity", "suite": suite.pk, "contenders": first.pk},
        "results:linear_audit": {
            **AUDIT,
            "source": "pasted",
            "pasted": TABLE_OF_FEATURES,
            "team": team.pk,
            "visibility": "team",
        },
        "leaderboards:change_leaderboard": {"title": "Other", "order": "mean-score", "visibility": "team"},
        "notices:webhooks": {"url": "https://1.1.1.1/other", "events": ["job.ended"]},
        "notices:webhook": {"url": "https://1.1.1.1/other", "events": ["job.ended"]},
        "api:webhooks": {"url": "https://1.1.1.1/other", "events": ["job.ended"]},
        "api:webhook": {"active": False},
        "api:notice_preferences": {"preferences": [{"kind": "mention", "in_app": True, "by_email": False}]},
        "api:teams": {"name": "fresh", "title": "Fresh"},
        "api:member": {"role": "viewer"},
        "api:spending_limit": {"usd": "100.00"},
        "api:running_limit": {"runs": 3},
        "api:tokens": {"name": "t", "scopes": ["read"]},
        "api:entries": {**rest, **source},
        "api:entry": {"title": "Other"},
        "api:entry_versions": source,
        "api:benchmarks": {**rest, "definition": choice, "documents": documents},
        "api:benchmark_versions": {"definition": choice, "documents": documents},
        "api:calibration_sets": {**rest, "texts": ["A text."]},
        "api:suites": {**rest, "benchmarks": ["lab/sums"]},
        "api:prices": PRICE,
        "api:take_over_prices": LISTING,
        "api:withdraw_price": {"reason": "A slip of the pen."},
        "api:expert_cost": {"usd": "3.50", "source": "An estimate."},
        "api:jobs": rest_job,
        "api:measurements": {"entry": "lab/small", "scheme": "fp32"},
        "api:leaderboards": {**rest, "title": "Fresh", "suite": "lab/basics"},
        "api:leaderboard": {"title": "Other"},
        "api:linear_audits": {"team": "lab", "label": "y", "csv": TABLE_OF_FEATURES},
        "api:reports": {"leaderboard": "lab/main", "analysis": "swiss"},
    }
