"""REST, version 1: each app's resources under one roof."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
