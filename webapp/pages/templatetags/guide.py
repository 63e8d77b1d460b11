"""The “?” beside a number's name, and links into the guide. Built in: no page needs to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import slugify

from webapp.pages.metrics import BY_LABEL, METRICS

register = template.Library()
COMPONENT = "components/metric.html"


@register.inclusion_tag(COMPONENT)
def explain(key: str, place: str | int = "") -> dict[str, Any]:
    """The “?” of a metric by its key; nothing where the key is that of something without one, such as another order.

    place: tells two of the same metric on one page apart.
    """
    return {"metric": METRICS.get(key), "id": f"{key}-{place}" if place else key}


@register.inclusion_tag(COMPONENT)
def explain_label(label: str, place: str | int = "") -> dict[str, Any]:
    """The “?” of the metric that a heading names; nothing where it names none."""
    name = slugify(label)
    return {"metric": BY_LABEL.get(label), "id": f"{name}-{place}" if place else name}


@register.filter
def guide_url(section: str) -> str:
    """page#section -> its address."""
    slug, _, anchor = section.partition("#")
    return reverse("pages:guide", args=[slug]) + (f"#{anchor}" if anchor else "")


@register.simple_tag(takes_context=True)
def specimen(context: Context, name: str, about: Mapping[str, Any]) -> str:
    """A component drawn with made-up contents."""
    return render_to_string(name, dict(about), request=context["request"])
