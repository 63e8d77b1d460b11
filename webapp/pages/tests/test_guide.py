"""The guide: every link leads somewhere, every page of the site has its section, and what is looked for is found."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from django.urls import Resolver404, resolve

from webapp.pages.guide import ORDER
from webapp.pages.guide.finding import BY_APP, EXPLAINED, explained, neighbours, search
from webapp.pages.guide.reading import FOLDER, anchor_of, pages
from webapp.pages.metrics import METRICS
from webapp.tests.addresses import routes
from webapp.tests.test_templates import APPS


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if "id" in found:
            self.ids.append(found["id"])


def parsed(html: str) -> Links:
    links = Links()
    links.feed(html)
    return links


def anchors(section: str) -> tuple[str, str]:
    slug, _, anchor = section.partition("#")
    return slug, anchor


def exists(section: str) -> bool:
    slug, anchor = anchors(section)
    return slug in pages() and (not anchor or anchor in {one.anchor for one in pages()[slug].headings})


def is_there(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def test_every_file_has_its_place_in_the_contents():
    assert sorted(ORDER) == sorted(path.stem for path in FOLDER.glob("*.md"))


@pytest.mark.parametrize("slug", pages())
def test_every_link_of_a_page_leads_somewhere(slug, client, db):
    response = client.get(f"/help/{slug}/")
    found = parsed(response.content.decode())

    assert response.status_code == 200
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        address, _, anchor = link.partition("#")
        if address.startswith("/help/") and address != "/help/":
            name = address.removeprefix("/help/").strip("/")
            assert name in pages(), link
            if anchor and name != slug:
                assert exists(f"{name}#{anchor}") or (name == "glossary" and anchor in METRICS), link
        elif not address:
            assert anchor in found.ids, link
        elif address.startswith("/"):
            assert is_there(address.partition("?")[0]), link
        else:
            assert address.startswith("https://"), link


@pytest.mark.parametrize("slug", pages())
def test_a_page_starts_with_title_and_lead_and_is_short(slug):
    page = pages()[slug]
    levels = [section.level for section in page.sections]

    assert page.title
    assert len(page.lead) > 20
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len((FOLDER / f"{slug}.md").read_text().splitlines()) < 260


def test_every_address_leads_to_its_section():
    names = [name for name, _ in routes() if name.partition(":")[0] in APPS]

    assert all(exists(explained(name)) for name in names if not name.startswith("pages:"))
    assert set(EXPLAINED) <= {name for name, _ in routes()}
    assert set(BY_APP) == set(APPS)
    assert all(exists(section) for section in [*EXPLAINED.values(), *BY_APP.values()])


def test_a_page_of_the_site_links_to_what_explains_it(client, alice):
    client.force_login(alice)

    page = client.get("/jobs/new/").content.decode()

    assert 'href="/help/jobs/#submit">Help on this page' in page


def test_headings_are_found_before_text():
    hits = search("rank intervals")

    assert (hits[0].page.slug, hits[0].section.anchor) == ("boards", "rank-intervals"), "the page before the glossary"
    assert search("interval rank")[0].section.anchor == "rank-intervals"
    assert any(hit.page.slug == "jobs" for hit in search("seed"))
    assert search("") == search("zyzzyva") == []


def test_numbers_are_found_too_and_words_stay_whole():
    hits = search("essential")

    assert ("glossary", "essentialness") in {(hit.page.slug, hit.section.anchor) for hit in hits}
    for hit in search("the"):
        words = set(re.findall(r"\w+", hit.section.text))
        assert set(re.findall(r"\w+", hit.excerpt)) <= words


def test_the_search_shows_what_it_found_and_what_to_do_otherwise(client, db):
    assert "/help/boards/#rank-intervals" in client.get("/help/?q=rank+intervals").content.decode()
    nothing = client.get("/help/?q=zyzzyva").content.decode()
    assert "Nothing says that" in nothing
    assert "All contents" in nothing


def test_what_is_looked_for_is_escaped(client, db):
    assert "<img" not in client.get("/help/?q=<img src=x>").content.decode().split("<main", 1)[1]


def test_pages_follow_each_other():
    there = list(pages())

    assert neighbours(there[0]) == (None, pages()[there[1]])
    assert neighbours(there[-1])[1] is None


def test_a_page_that_is_not_there_is_not_found(client, db):
    assert client.get("/help/nowhere/").status_code == 404


def test_anchors_are_plain():
    assert anchor_of("What it takes: E[S] & more") == "what-it-takes-e-s-more"


def test_sections_hold_their_text_without_marks():
    section = next(one for one in pages()["benchmarks"].headings if one.anchor == "suites")

    assert "suite takes the newest version" in section.text
    assert not re.search(r"[*`]|\]\(", section.text)
