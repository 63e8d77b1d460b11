"""How reviews and rulings are told: by icon and word, and only then by colour."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django import template
from django.utils.html import escape, format_html, linebreaks
from django.utils.safestring import SafeString, mark_safe

from webapp.reviews.mentions import MENTION

register = template.Library()

# Icon, words, and the class that colours them.
STATES = {
    "draft": ("✎", "Draft", "none"),
    "in_review": ("◷", "In review", "queued"),
    "changes_requested": ("↺", "Changes requested", "failed"),
    "approved": ("✓", "Approved", "done"),
    "published": ("✔", "Published", "done"),
    "superseded": ("»", "Superseded", "none"),
    "withdrawn": ("■", "Withdrawn", "none"),
}
RULINGS = {
    "approve": ("✓", "Approved", "done"),
    "request_changes": ("↺", "Requested changes", "failed"),
    "comment": ("✎", "Commented", "none"),
}
ANSWERS = {
    "waiting": ("◷", "Not yet", "queued"),
    "approved": ("✓", "Approved", "done"),
    "changes": ("↺", "Requested changes", "failed"),
    "stale": ("◌", "Approved earlier numbers", "queued"),
}
CHECKS = {True: ("✓", "Passed", "done"), False: ("!", "Look at this", "failed"), None: ("—", "Not known", "none")}
# What a ruling counts for, where it does not simply count.
STATUSES = {
    "stale": "for earlier numbers: it no longer counts",
    "overtaken": "overtaken, or its author may not review any more",
    "dismissed": "set aside",
}


@register.simple_tag
def review_state(value: str) -> SafeString:
    return _told(STATES[value])


@register.simple_tag
def ruling(value: str) -> SafeString:
    return _told(RULINGS[value])


@register.simple_tag
def reviewer_answer(value: str) -> SafeString:
    return _told(ANSWERS[value])


@register.simple_tag
def check_result(passed: bool | None) -> SafeString:
    return _told(CHECKS[passed])


@register.filter
def ruling_status(value: str) -> str:
    return STATUSES.get(value, "")


@register.filter
def with_mentions(text: str, people: Mapping[str, str]) -> SafeString:
    """A text in paragraphs, its @names linked where `people` (name in lower case -> address) has them."""

    def link(found: re.Match[str]) -> str:
        address = people.get(found[1].lower())
        return format_html('<a href="{}">{}</a>', address, found[0]) if address else found[0]

    return mark_safe(linebreaks(MENTION.sub(link, escape(text))))  # noqa: S308 - escaped just here


def _told(said: tuple[str, str, str]) -> SafeString:
    icon, words, kind = said
    return format_html('<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>', kind, icon, words)
