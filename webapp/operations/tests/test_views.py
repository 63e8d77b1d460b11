from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from webapp.jobs import endings, leases
from webapp.jobs.models import Job, Run
from webapp.operations import readiness, views
from webapp.tests import factories

TOKEN = "a-long-random-token"
NOWHERE = "postgresql-is-not-here.invalid"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from the test before."""
    monkeypatch.setattr(views, "READINESS", readiness.Readiness())


def ready(client: Client, query: str = "") -> tuple[int, dict[str, str]]:
    answer = client.get(f"/readyz{query}")
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    return answer.status_code, answer.json()["parts"]


@pytest.mark.django_db
def test_everything_is_ready_in_a_whole_platform(client: Client) -> None:
    everything = dict.fromkeys(("database", "migrations", "broker", "channels"), "ready")
    assert ready(client) == (200, everything)


def test_a_process_lives_without_its_database(client: Client, settings: Any) -> None:
    """No `db` fixture: a query would fail the test."""
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.django_db
def test_a_database_that_is_away_is_named_and_nothing_else(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readiness.connection.settings_dict, "HOST", NOWHERE)
    monkeypatch.setitem(readiness.connection.settings_dict, "PASSWORD", "hunter2")
    status, parts = ready(client)
    assert (status, parts["database"], parts["broker"]) == (503, "does not answer", "ready")
    assert not re.search("hunter2|invalid|postgres", str(parts))


@pytest.mark.django_db
def test_a_migration_that_waits_is_counted(client: Client) -> None:
    from django.db import connections
    from psycopg import connect

    known = connections["default"].settings_dict
    where = "FROM django_migrations WHERE app = 'jobs' AND name LIKE '0001%%'"
    with connect(dbname=known["NAME"], host=known["HOST"], port=known["PORT"], user=known["USER"]) as other:
        row = other.execute(f"SELECT app, name, applied {where}").fetchone()
        other.execute(f"DELETE {where}")
        other.commit()
        try:
            assert ready(client)[1]["migrations"] == "not applied: 1"
        finally:
            other.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", row)


@pytest.mark.django_db
def test_without_a_broker_requests_may_still_come(client: Client, settings: Any) -> None:
    away = "redis://127.0.0.1:1/0"
    layer = settings.CHANNEL_LAYERS["default"]
    config = {**layer["CONFIG"], "hosts": [{"address": away}]}
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": config}}
    settings.BROKER_URL = away
    status, parts = ready(client)
    assert (status, parts["broker"], parts["channels"]) == (503, "does not answer", "does not answer")
    assert ready(client, "?spare=broker,channels") == (200, parts)


@pytest.mark.django_db
def test_asking_often_asks_the_parts_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setitem(readiness.CHECKS, "database", lambda: asked.append("database") or "")
    for _ in range(5):
        ready(client)
    assert asked == ["database"]


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}"])
def test_strangers_find_no_metrics(client: Client, settings: Any, header: str) -> None:
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404
    settings.METRICS_TOKEN = TOKEN
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "status"), [("10.1.2.3", 200), ("192.0.2.1", 404), ("", 404)])
def test_metrics_are_read_from_inside(client: Client, settings: Any, address: str, status: int) -> None:
    """What a client claims in X-Forwarded-For counts nothing here: uvicorn believes only proxies that are named."""
    settings.METRICS_NETWORKS = [ip_network("10.0.0.0/8")]
    claimed = {"X-Forwarded-For": "10.1.2.3"}
    assert client.get("/metrics", REMOTE_ADDR=address, headers=claimed).status_code == status


@pytest.fixture
def scrape(client: Client, settings: Any) -> Iterator[Callable[[], dict[tuple[str, str], float]]]:
    """(sample, labels) -> value, as Prometheus' own parser reads it."""
    settings.METRICS_TOKEN = TOKEN

    def read() -> dict[tuple[str, str], float]:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return {
            (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.content.decode())
            for sample in family.samples
        }

    return read


@pytest.mark.django_db
def test_the_queue_is_counted_by_resource_and_state(scrape: Any, job: Job) -> None:
    first = Run.objects.order_by("pk").first()
    Run.objects.filter(pk=first.pk).update(queued_at=Now() - timedelta(seconds=90))
    leases.claim(worker="w", schemes=["bf16", "fp32"], resources=[first.resource])
    found = scrape()
    running = Run.objects.filter(state=Run.State.RUNNING).count()
    assert running == 1
    assert found["crosstable_runs", f"resource={first.resource},state=queued"] == 3
    assert found["crosstable_runs", f"resource={first.resource},state=running"] == 1
    assert 0 <= found["crosstable_oldest_queued_seconds", f"resource={first.resource}"] < 120


