"""Regular expressions that people type, matched by PostgreSQL: it needs no backtracking, and it keeps a deadline.

Python's `re` needs time exponential in the text for patterns like (a+)+$, and cannot be interrupted.
"""

from __future__ import annotations

from django.db import DataError, OperationalError, connection, transaction
from django.db.models import Q

from webapp.catalog.models import Contender

LONGEST = 80
SECONDS = 0.25


class BadPattern(Exception):
    """What is wrong with a pattern, as a sentence for who typed it."""


def contenders_like(pattern: str, leaderboard_id: int) -> set[int]:
    """Ids of the contenders of a board with the pattern (ARE, any case) in their name or their entry's title."""
    if len(pattern) > LONGEST:
        raise BadPattern(f"It is longer than {LONGEST} characters.")
    found = Contender.objects.filter(standings__leaderboard=leaderboard_id).filter(
        Q(name__iregex=pattern) | Q(version__entry__title__iregex=pattern)
    )
    try:
        with transaction.atomic():
            before = _set_deadline(f"{SECONDS * 1000:.0f}ms")
            matches = set(found.values_list("pk", flat=True))
            _set_deadline(before)
    except DataError as error:
        raise BadPattern(_sentence(error)) from error
    except OperationalError as error:
        raise BadPattern("It takes too long. Use fewer repetitions and no back-references.") from error
    return matches


def _set_deadline(value: str) -> str:
    """Of the statements of this transaction; returns what held before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)", [value]
        )
        return str(cursor.fetchone()[0])


def _sentence(error: DataError) -> str:
    """PostgreSQL says "invalid regular expression: parentheses () not balanced"."""
    reason = str(error).splitlines()[0].partition(": ")[2] or "it is not a regular expression"
    return f"{reason[0].upper()}{reason[1:]}."
