"""Guessing is slow, from one place and from many, and locks nobody out."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse

from webapp.accounts import door
from webapp.accounts.models import User

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def known(alice: User) -> None:
    alice.set_password(PASSWORD)
    alice.save()


def attempt(client: Client, password: str, address: str = "192.0.2.1", username: str = "alice") -> Any:
    data = {"username": username, "password": password}
    return client.post(reverse("accounts:sign_in"), data, REMOTE_ADDR=address)


def test_an_account_is_guessed_at_ten_times_whatever_addresses_are_used() -> None:
    tries = [attempt(Client(), f"guess {number}", f"192.0.2.{number}") for number in range(12)]
    assert [answer.status_code for answer in tries] == [200] * 10 + [429] * 2
    assert 0 < int(tries[-1].headers["Retry-After"]) <= 1200
    assert b"too many attempts" in tries[-1].content


def test_other_spellings_of_a_name_are_no_further_tries() -> None:
    for number in range(10):
        attempt(Client(), "guess", f"192.0.2.{number}")
    for spelling in ("ALICE", " alice ", "\uff41lice", "a\uff2cic\uff45", "\u24d0lice"):
        assert attempt(Client(), PASSWORD, "198.51.100.1", spelling).status_code == 429


def test_the_right_password_is_not_looked_at_either_while_strangers_wait() -> None:
    for number in range(10):
        attempt(Client(), "guess", f"192.0.2.{number}")
    assert attempt(Client(), PASSWORD, "198.51.100.1").status_code == 429


def test_an_address_tries_thirty_times_whatever_accounts_it_names() -> None:
    tries = [attempt(Client(), "guess", username=f"somebody-{number}").status_code for number in range(31)]
    assert tries == [200] * 30 + [429]


def test_strangers_lock_nobody_out(client: Client) -> None:
    """Alice's browser has signed in before: what others try at her account counts against them alone."""
    assert attempt(client, PASSWORD, "198.51.100.1").status_code == 302
    client.post(reverse("accounts:sign_out"))
    for number in range(12):
        attempt(Client(), "guess", f"192.0.2.{number}")
    assert attempt(Client(), "guess", "192.0.2.99").status_code == 429
    assert attempt(client, PASSWORD, "198.51.100.1").status_code == 302


def test_a_known_browser_does_not_guess_for_ever(client: Client) -> None:
    attempt(client, PASSWORD)
    client.post(reverse("accounts:sign_out"))
    assert [attempt(client, "guess").status_code for _ in range(11)] == [200] * 10 + [429]


@pytest.mark.parametrize(
    "forged",
    ["", "1", "garbage:x:y", pytest.param(signing.dumps(["alice", "1"], salt="another"), id="of another salt")],
)
def test_a_forged_cookie_is_a_stranger(forged: str) -> None:
    for number in range(10):
        attempt(Client(), "guess", f"192.0.2.{number}")
    stranger = Client()
    stranger.cookies[door.COOKIE] = forged
    assert attempt(stranger, "guess", "198.51.100.1").status_code == 429


def test_the_cookie_of_another_account_is_no_way_in(client: Client, charlie: User) -> None:
    charlie.set_password(PASSWORD)
    charlie.save()
    attempt(client, PASSWORD, username="charlie")
    client.post(reverse("accounts:sign_out"))
    for number in range(10):
        attempt(Client(), "guess", f"192.0.2.{number}")
    assert attempt(client, "guess", "198.51.100.1").status_code == 429


def test_accounts_that_do_not_exist_answer_alike() -> None:
    tries = [attempt(Client(), "x", f"192.0.2.{number}", "nobody-is-called-so") for number in range(11)]
    assert [answer.status_code for answer in tries] == [200] * 10 + [429]


def test_those_who_know_their_password_may_come_as_often_as_they_like() -> None:
    assert {attempt(Client(), PASSWORD).status_code for _ in range(40)} == {302}


def test_djangos_admin_has_no_door_beside_it(client: Client, bob: User) -> None:
    answer = client.post("/admin/login/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in/?next=")
    assert "_auth_user_id" not in client.session
    client.force_login(bob)
    assert client.get("/admin/", follow=True).status_code == 403


def test_accounts_are_not_made_by_the_thousand() -> None:
    page, name = reverse("accounts:sign_up"), {"username": "x"}
    asked = [Client().post(page, name, REMOTE_ADDR="192.0.2.1").status_code for _ in range(21)]
    assert asked == [422] * 20 + [429]


def test_the_cookie_is_out_of_reach_of_scripts(client: Client) -> None:
    cookie = attempt(client, PASSWORD).cookies[door.COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
