"""Measured efficiency: asked for on the entry's page and by REST, shown there, compared within one device only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.protocol import LOCAL, Efficiency
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import Contender, EntryVersion
from webapp.results import measurements
from webapp.results.models import Measurement
from webapp.tests import factories

State = Measurement.State


@pytest.fixture
def small(entry: EntryVersion) -> Contender:
    return catalog.contender(version=entry, scheme="fp32")


def page(client: Client, entry: EntryVersion) -> str:
    address = reverse("results:entry_efficiency", args=[entry.entry.team.name, entry.entry.name])
    return client.get(address).content.decode()


def test_the_entry_s_page_leads_to_what_was_measured(client: Client, bob: User, entry: EntryVersion) -> None:
    client.force_login(bob)
    shown = client.get(reverse("catalog:entry", args=["lab", "small"])).content.decode()
    assert reverse("results:entry_efficiency", args=["lab", "small"]) in shown
    assert "Nothing has been evaluated yet" in page(client, entry)


def test_devices_stand_in_tables_of_their_own(client: Client, bob: User, small: Contender) -> None:
    factories.measurement(small, factories.pace(20.0))
    factories.measurement(small, factories.pace(900.0, device_peak_bytes=5_000_000, joules=12.5), device="H200")
    client.force_login(bob)
    shown = page(client, small.version)
    cpu, gpu = (shown.partition("<h3>H200</h3>")[at] for at in (0, 2))
    assert "<h3>a CPU</h3>" in cpu
    assert "200 <small" in cpu  # reads ten times as fast as it writes
    assert "not measured" in cpu  # its energy
    assert "12.5 J" in gpu
    assert "5.0 MB" in gpu
    assert "900 <small" in gpu
    assert "900 <small" not in cpu


def test_whoever_submits_may_ask_and_the_page_follows(client: Client, bob: User, vera: User, small: Contender) -> None:
    client.force_login(vera)
    assert "<button" not in page(client, small.version)
    client.force_login(bob)
    assert "Measure</button>" in page(client, small.version)
    answer = client.post(reverse("results:measure", args=[small.pk]))
    assert answer.headers["Location"] == reverse("catalog:entry", args=["lab", "small"])
    waiting = page(client, small.version)
    assert 'hx-trigger="every 2s"' in waiting
    assert "Waiting for a worker." in waiting
    assert "<button" not in waiting
    row = measurements.claim(worker="w", schemes=["fp32"])
    assert row is not None
    measurements.fail(measurement=row, reason="The device ran out of memory.")
    failed = page(client, small.version)
    assert "The device ran out of memory." in failed
    assert 'hx-trigger="every 2s"' not in failed


def test_a_worker_that_fails_late_takes_no_answer_back(bob: User, small: Contender) -> None:
    asked = measurements.request_measurement(actor=bob, contender=small)
    late = measurements.claim(worker="w", schemes=["fp32"])
    assert late is not None
    Measurement.objects.filter(pk=asked.pk).update(state=Measurement.State.DONE, reason="", result={})
    measurements.fail(measurement=late, reason="The device ran out of memory.")
    asked.refresh_from_db()
    assert (asked.state, asked.reason) == (Measurement.State.DONE, "")


def test_a_worker_that_lost_a_request_writes_nothing(bob: User, small: Contender) -> None:
    measurements.request_measurement(actor=bob, contender=small)
    late = measurements.claim(worker="w", schemes=["fp32"])
    assert late is not None
    assert measurements.keep(measurement=late)
    Measurement.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    now = measurements.claim(worker="w", schemes=["fp32"])  # of the same name: it has started again
    assert now is not None
    told = {"contender_id": small.pk, "device": "a CPU", "versions": "v", "worker": "w", "settings": {}}
    assert not measurements.keep(measurement=late)
    measurements.give_back(measurement=late, reason="Late.")
    measurements.fail(measurement=late, reason="Late.")
    assert measurements.store(**told, found=factories.pace(1.0), measurement=late) is None
    left = Measurement.objects.get()
    assert (left.state, left.reason, left.attempts, left.result) == (State.RUNNING, "Measured by w.", 2, None)
    assert measurements.store(**told, found=factories.pace(2.0), measurement=now) is not None
    assert measurements.store(**told, found=factories.pace(1.0), measurement=late) is None
    assert Efficiency.from_dict(Measurement.objects.get().result) == factories.pace(2.0)


def test_a_worker_takes_only_what_it_can_do(bob: User, small: Contender) -> None:
    measurements.request_measurement(actor=bob, contender=small)
    assert measurements.claim(worker="w", schemes=["bf16"]) is None
    assert measurements.claim(worker="w", schemes=["fp32"]) is not None
    assert measurements.claim(worker="v", schemes=["fp32"]) is None  # it is being measured


def test_one_row_per_contender_device_protocol_and_versions(small: Contender) -> None:
    first = factories.measurement(small)
    second = factories.measurement(small, factories.pace(30.0))
    assert [row.pk for row in Measurement.objects.all()] == [second.pk] != [first.pk]
    with pytest.raises(IntegrityError, match="measurement_once"), transaction.atomic():
        Measurement.objects.create(
            contender=small, state="done", result={}, device="a CPU", protocol=LOCAL, versions="v"
        )
    assert measurements.is_measured(contender_id=small.pk, device="a CPU", protocol=LOCAL, versions="v")
    assert not measurements.is_measured(contender_id=small.pk, device="a CPU", protocol=LOCAL, versions="newer")


def test_only_the_commonest_device_is_compared(entry: EntryVersion) -> None:
    rows = [catalog.contender(version=entry, scheme=scheme) for scheme in ("fp32", "bf16", "int8")]
    for one in rows[:2]:
        factories.measurement(one, factories.pace(10.0))
    factories.measurement(rows[0], factories.pace(99.0), device="H200")
    factories.measurement(rows[2], factories.pace(99.0), device="H100")
    found = measurements.comparable(one.pk for one in rows)
    assert found is not None
    assert (found.device, found.protocol, found.others) == ("a CPU", LOCAL, 1)
    assert {pk: pace.writing.median for pk, pace in found.by_contender.items()} == {rows[0].pk: 10.0, rows[1].pk: 10.0}
    assert measurements.comparable([]) is None


def test_rest_asks_follows_and_lists(client: Client, bob: User, team: Team, small: Contender) -> None:
    client.force_login(bob)
    body = {"entry": "lab/small", "scheme": "fp32"}
    made = client.post(reverse("api:measurements"), body, content_type="application/json")
    assert (made.status_code, made.json()["state"], made.json()["result"]) == (202, "queued", None)
    again = client.post(reverse("api:measurements"), body, content_type="application/json")
    assert again.json()["id"] == made.json()["id"]
    factories.measurement(small)
    listed = client.get(reverse("api:measurements"), {"contender": "small@fp32"}).json()["results"]
    assert [row["state"] for row in listed] == ["done", "queued"]
    one = client.get(reverse("api:measurement", args=[listed[0]["id"]])).json()
    assert one["result"]["paces"][0]["rate"]["median"] == 200.0
    assert one["result"]["joules"] is None
    refused = client.post(reverse("api:measurements"), {**body, "scheme": "gptq_int3"}, content_type="application/json")
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["contender"])
