"""Which schemes a form offers, grouped, with the reasons of the workers for the others; a sweep is one job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from evaluation.schemes import SCHEMES
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import EntryVersion, Suite
from webapp.jobs import leases
from webapp.jobs.models import Job
from webapp.jobs.offers import offers
from webapp.jobs.services import JobRequest, submit_job
from webapp.tests import factories

GPU = "It runs on cuda, not on cpu."


def worker(name: str, *schemes: str, **reasons: str) -> None:
    environment: dict[str, object] = {f"no {key}": reason for key, reason in reasons.items()}
    leases.worker_seen(name=name, host="host", device="cpu", schemes=schemes, environment=environment)


def reasons() -> dict[str, str]:
    return {offer.info.key: offer.reason for offer in offers()}


@pytest.mark.django_db
def test_without_workers_nobody_says_no() -> None:
    assert set(reasons().values()) == {""}
    assert list(reasons()) == list(SCHEMES)


@pytest.mark.django_db
def test_what_one_living_worker_can_do_is_offered_and_the_rest_says_why() -> None:
    worker("a", "fp32", "int8", int4_packed=GPU, nf4="It needs the package bitsandbytes.")
    worker("b", "fp32", "nf4", int4_packed=GPU, int8="It needs the package torchao.")
    found = reasons()
    assert [found[key] for key in ("fp32", "int8", "nf4")] == ["", "", ""]
    assert found["int4_packed"] == GPU
    assert found["gptq_int3"] == "No running worker offers it."
    leases.worker_stopped("b")
    assert reasons()["nf4"] == "It needs the package bitsandbytes."


def test_the_form_groups_them_and_disables_what_cannot_run(
    client: Client, bob: User, suite: Suite, entry: EntryVersion
) -> None:
    worker("a", "fp32", "int8", int4_packed=GPU)
    client.force_login(bob)
    page = client.get("/jobs/new/")
    shown = dict(page.context["form"].scheme_families)
    assert list(shown) == list(dict.fromkeys(info.family for info in SCHEMES.values()))
    boxes = {offer.info.key: box.tag() for options in shown.values() for offer, box in options}
    assert "disabled" in boxes["int4_packed"]
    assert "disabled" not in boxes["int8"]
    text = page.content.decode()
    assert f"Not now. {GPU}" in text
    assert "4.5 bits" in text


def test_the_form_begins_with_a_scheme_that_can_be_sent(
    client: Client, bob: User, suite: Suite, entry: EntryVersion
) -> None:
    """A ticked box that is disabled is not sent."""
    client.force_login(bob)
    assert client.get("/jobs/new/").context["form"]["schemes"].value() == ["fp32"]
    worker("a", "bf16", "int8")
    assert client.get("/jobs/new/").context["form"]["schemes"].value() == ["bf16"]


def test_a_sweep_is_one_job(
    client: Client, bob: User, team: Team, suite: Suite, entry: EntryVersion, other_entry: EntryVersion
) -> None:
    texts = factories.calibration_set(bob, team)
    client.force_login(bob)
    form: dict[str, Any] = {"suite": suite.pk, "team": team.pk, "visibility": "team", "key": "k", "batch_size": 1}
    form |= {"entries": [entry.pk, other_entry.pk], "schemes": ["fp32", "int8", "gptq_int3"], "calibration": texts.pk}
    answer = client.post("/jobs/new/", {**form, "seed": 1, "repeat": 0, "priority": 0})
    assert answer.status_code == 302
    job = Job.objects.get()
    assert job.runs.count() == 2 * 3 * 2
    assert job.title == "large@fp32, large@int8, large@gptq_int3 and 3 more on basics"


@pytest.mark.django_db
def test_by_rest(api: Callable[[User | None], APIClient]) -> None:
    worker("a", "fp32", int4_packed=GPU)
    rows = {row["key"]: row for row in api(None).get("/api/v1/schemes/").json()}
    assert (rows["fp32"]["available"], rows["fp32"]["reason"]) == (True, "")
    assert (rows["int4_packed"]["available"], rows["int4_packed"]["reason"]) == (False, GPU)
    assert rows["gptq_int3"]["needs_calibration"] is True
    assert rows["nvfp4"]["emulated"] is True


def test_a_finished_sweep_leads_to_its_report(
    client: Client, alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.worker()
    plain = factories.job(alice, team, suite, [entry])
    rows = [catalog.contender(version=entry, scheme=scheme) for scheme in ("fp32", "bf16")]
    request = JobRequest(contenders=rows, versions=[item.version for item in suite.items.all()])
    sweep = submit_job(actor=alice, team=team, request=request)[0]
    for _ in range(4):
        factories.finish([True] * 4)
    client.force_login(alice)
    ids = ",".join(str(part.run_id) for part in sweep.parts.order_by("pk"))
    assert f"analysis=quantization&amp;runs={ids}" in client.get(f"/jobs/{sweep.pk}/").content.decode()
    assert "analysis=quantization" not in client.get(f"/jobs/{plain.pk}/").content.decode()
