"""A change of SECRET_KEY loses nothing, and afterwards the old key opens nothing."""

from __future__ import annotations

import json
import time
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import CommandError, call_command
from django.db.models import BinaryField

from webapp.accounts.models import Team, User
from webapp.catalog.models import EntryVersion
from webapp.catalog.sealing import KEYS
from webapp.errors import DomainError
from webapp.notices.models import Webhook
from webapp.notices.webhooks import SECRETS
from webapp.operations.rotation import SEALED, has_present_key
from webapp.reviews import services as reviews
from webapp.reviews.record import sign_off, verified
from webapp.reviews.subjects import Subject
from webapp.tests import factories

OLD, NEW = "old-key-" * 8, "new-key-" * 8


def rotate(**options: Any) -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def sealed(settings: Any, alice: User, team: Team, entry: EntryVersion, other_entry: EntryVersion) -> EntryVersion:
    """An endpoint's key and a webhook's secret from the time of the old key; another entry has none."""
    settings.SECRET_KEY = OLD
    EntryVersion.objects.filter(pk=entry.pk).update(sealed_key=KEYS.seal("sk-1"))
    factories.webhook(alice, team)
    Webhook.objects.update(sealed_secret=SECRETS.seal("whsec-1"))
    return entry


def opened() -> tuple[str, str]:
    key = EntryVersion.objects.exclude(sealed_key=b"").get().sealed_key
    return KEYS.unseal(key), SECRETS.unseal(Webhook.objects.get().sealed_secret)


def test_every_sealed_column_is_known() -> None:
    columns = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, BinaryField) and field.name.startswith("sealed")
    }
    assert columns == {(model, column) for model, column, _ in SEALED}


def test_secrets_are_read_before_during_and_after_and_the_old_key_is_then_useless(
    settings: Any, sealed: EntryVersion
) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert opened() == ("sk-1", "whsec-1")
    with pytest.raises(CommandError, match="2 secrets still need a former key"):
        rotate(check=True)
    assert rotate().startswith("2 secrets were sealed")
    settings.SECRET_KEY_FALLBACKS = []
    assert opened() == ("sk-1", "whsec-1")
    assert rotate(check=True).startswith("0 secrets")
    settings.SECRET_KEY = OLD
    with pytest.raises(DomainError, match="cannot be decrypted"):
        opened()


def test_a_second_turn_changes_nothing(settings: Any, sealed: EntryVersion) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    rotate()
    before = bytes(EntryVersion.objects.get(pk=sealed.pk).sealed_key)
    assert rotate().startswith("0 secrets")
    assert bytes(EntryVersion.objects.get(pk=sealed.pk).sealed_key) == before


def test_without_the_old_key_nothing_is_lost_and_the_rows_are_named(settings: Any, sealed: EntryVersion) -> None:
    settings.SECRET_KEY = NEW
    with pytest.raises(CommandError, match=rf"catalog.EntryVersion {sealed.pk}, notices.Webhook \d+ \(2 in all\)"):
        rotate()
    settings.SECRET_KEY_FALLBACKS = [OLD]
    assert opened() == ("sk-1", "whsec-1")


def test_sessions_outlive_the_change(settings: Any, db: None) -> None:
    settings.SECRET_KEY = OLD
    session = SessionStore()
    session["who"] = "alice"
    session.save()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert SessionStore(session.session_key)["who"] == "alice"


def test_old_sign_offs_verify_with_the_fallback_and_then_with_the_key_that_is_printed(
    settings: Any, alice: User, rita: User, job: Any, team: Team
) -> None:
    settings.SECRET_KEY = OLD
    runs = [factories.finish([True, False, True, True]) for _ in range(4)]
    subject = Subject(runs=[run.pk for run in runs])
    review = reviews.request_review(actor=alice, team=team, title="Ship it?", reviewers=[rita], subject=subject)
    reviews.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)
    review.refresh_from_db()
    document = json.loads(json.dumps(sign_off(review)))

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert verified(document)["team"] == "lab"
    line = next(line for line in rotate().splitlines() if line.startswith("CROSSTABLE_RETIRED_SIGNING_KEYS="))
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(DomainError, match="does not fit"):
        verified(document)
    settings.RETIRED_SIGNING_KEYS = line.partition("=")[2].split(",")
    assert verified(document)["team"] == "lab"
    document["record"]["team"] = "another"
    with pytest.raises(DomainError, match="does not fit"):
        verified(document)


class TestPresentKey:
    """Of a host: that which sealed last, here or elsewhere."""

    def test_is_any_while_nothing_is_sealed(self, settings: Any, entry: EntryVersion) -> None:
        settings.SECRET_KEY = NEW
        assert has_present_key()

    def test_is_not_that_of_another_platform(self, settings: Any, sealed: EntryVersion) -> None:
        assert has_present_key()
        settings.SECRET_KEY = NEW
        assert not has_present_key()
        settings.SECRET_KEY_FALLBACKS = [OLD]
        assert has_present_key()

    def test_is_that_of_a_new_secret_before_and_after_the_others_are_sealed_anew(
        self, settings: Any, sealed: EntryVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One row that no key opens any more stops nobody."""
        honest = time.time
        monkeypatch.setattr(time, "time", lambda: honest() + 2)
        settings.SECRET_KEY = NEW
        Webhook.objects.update(sealed_secret=SECRETS.seal("whsec-2"))
        assert has_present_key()
        settings.SECRET_KEY = OLD
        assert not has_present_key()
