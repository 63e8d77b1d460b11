"""Choosing among few entries, and among hundreds: what is listed is bounded, and what is chosen is never lost."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from webapp.accounts.models import Team, User
from webapp.catalog.models import EntryVersion, Suite
from webapp.jobs import choosing
from webapp.jobs.models import Job
from webapp.tests import factories

LISTED = 5


class Page(HTMLParser):
    """The boxes of entries in their order, and which are ticked; the words."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.boxes: list[int] = []
        self.ticked: list[int] = []
        self.names: set[str] = set()
        self.words = ""
        self.feed(answer.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.names.add(found.get("name") or "")
        if found.get("name") == "entries":
            self.boxes.append(int(found["value"] or 0))
            self.ticked += self.boxes[-1:] if "checked" in found else []

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch, alice: User, team: Team, suite: Suite) -> list[EntryVersion]:
    """Ten entries of the lab, oldest first, where five are listed."""
    monkeypatch.setattr(choosing, "LISTED", LISTED)
    return factories.many_entries(alice, team, [f"llama-{at}" for at in range(10)])


@pytest.fixture
def person(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def pks(versions: list[EntryVersion]) -> list[int]:
    return [version.pk for version in versions]


def find(person: Client, words: str, *chosen: EntryVersion) -> Page:
    return Page(person.post("/jobs/entries/", {"find": words, "entries": pks([*chosen])}))


@pytest.mark.parametrize("address", ["/jobs/new/", "/searches/new/"])
def test_few_entries_are_all_listed_by_name(
    person: Client, alice: User, team: Team, suite: Suite, address: str
) -> None:
    b, c, a = factories.many_entries(alice, team, ["b", "c", "a"])
    page = Page(person.get(f"{address}?entry={c.pk}"))
    assert (page.boxes, page.ticked) == (pks([a, b, c]), [c.pk])
    assert "Chosen" not in page.words
    assert "find" not in page.names


@pytest.mark.parametrize("address", ["/jobs/new/", "/searches/new/"])
def test_of_many_the_chosen_are_listed_and_then_the_newest(
    person: Client, many: list[EntryVersion], address: str
) -> None:
    page = Page(person.get(f"{address}?entry={many[0].pk}&entry={many[8].pk}"))
    assert page.boxes == pks([many[0], many[8], many[9], many[7], many[6], many[5], many[4]])
    assert page.ticked == pks([many[0], many[8]])
    assert f"The {LISTED} newest entries are listed. Type to find any other." in page.words


def test_more_entries_make_the_page_neither_longer_nor_dearer(
    person: Client, many: list[EntryVersion], alice: User, team: Team
) -> None:
    def asked() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            page = person.get("/jobs/new/")
        return len(Page(page).boxes), len(queries)

    before = asked()
    factories.many_entries(alice, team, [f"more-{at}" for at in range(30)])
    assert asked() == before == (LISTED, before[1])


def test_what_is_chosen_stays_whatever_is_looked_for(person: Client, many: list[EntryVersion]) -> None:
    page = find(person, "llama-7", many[1], many[2])
    assert (page.boxes, page.ticked) == (pks([many[1], many[2], many[7]]), pks([many[1], many[2]]))
    assert "1 entry matches." in page.words
    page = find(person, "no such thing", many[1])
    assert page.boxes == page.ticked == [many[1].pk]
    assert "No other entry matches “no such thing”." in page.words
    page = find(person, "llama", many[9])
    assert page.boxes == pks([many[9], *many[4:9][::-1]]), "once, though it matches"
    assert "Type more." in page.words
    assert find(person, "", many[1]).boxes == pks([many[1], *many[5:][::-1]]), "cleared: as it began"


def test_all_words_are_looked_for_in_name_title_tags_and_team(
    person: Client, many: list[EntryVersion], alice: User, team: Team, charlie: User
) -> None:
    told = {"title": "A Bird of Prey", "tags": ["open"]}
    [hawk] = factories.many_entries(alice, team, ["hawk-7b"], **told)
    factories.many_entries(charlie, charlie.memberships.get().team, ["hawk-of-strangers"])
    for words in ("HAWK", "bird prey", "open", "hawk lab", " 7b  open "):
        assert find(person, words).boxes == [hawk.pk], words
    for words in ("hawk 8b", "ope", "strangers", "100%", "_"):
        assert find(person, words).boxes == [], words
    assert find(person, "hawk\0").boxes == [hawk.pk], "PostgreSQL knows no such character"


def test_the_newest_version_is_offered_and_an_older_one_is_not(
    person: Client, many: list[EntryVersion], alice: User
) -> None:
    newer = EntryVersion.objects.create(
        entry=many[0].entry, number=2, source="directory", location="/2", fingerprint="2", created_by=alice
    )
    assert find(person, "llama-0").boxes == [newer.pk]
    assert find(person, "llama-1", many[0]).boxes == [many[1].pk]


def test_a_mistake_costs_no_choice(person: Client, many: list[EntryVersion], suite: Suite) -> None:
    sent = {"suite": suite.pk, "entries": pks([many[0], many[9]]), "find": "llama-3", "title": "Mine"}
    answer = person.post("/jobs/new/", sent)
    page = Page(answer)
    assert answer.status_code == 422
    assert (page.boxes, page.ticked) == (pks([many[0], many[9], many[3]]), pks([many[0], many[9]]))
    assert "Choose at least one scheme." in page.words


@pytest.mark.parametrize("address", ["/jobs/new/", "/searches/new/"])
def test_without_javascript_a_button_looks_and_keeps_what_was_typed(
    person: Client, many: list[EntryVersion], address: str
) -> None:
    sent = {"look": "entries", "find": "llama-3", "entries": pks([many[0]]), "title": "Mine", "seed": "x"}
    answer = person.post(address, sent)
    page = Page(answer)
    assert answer.status_code == 200
    assert (page.boxes, page.ticked) == (pks([many[0], many[3]]), pks([many[0]]))
    assert answer.context["form"]["title"].value() == "Mine"
    assert "needs a change" not in page.words
    assert not Job.objects.exists()


@pytest.mark.parametrize("nonsense", ["x", "-1", "9" * 5000, "²", ""])
def test_an_address_with_nonsense_chooses_nothing(person: Client, many: list[EntryVersion], nonsense: str) -> None:
    for address in ("/jobs/new/", "/searches/new/"):
        assert Page(person.get(address, {"entry": nonsense})).ticked == []
    assert Page(person.post("/jobs/entries/", {"entries": nonsense})).ticked == []
