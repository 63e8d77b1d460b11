"""Prices and expert costs on pages and through REST, forged requests included."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from webapp.accounts.models import Visibility
from webapp.catalog.models import Benchmark, ModelEntry, Price
from webapp.tests import factories

PRICE = {"basis": "hour", "hour_usd": "0.40", "valid_from": "2026-01-01", "source": "An invoice"}
REST = "/api/v1/entries/lab/small/prices/"


def test_a_price_is_added_and_shown_with_its_history(client, bob, entry):
    client.force_login(bob)
    typed = {**PRICE, "basis": "tokens", "input_usd": "1.5", "output_usd": "6"}

    answer = client.post("/entries/lab/small/prices/new/", typed, follow=True)

    assert answer.redirect_chain == [("/entries/lab/small/#prices", 302)]
    price = Price.objects.get()
    assert (price.input_usd, price.hour_usd) == (Decimal("1.5"), None), "the other basis is left out"
    page = answer.content.decode()
    assert "$1.50" in page
    assert "An invoice" in page
    assert "Withdraw" not in page, "that is for owners"


def test_a_wrong_price_comes_back_with_its_field(client, bob, entry):
    client.force_login(bob)

    answer = client.post("/entries/lab/small/prices/new/", {**PRICE, "hour_usd": "", "source_url": "javascript:x"})

    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Enter a valid URL" in page
    assert not Price.objects.exists()


def test_a_listing_is_previewed_and_taken_over(client, bob, entry):
    client.force_login(bob)

    preview = client.get("/entries/lab/small/prices/list/?q=o3&provider=openai&model=o3").content.decode()
    assert "Take over 2 prices" in preview
    assert "10 Jun 2025" in preview
    assert not Price.objects.exists(), "looking changes nothing"

    listing = {"provider": "openai", "model": "o3"}
    page = client.post("/entries/lab/small/prices/list/", listing, follow=True).content.decode()
    assert "2 prices of o3 taken over." in page
    assert client.post("/entries/lab/small/prices/list/", {**listing, "model": "o0"}).status_code == 422


def test_an_owner_withdraws_with_a_reason(client, alice, bob, entry):
    price = factories.price(bob, entry)
    client.force_login(alice)
    address = f"/entries/lab/small/prices/{price.pk}/withdraw/"

    assert client.post(address, {"reason": " "}).status_code == 422
    page = client.post(address, {"reason": "Ten times too high"}, follow=True).content.decode()

    assert "Ten times too high" in page
    assert "none of these holds" in page


def test_a_price_of_another_entry_is_not_found_there(client, alice, entry, other_entry):
    price = factories.price(alice, other_entry)
    client.force_login(alice)
    assert client.post(f"/entries/lab/small/prices/{price.pk}/withdraw/", {"reason": "x"}).status_code == 404


@pytest.mark.parametrize(
    "address", ["entries/lab/small/prices/new/", "entries/lab/small/prices/list/", "benchmarks/lab/sums/expert-cost/"]
)
def test_a_forged_form_is_refused(alice, entry, benchmark, address):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(f"/{address}", {**PRICE, "usd": "1", "source": "x"}).status_code == 403
    assert not Price.objects.exists()
    assert Benchmark.objects.get(name="sums").expert_cost_usd is None


def test_rest_keeps_a_history_of_decimal_strings(api, alice, bob, entry):
    body = {"input_usd": "0.15", "output_usd": "0.60", "valid_from": "2026-01-01", "source": "A quote"}
    made = api(bob).post(REST, body).json()
    assert (made["input_usd"], made["hour_usd"], made["valid_to"]) == ("0.150000", None, None)
    assert "Unknown field." in api(bob).post(REST, {**body, "price": "1"}).json()["errors"]["price"][0]
    assert api(bob).post(REST, {**body, "hour_usd": "1"}).status_code == 422
    later = api(bob).post(REST, {**body, "valid_from": "2026-06-01"}).json()
    assert [row["id"] for row in api(bob).get(REST).json()["results"]] == [later["id"], made["id"]]
    for method in ("put", "patch", "delete"):
        assert getattr(api(alice), method)(REST, body).status_code == 405, "a price is never edited"
    withdrawn = api(alice).post(f"{REST}{later['id']}/withdraw/", {"reason": "A slip"}).json()
    assert (withdrawn["withdrawn_by"], withdrawn["withdrawn_reason"]) == ("alice", "A slip")


def test_rest_searches_the_list_and_takes_over(api, bob, entry):
    found = api(bob).get("/api/v1/price-list/?q=gpt-4o").json()[0]
    assert (found["provider"], found["model"], found["prices"][0]["input_usd"]) == ("openai", "gpt-4o", "2.500000")
    address, listing = f"{REST}take-over/", {"provider": "openai", "model": "gpt-4o", "scheme": "fp32"}
    assert [row["scheme"] for row in api(bob).post(address, listing).json()] == ["fp32"]
    assert api(bob).post(address, listing).json() == []


def test_who_sees_a_public_entry_sees_its_prices(api, alice, charlie, entry):
    factories.price(alice, entry)
    assert api(charlie).get(REST).status_code == 404
    ModelEntry.objects.update(visibility=Visibility.PUBLIC)
    assert len(api(None).get(REST).json()["results"]) == 1
    assert api(charlie).post(REST, {"hour_usd": "0", "valid_from": "2026-01-01", "source": "x"}).status_code == 403


def test_an_expert_is_suggested_and_set_by_hand_only(client, bob, team, suite):
    gsm = factories.benchmark(bob, team, "gsm8k-lite").benchmark
    client.force_login(bob)
    page = client.get("/benchmarks/lab/gsm8k-lite/").content.decode()
    assert "Suggested: <strong>$3.50</strong>" in page
    gsm.refresh_from_db()
    assert gsm.expert_cost_usd is None

    answer = client.post("/benchmarks/lab/gsm8k-lite/expert-cost/", {"usd": "4", "source": ""})
    assert answer.status_code == 422
    assert "Who says so?" in answer.content.decode()
    client.post("/benchmarks/lab/gsm8k-lite/expert-cost/", {"usd": "4", "source": "A quote"})
    gsm.refresh_from_db()
    assert (gsm.expert_cost_usd, gsm.expert_cost_source) == (Decimal(4), "A quote")


def test_rest_sets_an_expert_and_takes_it_away(api, bob, benchmark):
    address = "/api/v1/benchmarks/lab/sums/expert-cost/"
    assert api(bob).put(address, {"usd": "3.50", "source": "A quote"}).json()["expert_cost_usd"] == "3.5000"
    assert api(bob).put(address, {"usd": "-1", "source": "A quote"}).status_code == 400
    assert api(bob).put(address, {"usd": None}).json()["expert_cost_usd"] is None


def test_what_is_said_of_an_entry_changes_and_its_versions_do_not(client, api, bob, entry):
    client.force_login(bob)
    typed = {"title": "Smaller", "tags": "Open, lightweight", "released_on": "2026-02-01", "description": ""}
    assert client.post("/entries/lab/small/describe/", typed).headers["Location"] == "/entries/lab/small/"
    row = ModelEntry.objects.get(name="small")
    assert (row.title, row.tags, row.released_on) == ("Smaller", ["lightweight", "open"], date(2026, 2, 1))
    shown = api(bob).patch("/api/v1/entries/lab/small/", {"released_on": None}).json()
    assert (shown["title"], shown["released_on"]) == ("Smaller", None)
    assert api(bob).patch("/api/v1/entries/lab/small/", {"name": "other"}).status_code == 400
