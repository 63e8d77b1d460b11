"""Somebody new, in an empty team: every list says what is missing and leads to what to do next."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.urls import resolve, reverse

from webapp.tests import factories
from webapp.tests.addresses import methods_of, routes
from webapp.tests.test_templates import ACTIONS, APPS, FRAGMENTS

# Lists that say what there is nothing of in a sentence beside what makes one, not in a box of their own.
OTHERWISE = {
    "pages:workers": "python -m workers",
    "accounts:profile": "New token",
}


class Boxes(HTMLParser):
    """The links in each element of the class `empty`."""

    VOID = {"input", "br", "img", "meta", "link", "hr", "path", "rect"}

    def __init__(self) -> None:
        super().__init__()
        self.boxes, self.depth = [], 0

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if self.depth or "empty" in found.get("class", "").split():
            if not self.depth:
                self.boxes.append([])
            if tag == "a":
                self.boxes[-1].append(found["href"])
            self.depth += tag not in self.VOID

    def handle_endtag(self, tag):
        self.depth -= bool(self.depth) and tag not in self.VOID


def plain_pages():
    """Pages that need nothing to be opened."""
    for name, pattern in routes():
        app = name.partition(":")[0]
        if app in APPS and name not in ACTIONS | FRAGMENTS and not pattern.pattern.converters:
            yield name


def boxes_of(page):
    parser = Boxes()
    parser.feed(page)
    return parser.boxes


@pytest.fixture
def newcomer(client, db):
    client.force_login(factories.person("newcomer"))
    return client


@pytest.mark.parametrize("name", sorted(set(plain_pages())))
def test_an_empty_page_leads_on(name, newcomer):
    response = newcomer.get(reverse(name))
    if response.status_code != 200:
        pytest.fail(f"{name} answers {response.status_code}") if response.status_code >= 500 else None
        return
    page = response.content.decode()
    for links in boxes_of(page):
        assert links or OTHERWISE.get(name, "\0") in page, f"{name} says that there is nothing, and not what to do"
        assert all(resolve(re.split("[?#]", link)[0]) for link in links if link.startswith("/"))


LISTS = (
    "catalog:entries", "catalog:benchmarks", "catalog:suites", "catalog:calibration_sets", "jobs:jobs",
    "results:reports", "results:compare", "leaderboards:leaderboards", "reviews:reviews", "releases:releases",
)  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_has_its_box(name, newcomer):
    assert boxes_of(newcomer.get(reverse(name)).content.decode())


def test_the_way_from_nothing_is_open(newcomer):
    """Each step of the home page leads to a form, or to what has to be there first."""
    for step in newcomer.get("/").context["walk"].steps:
        page = newcomer.get(step.url).content.decode()
        assert re.search(r"<form[^>]*method=\"post\"", page) or any(boxes_of(page)), step.url


def test_methods_of_plain_pages_are_known():
    """The walk above is over functions that read; a class would say its methods."""
    assert any(methods_of(pattern) is None for _, pattern in routes())
