"""Connections on which PostgreSQL keeps one plan of each statement, whatever its values: see prepared.py."""

from __future__ import annotations

from typing import Any, Self

import psycopg


class OnePlan(psycopg.Connection[Any]):
    """It asks for them once it is connected: poolers refuse startup parameters that they do not know."""

    @classmethod
    def connect(cls, conninfo: str = "", **given: Any) -> Self:
        made = super().connect(conninfo, **given)
        made.execute("SET plan_cache_mode = force_generic_plan")
        return made
