"""The sign-off record: what it says, and that nobody else can say it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from webapp.accounts.models import User
from webapp.errors import DomainError
from webapp.jobs.models import Run
from webapp.reviews import services
from webapp.reviews.models import Review
from webapp.reviews.record import public_key, sign_off, verified


@pytest.fixture
def signed(review: Review, rita: User) -> dict:
    services.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)
    review.refresh_from_db()
    return json.loads(json.dumps(sign_off(review)))


def test_it_says_who_approved_which_numbers(signed: dict, review: Review) -> None:
    record = verified(signed)
    assert (record["state"], record["subject_hash"]) == ("approved", review.subject_hash)
    assert [(one["by"], one["ruling"]) for one in record["rulings"]] == [("rita", "approve")]
    assert len(record["runs"]) == 4
    assert record["stale_because"] == []


@pytest.mark.parametrize("change", [("state", "published"), ("runs", []), ("requested_by", "mallory")])
def test_any_change_is_found_out(signed: dict, change: tuple) -> None:
    signed["record"][change[0]] = change[1]
    with pytest.raises(DomainError, match="does not fit"):
        verified(signed)


def test_a_key_that_comes_with_the_forgery_proves_nothing(signed: dict, settings: Settings) -> None:
    ours = public_key()
    assert verified(signed, ours)
    settings.SECRET_KEY = "another server"
    with pytest.raises(DomainError, match="does not fit"):
        verified(signed)
    assert verified(signed, ours)


@pytest.mark.parametrize("document", [{}, [], "x", {"record": {}, "signature": "!"}, {"record": {}, "signature": 5}])
def test_what_is_no_record_is_refused(document: object) -> None:
    with pytest.raises(DomainError, match="not a sign-off record"):
        verified(document)


def test_the_command(signed: dict, tmp_path: Path) -> None:
    file, out = tmp_path / "record.json", StringIO()
    file.write_text(json.dumps(signed))
    call_command("verify_sign_off", str(file), stdout=out)
    assert "Valid: “Ship it?” of lab, approved, 4 runs." in out.getvalue()
    signed["record"]["title"] = "Other"
    file.write_text(json.dumps(signed))
    with pytest.raises(CommandError, match="does not fit"):
        call_command("verify_sign_off", str(file))
    file.write_text("{")
    with pytest.raises(CommandError):
        call_command("verify_sign_off", str(file))


def test_it_keeps_the_numbers_that_were_approved(review: Review, rita: User) -> None:
    services.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)
    review.refresh_from_db()
    Run.objects.filter(pk__in=review.runs).update(mean=0.1)

    record = sign_off(review)["record"]

    assert {run["mean"] for run in record["runs"]} == {0.75}
    assert record["stale_because"] == ["The numbers under review have changed since they were frozen."]
