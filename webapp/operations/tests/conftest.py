"""A whole platform at work: one of each thing."""

from __future__ import annotations

from webapp.tests.permission_world import people, world  # noqa: F401 - fixtures
