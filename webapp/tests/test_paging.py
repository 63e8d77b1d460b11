from __future__ import annotations

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from webapp import paging
from webapp.accounts.models import AuditEvent, Team
from webapp.accounts.selectors import audit_events
from webapp.paging import Pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(team: Team, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of twelve lines of the audit log, the newest first, where ten may be paged through."""
    monkeypatch.setattr(paging, "LONGEST", 10)
    AuditEvent.objects.bulk_create(AuditEvent(team=team, actor_name="a", verb="did", target="it") for _ in range(12))
    return list(audit_events(team).values_list("pk", flat=True))


def shown(pages: Pages, number: int) -> str:
    page, request = pages.get_page(number), RequestFactory().get("/")
    return render_to_string("components/pagination.html", {"page": page}, request=request)


def test_a_long_list_is_counted_and_shown_to_its_bound(team: Team, log: list[int]) -> None:
    pages = Pages(audit_events(team), 4)
    assert [[one.pk for one in pages.page(at)] for at in pages.page_range] == [log[:4], log[4:8], log[8:10]]
    assert [one.pk for one in pages.get_page(99)] == log[8:10]
    assert "9–10 of more than 10" in shown(pages, 3)


def test_the_count_reads_no_further_than_the_bound(team: Team, log: list[int]) -> None:
    pages = Pages(audit_events(team), 4)
    with CaptureQueriesContext(connection) as queries:
        assert (pages.count, pages.more, pages.num_pages) == (10, True, 3)
    assert len(queries) == 1
    assert "LIMIT 11" in queries[0]["sql"]


def test_a_list_within_the_bound_is_counted_whole(team: Team, log: list[int]) -> None:
    pages = Pages(audit_events(team).filter(pk__in=log[:10]), 4)
    assert (pages.count, pages.more) == (10, False)
    assert "1–4 of 10<" in shown(pages, 1)
