"""From the Markdown of the guide to pages with anchors, boxes for tables and buttons that copy.

The files are ours and part of the program, so HTML inside them is kept as it is; nothing a person types comes here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from webapp.pages.guide import CONTENTS, ORDER

FOLDER = Path(__file__).parent / "text"
TABLE = '<div class="scroll" tabindex="0" role="region" aria-label="Table {}, scrollable"><table class="table">'


@dataclass(frozen=True)
class Section:
    """A heading and the plain text below it. level: 2 or 3; the page itself is level 1, and its anchor is empty."""

    level: int
    anchor: str
    title: str
    text: str


@dataclass(frozen=True)
class Page:
    """part: of the contents. lead: its first paragraph. body: the HTML of the rest. sections: first the page's own."""

    slug: str
    part: str
    title: str
    lead: SafeString
    body: SafeString
    sections: tuple[Section, ...]

    @property
    def headings(self) -> list[Section]:
        return [section for section in self.sections if section.level > 1]


def anchor_of(title: str) -> str:
    """Rank intervals -> rank-intervals."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


class Renderer(RendererHTML):
    """Headings get anchors, tables a box that scrolls, code a button that copies it."""

    def heading_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
        return f'<{tokens[at].tag} id="{anchor_of(_words(tokens[at + 1]))}">'

    def heading_close(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
        title = _words(tokens[at - 1])
        link = '<a class="anchor" href="#{}" aria-label="Link to {}">#</a>'
        return format_html(f" {link}</{tokens[at].tag}>\n", anchor_of(title), title)

    def table_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
        return format_html(TABLE, sum(token.type == "table_open" for token in tokens[: at + 1]))

    def table_close(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
        return render_to_string("components/copy.html", {"text": tokens[at].content})


MARKDOWN = MarkdownIt("commonmark", {"html": True}, renderer_cls=Renderer).enable("table")


@cache
def pages() -> dict[str, Page]:
    """By name, in the order of the contents."""
    part = {slug: name for name, slugs in CONTENTS.items() for slug in slugs}
    return {slug: _read(slug, part[slug]) for slug in ORDER if (FOLDER / f"{slug}.md").exists()}


def _read(slug: str, part: str) -> Page:
    """A file starts with its title and one paragraph that says what the page is about."""
    tokens = MARKDOWN.parse((FOLDER / f"{slug}.md").read_text())
    # Title and lead are three tokens each: opened, written, closed.
    head, lead, rest = tokens[:3], tokens[3:6], tokens[6:]
    if (head[0].tag, lead[0].tag) != ("h1", "p"):
        raise ValueError(f"{slug}.md must start with a title and a paragraph")
    sections = _sections(tokens)
    return Page(slug, part, _words(head[1]), _drawn(lead[1:2]), _drawn(rest), sections)


def _drawn(tokens: Sequence[Token]) -> SafeString:
    html: str = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
    return SafeString(html)  # our own files


def _sections(tokens: Sequence[Token]) -> tuple[Section, ...]:
    found: list[tuple[int, str, list[str]]] = []
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            found.append((int(token.tag[1:]), _words(tokens[at + 1]), []))
        elif token.type in {"inline", "fence"} and tokens[at - 1].type != "heading_open":
            found[-1][2].append(_words(token))
    return tuple(
        Section(level, anchor_of(title) if level > 1 else "", title, " ".join(texts)) for level, title, texts in found
    )


def _words(token: Token) -> str:
    """The text without marks and HTML."""
    if token.children is None:
        return token.content
    return "".join(
        " " if one.type == "softbreak" else one.content for one in token.children if one.type != "html_inline"
    )
