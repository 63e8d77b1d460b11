"""Limits hold over all processes, at any moment, and when their server is away."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings as conf
from django.core.cache import cache, caches
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from webapp.accounts.models import User
from webapp.accounts.services import create_token
from webapp.cache import PlainJSON
from webapp.clients import client_of
from webapp.limits import Limit, PersonThrottle

TEN = Limit("test", 10, 60)
START = 1_000_000.0 * 60  # the first moment of a span


@pytest.fixture(autouse=True)
def empty() -> None:
    cache.clear()
    caches["process"].clear()


def test_what_is_within_passes_and_the_next_waits() -> None:
    assert [TEN.spend("a", START + 30) for _ in range(10)] == [0] * 10
    wait = TEN.spend("a", START + 30)
    assert 30 < wait <= 40
    assert TEN.spend("b", START + 30) == 0


def test_after_the_wait_one_passes_and_not_before() -> None:
    for _ in range(10):
        TEN.spend("a", START + 30)
    wait = TEN.spend("a", START + 30)
    assert TEN.spend("a", START + 30 + wait - 2) > 0
    assert TEN.spend("a", START + 30 + wait) == 0


def test_the_edge_of_a_span_is_no_way_to_double_the_limit() -> None:
    """A fixed window would let 20 pass within two seconds."""
    passed = [TEN.spend("a", START + second) for second in (59, 61) for _ in range(10)]
    assert passed.count(0) <= 11


def test_a_refused_one_does_not_count() -> None:
    for _ in range(100):
        TEN.spend("a", START)
    assert TEN.spend("a", START + 120) == 0


def test_what_is_given_back_may_be_spent_again() -> None:
    for _ in range(10):
        TEN.spend("a", START)
    TEN.refund("a", START)
    assert TEN.spend("a", START) == 0
    assert TEN.spend("a", START) > 0


@bounds(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 300), max_size=60))
def test_no_span_ever_holds_more_than_twice_the_limit_and_the_wait_is_true(moments: list[float]) -> None:
    cache.clear()
    passed = []
    for moment in sorted(moments):
        wait = TEN.spend("a", START + moment)
        if wait == 0:
            passed.append(moment)
    for moment in passed:
        assert sum(moment - 60 < other <= moment for other in passed) < 20


def test_many_at_once_do_not_slip_through() -> None:
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: TEN.spend("a", START), range(200)))
    assert waits.count(0) <= 10


def test_another_process_counts_on() -> None:
    code = (
        "import django; django.setup()\n"
        "from webapp.limits import Limit\n"
        f"print([Limit('test', 10, 60).spend('a', {START}) for _ in range(8)])"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "webapp.settings"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=conf.BASE_DIR, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([0] * 8)
    assert [TEN.spend("a", START) == 0 for _ in range(4)] == [True, True, False, False]


def test_without_the_server_each_process_counts_for_itself(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {**settings.CACHES, "default": nowhere}
    assert [TEN.spend("a", START) for _ in range(11)].count(0) == 10
    TEN.refund("a", START)  # neither is giving back an error
    assert "limits are counted per process" in caplog.text


def test_nothing_in_the_cache_is_ever_unpickled() -> None:
    """Whoever can write to the server must not be able to run code here."""
    key = "evil"
    cache.set(key, {"a": 1})
    raw = cache._cache.get_client(None)
    stored = cache.make_key(key)
    assert raw.get(stored) == b'{"a": 1}'
    raw.set(stored, b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match="Expecting value"):
        cache.get(key)
    assert isinstance(cache._cache._serializer, PlainJSON)


def test_clearing_leaves_the_queues_alone() -> None:
    raw = cache._cache.get_client(None)
    raw.set("a-queue-of-celery", "1")
    cache.set("ours", 1)
    cache.clear()
    assert cache.get("ours") is None
    assert raw.getdel("a-queue-of-celery") == b"1"


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_a_client_is_an_address_or_the_network_that_it_owns(address: str, client: str) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=address, headers={"X-Forwarded-For": "198.51.100.1"})
    assert client_of(request) == client


@pytest.mark.django_db
def test_a_stranger_is_not_freed_by_claiming_other_addresses(client: Client) -> None:
    """A throttle that reads X-Forwarded-For from anybody is none."""
    statuses = [
        client.get("/api/v1/analyses/", headers={"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number in range(61)
    ]
    assert statuses == [200] * 60 + [429]
    refused = client.get("/api/v1/analyses/")
    assert 0 < int(refused.headers["Retry-After"]) <= 61


@pytest.mark.django_db
def test_a_person_is_counted_over_all_tokens(
    client: Client, alice: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PersonThrottle, "THROTTLE_RATES", {"user": "4/min"})

    def call(token: str) -> int:
        return client.get("/api/v1/me/", headers={"Authorization": f"Bearer {token}"}).status_code

    first, second, other = (
        create_token(actor=user, name="ci", scopes=["read"], days=1)[1] for user in (alice, alice, charlie)
    )
    assert [call(token) for token in (first, second) * 2] == [200] * 4
    assert [call(token) for token in (first, second)] == [429] * 2
    assert call(other) == 200


def tokens_of(*people: User) -> list[dict[str, str]]:
    secrets = [create_token(actor=one, name="ci", scopes=["read"], days=1)[1] for one in people]
    return [{"Authorization": f"Bearer {secret}"} for secret in secrets]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/me/", "/api/v1/analyses/", "/api/schema/"])
def test_wrong_tokens_are_counted_by_address(client: Client, alice: User, path: str) -> None:
    """Whoever shares the address and has a good one is served."""
    [good] = tokens_of(alice)

    def status(headers: dict[str, str]) -> int:
        return client.get(path, headers=headers).status_code

    wrong = [{"Authorization": f"Bearer ct_{number}"} for number in range(62)]
    assert [status(one) for one in wrong] == [401] * 60 + [429] * 2
    refused = client.get(path, headers=wrong[0])
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    assert status(good) == 200
    assert client.get(path, headers=wrong[0], REMOTE_ADDR="192.0.2.7").status_code == 401


@pytest.mark.django_db
def test_what_a_token_may_not_is_counted(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PersonThrottle, "THROTTLE_RATES", {"user": "4/min"})
    [token] = tokens_of(alice)
    calls = [client.post("/api/v1/jobs/", headers=token).status_code for _ in range(6)]
    assert calls == [403] * 4 + [429] * 2


@pytest.mark.django_db
def test_what_strangers_may_not_is_counted(client: Client) -> None:
    assert [client.get("/api/v1/me/").status_code for _ in range(62)] == [401] * 60 + [429] * 2


@pytest.mark.django_db
def test_sessions_without_their_proof_are_counted(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    calls = [client.post("/api/v1/teams/").status_code for _ in range(62)]
    assert calls == [403] * 60 + [429] * 2
    assert client.get("/api/v1/me/").status_code == 200
