"""Where a run's numbers come from, in words: no page shows the name of a field."""

from __future__ import annotations

import re

from django.test import Client

from webapp.accounts.models import User
from webapp.jobs.models import Job, Run
from webapp.jobs.recorded import recorded
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories

MADE = {
    "weights_hash": "ab12", "num_fewshot": 0, "bytes_in_memory": 2_000_000, "seed": 1234567, "task_version": "",
    "environment": {"lm_eval": "0.4.13", "torch": "2.13.0", "gpu": "H200"}, "settings": {"seed": 1},
    "software_by_attempt": {"1": {"torch": "2.12.0"}, "2": {"torch": "2.13.0"}}, "efficiency": {"timed": 3},
    "something_new": "kept",
}  # fmt: skip


def test_what_was_recorded_is_told_in_words_without_holes() -> None:
    assert recorded(MADE) == [
        ("Weights’ SHA-256", "ab12"), ("Examples in the prompt", "0"), ("Bytes in memory", "2,000,000"),
        ("Seed", "1234567"), ("lm-evaluation-harness", "0.4.13"), ("PyTorch", "2.13.0"), ("GPU", "H200"),
        ("Attempt 1: PyTorch", "2.12.0"), ("Attempt 2: PyTorch", "2.13.0"), ("Something new", "kept"),
    ]  # fmt: skip


def facts(page: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>([^<]*)</dt><dd[^>]*>([^<]*)</dd>", page))


def test_the_page_of_a_run_shows_no_name_of_a_field(client: Client, bob: User, job: Job) -> None:
    factories.worker()
    run = factories.finish([True] * 4)
    Run.objects.filter(pk=run.pk).update(provenance={**MADE, "efficiency": {}})
    client.force_login(bob)
    shown = facts(client.get(f"/runs/{run.pk}/").content.decode())
    assert {"Batch size": "64", "Attempts per sample": "1", "Samples per benchmark": "all"}.items() <= shown.items()
    assert shown["Attempt 1: PyTorch"] == "2.12.0"
    assert not [name for name in shown if "_" in name]


def test_the_parameters_of_a_report_are_words(client: Client, alice: User, job: Job, board: Leaderboard) -> None:
    factories.worker()
    for _ in range(4):
        factories.finish([True, False, True, True])
    made = factories.report(alice, factories.refresh(board), "multiplicity", epsilon=0.5)
    client.force_login(alice)
    shown = client.get(f"/reports/{made.pk}/").content.decode().partition("How this was computed")[2]
    names = re.findall(r"<dt>([^<]*)</dt>", shown)
    assert "Epsilon" in names
    assert not [name for name in names if "_" in name]
