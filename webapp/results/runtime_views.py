"""Runtime and energy of a suite's or a benchmark's contenders, with what a reader states of prices and of the grid."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from webapp.requests import MemberRequest
from webapp.results import candidates
from webapp.results.runtime_report import Assumed, RuntimeView, runtime_view


class AssumedForm(forms.Form):
    """What is stated, not measured. Empty: the columns that rest on it are dashes."""

    hour_usd = forms.FloatField(
        required=False, min_value=0, max_value=1e6, label="Device hour, US$", help_text="For the idealised cost."
    )
    grid = forms.FloatField(
        required=False, min_value=0, max_value=5000, label="Grid, g CO₂e per kWh", help_text="For emissions of energy."
    )


def runtime(request: MemberRequest) -> HttpResponse:
    """By `suite`, `benchmark` or `runs` in the address, as reports are asked for."""
    data = candidates.find(request.user, request.GET.dict())
    form = AssumedForm(request.GET)
    stated = form.cleaned_data if form.is_valid() else {}
    view: RuntimeView | None = None
    if data is not None:
        found = candidates.candidates(request.user, data)
        view = runtime_view(candidates.runs_of(found.complete), Assumed(stated.get("hour_usd"), stated.get("grid")))
    context: dict[str, Any] = {
        "data": data,
        "view": view,
        "form": form,
        "choices": candidates.choices(request.user),
        "scripts": RuntimeView.scripts,
        "crumbs": [("Reports", reverse("results:reports")), ("Runtime and energy", "")],
    }
    return render(request, "results/runtime.html", context)
