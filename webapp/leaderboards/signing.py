"""The mark of a published review on the standings of a board; whoever reviews calls this, a board knows no review."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from webapp.leaderboards.cells import RUN, fingerprint
from webapp.leaderboards.models import Leaderboard, Standing
from webapp.leaderboards.ordering import complete
from webapp.live import publish


@transaction.atomic
def sign_off(*, board_id: int, review: int, runs: Collection[int]) -> int:
    """Mark every complete contender whose results are all among these runs, and take the mark from all others.

    review: the number that the marks show. Returns how many contenders are marked.
    """
    board = Leaderboard.objects.select_for_update().get(pk=board_id)
    board.version += 1
    signed, marked = set(runs), 0
    standings = list(board.standings.select_related("contender"))
    for one in standings:
        covered = complete(one) and all(cell[RUN] in signed for cell in one.cells)
        one.signed_off, one.signed_hash = (review, fingerprint(one.cells)) if covered else (None, "")
        marked += covered
    Standing.objects.bulk_update(standings, ["signed_off", "signed_hash"], batch_size=500)
    board.save(update_fields=["version"])
    publish(f"leaderboard.{board.pk}", board=board.pk, version=board.version)
    return marked
