"""Imports: the list, bringing a file, and the page of one with its progress."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from evaluation.importing import FORMATS
from evaluation.importing.rows import COLUMNS
from webapp.accounts.selectors import May, may, teams_where
from webapp.bounds import brings_files
from webapp.imports import selectors, services
from webapp.imports.forms import ImportForm
from webapp.imports.models import Import
from webapp.requests import MemberRequest

UP = ("Jobs", "jobs:jobs"), ("Imports", "imports:imports")


def _crumbs(*more: tuple[str, str]) -> list[tuple[str, str]]:
    return [*((title, reverse(name)) for title, name in UP[: 1 + bool(more)]), *(more or [("Imports", "")])]


def _import(request: MemberRequest, pk: int) -> Import:
    return get_object_or_404(selectors.imports(request.user), pk=pk)


def imports(request: MemberRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    known = state if state in Import.State.values else ""
    page = Paginator(selectors.imports(request.user, state=known), 50).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "state": known,
        "states": Import.State.choices,
        "may_submit": teams_where(request.user, May.SUBMIT).exists(),
        "crumbs": _crumbs(),
    }
    return render(request, "imports/imports.html", context)


@brings_files
def new_import(request: MemberRequest) -> HttpResponse:
    form = ImportForm(request.user, request.POST or None, request.FILES or None)
    if request.method == "POST" and (made := form.attempt(services.import_file, actor=request.user)):
        return redirect("imports:import", made.pk)
    context = {
        "form": form,
        "formats": FORMATS.values(),
        "columns": COLUMNS,
        "limits": {"bytes": settings.IMPORT_BYTES, "rows": settings.IMPORT_ROWS},
        "chunk_bytes": settings.IMPORT_CHUNK_BYTES,
        "crumbs": _crumbs(("New import", "")),
    }
    return render(request, "imports/new_import.html", context, status=form.status)


def import_(request: MemberRequest, pk: int) -> HttpResponse:
    found = _import(request, pk)
    return render(
        request, "imports/import.html", _shown(request, found) | {"crumbs": _crumbs((f"Import {found.pk}", ""))}
    )


def import_state(request: MemberRequest, pk: int) -> HttpResponse:
    return render(request, "imports/_import_state.html", _shown(request, _import(request, pk)))


def _shown(request: MemberRequest, found: Import) -> dict[str, Any]:
    return {
        **selectors.import_context(found, request.user),
        "may_submit": may(request.user, found.team, May.SUBMIT),
    }


@require_POST
def load_import(request: MemberRequest, pk: int) -> HttpResponse:
    services.load_import(actor=request.user, job=_import(request, pk))
    return redirect("imports:import", pk)


@require_POST
def cancel_import(request: MemberRequest, pk: int) -> HttpResponse:
    services.cancel_import(actor=request.user, job=_import(request, pk))
    return redirect("imports:import", pk)
