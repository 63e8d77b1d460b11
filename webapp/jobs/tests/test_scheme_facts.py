"""What the page of a run tells of its scheme, when it is done and while a search is under way."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from django.test import Client

from webapp.accounts.models import User
from webapp.jobs import leases
from webapp.jobs.leases import LeaseLost
from webapp.jobs.models import Job, Run
from webapp.jobs.scheme_facts import SchemeFacts, bits_map
from webapp.tests import factories

BITS = {"h.0.attn": 4, "h.0.mlp": 2, "h.1.attn": 3, "head": 6}
REPORT = {
    "scheme": "evopress_3", "family": "searched", "bits": 3.59, "parameters": 1000, "share_changed": 0.8,
    "nominal_bytes": 700, "bytes_in_memory": 4000, "bytes_on_disk": 2000, "kept": ["wte"], "emulated": True, "seed": 1,
    "calibration": "stories", "calibration_hash": "ab" * 32, "notes": ["A note."], "changed": 2,
    "matrices": [
        {"name": "h.0.attn", "shape": [4, 8], "bits": 4.6, "snr_db": 21.5, "changed": True},
        {"name": "h.0.mlp", "shape": [8, 4], "bits": 2.6, "snr_db": 8.25, "changed": True},
        {"name": "h.1.attn", "shape": [8, 4], "bits": 3.6, "snr_db": None, "changed": False},
    ],
    "search": {"bits": BITS, "average_bits": 3.0, "kl": 0.073, "uniform_kl": 0.112},
}  # fmt: skip


def test_layers_stand_by_kind_and_block() -> None:
    found = bits_map(BITS)
    assert found.columns == ["0", "1", "—"]
    assert found.rows == [("attn", [4, 3, None]), ("mlp", [2, None, None]), ("head", [None, None, 6])]
    assert json.loads(found.text) == BITS


def test_the_noisiest_layer_is_first_and_unchanged_ones_are_last() -> None:
    facts = SchemeFacts(REPORT)
    assert [row["name"] for row in facts.layers] == ["h.0.mlp", "h.0.attn", "h.1.attn"]
    assert facts.worst is not None
    assert facts.worst["snr_db"] == 8.25


def test_the_page_of_a_finished_run_tells_all_of_it(client: Client, alice: User, job: Job) -> None:
    factories.worker()
    run = factories.finish([True] * 4)
    Run.objects.filter(pk=run.pk).update(provenance={"scheme_report": REPORT})
    client.force_login(alice)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    for part in ("What evopress_3 did", "2 of 3 matrices", "80.0 % of all", "8.3 dB", "emulated", "bits-6", "A note."):
        assert part in page
    address = page.split('href="data:application/json;charset=utf-8,')[1].split('"')[0]
    assert json.loads(unquote(address)) == BITS


def test_a_search_tells_how_far_it_is_and_is_silent_once_it_has_ended(client: Client, alice: User, job: Job) -> None:
    factories.worker()
    run = leases.claim(worker="worker-1", schemes=["fp32"])
    assert run is not None
    lease, before = leases.lease_of(run), Job.objects.get(pk=job.pk).changes
    leases.searched(lease=lease, news={"step": 3, "of": 20, "kl": 0.08123, "bits": BITS})
    assert Job.objects.get(pk=job.pk).changes == before + 1
    client.force_login(alice)
    said = "attempt 1 of 3. Searching: step 3 of 20, KL 0.0812 nats a token."
    assert said in client.get(f"/jobs/{job.pk}/").content.decode()
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert said in page
    assert "bits-6" in page
    leases.start(lease=lease, total=4)
    run.refresh_from_db()
    assert run.reason == "Running on worker-1, attempt 1 of 3."


def test_a_lost_worker_tells_nothing(job: Job) -> None:
    lease = factories.claim()
    leases.give_back(lease=lease, reason="Gone.")
    with pytest.raises(LeaseLost):
        leases.searched(lease=lease, news={"step": 1, "of": 2})
