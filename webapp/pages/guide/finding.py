"""Ways into the guide: the section that explains a page, a search over its headings, the neighbours of a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from webapp.pages.guide import ORDER
from webapp.pages.guide.reading import Page, Section, pages
from webapp.pages.metrics import METRICS

MOST = 30
AROUND = 80  # characters of text on each side of what was found

# Address -> page or page#section that explains it; below, by app, where an address has none of its own.
EXPLAINED = {
    "pages:home": "first-steps",
    "pages:workers": "jobs#workers",
    "pages:design": "glossary",
    "accounts:profile": "rest#tokens",
    "accounts:team": "security#roles",
    "accounts:create_team": "security#roles",
    "accounts:audit": "security#audit-log",
    "catalog:benchmarks": "benchmarks",
    "catalog:benchmark": "benchmarks",
    "catalog:create_benchmark": "benchmarks#write-your-own",
    "catalog:add_benchmark_version": "benchmarks#write-your-own",
    "catalog:suites": "benchmarks#suites",
    "catalog:suite": "benchmarks#suites",
    "catalog:create_suite": "benchmarks#suites",
    "catalog:calibration_sets": "schemes#calibration-sets",
    "catalog:create_calibration_set": "schemes#calibration-sets",
    "catalog:add_price": "entries#prices",
    "catalog:price_list": "entries#prices",
    "jobs:submit_job": "jobs#submit",
    "jobs:run": "jobs#runs",
    "results:runtime": "cost-of-pass#runtime-and-energy",
    "results:compare": "compare",
    "results:compare_sample": "compare#side-by-side",
    "results:linear_audit": "linear-audits",
    "results:sample": "jobs#samples",
    "results:samples": "jobs#samples",
    "leaderboards:tournament": "tournament",
    "leaderboards:create_leaderboard": "boards#make-a-board",
    "leaderboards:change_leaderboard": "boards#make-a-board",
    "imports:imports": "imports-exports#import-results",
    "imports:new_import": "imports-exports#import-results",
    "reviews:sign_off": "reviews#the-record",
    "operations:disk_usage": "production#disk-and-retention",
    "schema": "rest",
    "docs": "rest",
}
BY_APP = {
    "pages": "first-steps",
    "accounts": "security",
    "notices": "notices",
    "catalog": "entries",
    "jobs": "jobs",
    "results": "reports",
    "searches": "spending-less#run-a-search",
    "leaderboards": "boards",
    "releases": "releases",
    "reviews": "reviews",
    "imports": "imports-exports",
    "exports": "imports-exports",
    "removals": "security#deleting",
    "operations": "production",
}


@dataclass(frozen=True)
class Hit:
    page: Page
    section: Section
    excerpt: str


def explained(view_name: str) -> str:
    """What of the guide explains the page at this address: "page" or "page#section"; empty where nothing does."""
    return EXPLAINED.get(view_name) or BY_APP.get(view_name.partition(":")[0], "")


def search(words: str) -> list[Hit]:
    """Sections that hold every word: those with all of them in their heading first, then by the contents' order."""
    wanted = words.lower().split()
    if not wanted:
        return []
    headed, other = [], []
    for page, section in _everything():
        title, text = section.title.lower(), section.text.lower()
        if all(word in title for word in wanted):
            headed.append(Hit(page, section, shortened(section.text, 2 * AROUND)))
        elif all(word in title or word in text for word in wanted):
            other.append(Hit(page, section, _excerpt(section.text, wanted)))
    return (headed + other)[:MOST]


def _everything() -> Iterator[tuple[Page, Section]]:
    """The sections of all pages, then the numbers, which stand in the glossary."""
    for page in pages().values():
        for section in page.sections:
            yield page, section
    for metric in METRICS.values():
        yield pages()["glossary"], Section(2, metric.key, ", ".join(metric.labels), metric.text)


def neighbours(slug: str) -> tuple[Page | None, Page | None]:
    """The pages before and after."""
    there = [one for one in ORDER if one in pages()]
    at = there.index(slug)
    before = pages()[there[at - 1]] if at else None
    after = pages()[there[at + 1]] if at + 1 < len(there) else None
    return before, after


def _excerpt(text: str, wanted: list[str]) -> str:
    at = min((place for word in wanted if (place := text.lower().find(word)) >= 0), default=0)
    start = max(0, at - AROUND)
    if not start:
        return shortened(text, 2 * AROUND)
    return "… " + shortened(text[start:].partition(" ")[2], 2 * AROUND)


def shortened(text: str, length: int) -> str:
    """Whole words only."""
    return text if len(text) <= length else text[:length].rpartition(" ")[0] + " …"
