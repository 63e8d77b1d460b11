"""How samples are listed: a page has fifty of them, so a row is one call here and not a loop of tags."""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.template.defaultfilters import truncatechars
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from webapp.pages.templatetags.crosstable import MISSING, count, dollars
from webapp.results.selectors import SampleRow

register = template.Library()
ANSWERS = 3  # of several attempts, the most frequent
ROW = """<tr>
      <td class="num"><a href="{page}">{index}</a></td>
      <td class="clip">{prompt}</td>
      <td class="clip">{answer}</td><td class="clip">{target}</td>
      <td class="nowrap">{outcome}</td>
      <td class="num nowrap">{tokens_in} → {tokens_out}</td><td class="num">{cost}</td></tr>"""


@register.simple_tag
def sample_row(row: SampleRow, several: bool) -> SafeString:
    """several: whether the run makes more than one attempt at each sample."""
    score, sample = row.score, row.sample
    page = reverse("results:sample", args=[score.run_id, score.index])
    link = '<a class="plain" href="{}" tabindex="-1">{}</a>'
    return format_html(
        ROW,
        page=page,
        index=score.index,
        prompt=format_html(link, page, sample.prompt[-160:]) if sample else MISSING,
        answer=_answers(row) if several else truncatechars(score.answer, 80),
        target=truncatechars(sample.target, 80) if sample else "",
        outcome=f"{row.right} of {len(row.attempts)} right" if several else outcome(score.score),
        tokens_in=_count(row.tokens_in),
        tokens_out=_count(row.tokens_out),
        cost=dollars(row.cost_usd),
    )


def _answers(row: SampleRow) -> SafeString:
    shown = ((truncatechars(answer, 30) or "(nothing)", times) for answer, times in row.answers[:ANSWERS])
    more = " …" if len(row.answers) > ANSWERS else ""
    return format_html("{}{}", format_html_join(", ", '{} <span class="quiet">× {}</span>', shown), more)


def _count(value: float | None) -> str:
    return count(None if value is None else int(value))


@register.simple_tag
@lru_cache(maxsize=256)
def outcome(score: float) -> SafeString:
    """Whether it is right, in a sign and a word. Most scores are 0 or 1."""
    return render_to_string("components/outcome.html", {"score": score})