@pytest.mark.django_db
def test_the_age_is_the_oldest_ones(scrape: Any, job: Job) -> None:
    first = Run.objects.order_by("pk").first()
    Run.objects.filter(pk=first.pk).update(queued_at=Now() - timedelta(seconds=90))
    assert 90 <= scrape()["crosstable_oldest_queued_seconds", f"resource={first.resource}"] < 120


@pytest.mark.django_db
def test_each_lost_lease_is_counted_once(scrape: Any, job: Job) -> None:
    """Also after somebody else has claimed the run, whose diary then repeats the reason."""
    assert scrape()["crosstable_lease_losses_total", ""] == 0
    resources = sorted(set(Run.objects.values_list("resource", flat=True)))
    run = leases.claim(worker="w1", schemes=["bf16", "fp32"], resources=resources)
    Run.objects.filter(pk=run.pk).update(leased_until=Now() - timedelta(seconds=1))
    assert leases.sweep() == [run.pk]
    Run.objects.filter(pk=run.pk).update(priority=9)
    again = leases.claim(worker="w2", schemes=["bf16", "fp32"], resources=resources)
    assert again.pk == run.pk
    assert again.events.filter(text__contains=leases.LOST).count() == 2
    assert scrape()["crosstable_lease_losses_total", ""] == 1


@pytest.mark.django_db
def test_durations_fall_into_the_bucket_that_they_do_not_exceed(scrape: Any, job: Job) -> None:
    """Three runs of 1, 1.5 and 100,000 s, one of them failed; the edges belong to the bucket below."""
    first, second, third, _ = (run.pk for run in Run.objects.order_by("pk"))
    for pk, seconds, state in ((first, 1.0, "failed"), (second, 1.5, "failed"), (third, 100_000.0, "cancelled")):
        began = timezone.now() - timedelta(days=9)
        ended = began + timedelta(seconds=seconds)
        Run.objects.filter(pk=pk).update(state=Run.State.RUNNING, started_at=began, leased_until=began)
        Run.objects.filter(pk=pk).update(state=state, finished_at=ended)
    found = scrape()
    edges = ["1", "5", "15", "60", "300", "900", "3600", "14400", "+Inf"]
    steps = [found["crosstable_run_seconds_bucket", f"le={edge},state=failed"] for edge in edges]
    assert steps == [1, 2, 2, 2, 2, 2, 2, 2, 2]
    assert found["crosstable_run_seconds_sum", "state=failed"] == pytest.approx(2.5)
    assert found["crosstable_run_seconds_bucket", "le=14400,state=cancelled"] == 0
    assert found["crosstable_run_seconds_bucket", "le=+Inf,state=cancelled"] == 1


@pytest.mark.django_db
def test_a_scrape_says_the_same_before_and_after_endings_are_added_up(scrape: Any, job: Job) -> None:
    """To the last digit: Prometheus takes the smallest step back of a counter for a restart from 0."""

    def counters() -> dict[tuple[str, str], float]:
        names = "crosstable_run_seconds", "crosstable_lease_losses"
        return {key: value for key, value in scrape().items() if key[0].startswith(names)}

    for at, pk in enumerate(Run.objects.order_by("pk").values_list("pk", flat=True)):
        began = timezone.now() - timedelta(days=1)
        ended = began + timedelta(microseconds=100_001 + at)
        Run.objects.filter(pk=pk).update(state=Run.State.RUNNING, started_at=began, leased_until=began)
        Run.objects.filter(pk=pk).update(state=Run.State.FAILED, finished_at=ended)
        before = counters()
        assert before["crosstable_run_seconds_count", "state=failed"] == at + 1
        endings.fold()
        assert counters() == before
    Run.objects.all().delete()
    assert counters() == before, "what was counted stays counted when its team is gone"


@pytest.mark.django_db
def test_answers_are_counted_by_view_method_and_status(scrape: Any, client: Client) -> None:
    def asked(view: str, status: int, method: str = "GET") -> float:
        return scrape().get(("crosstable_http_requests_total", f"method={method},status={status},view={view}"), 0.0)

    help_before, missing_before, odd_before = asked("pages:help", 200), asked("none", 404), asked("none", 404, "other")
    client.get("/help/")
    client.get("/nothing/here/")
    client.generic("BREW", "/nothing/here/")
    assert asked("pages:help", 200) == help_before + 1
    assert asked("none", 404) == missing_before + 1
    assert asked("none", 404, "other") == odd_before + 1
    assert scrape()["crosstable_http_request_seconds_count", "view=pages:help"] >= 1


@pytest.mark.django_db
def test_workers_and_memory_are_there(scrape: Any) -> None:
    factories.worker()
    found = scrape()
    assert found["crosstable_workers", ""] == 1
    assert found["process_resident_memory_bytes", ""] > 10**7
    assert ("crosstable_sockets", "") in found


@pytest.mark.django_db
def test_sizes_are_told_by_kind(scrape: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('accounts_auditevent')")
        assert scrape()["crosstable_database_bytes", "kind=audit"] == cursor.fetchone()[0]
