"""Results that were made here, exported, and brought back: which run's very scores they are."""

from __future__ import annotations

from webapp.accounts.models import User
from webapp.imports.planning import PlannedRun
from webapp.jobs.models import Run
from webapp.jobs.selectors import runs
from webapp.results.models import PackedScores


def original(*, actor: User, planned: PlannedRun, run: Run, packed: PackedScores) -> int | None:
    """The run of the team that this one is a copy of, if the person may see it: of the same entry, scheme and
    questions, and equal in every score. Of several, the one whose number the file states, else the newest."""
    key = planned.found.key
    here = runs(actor).filter(team=run.team_id, version=run.version_id, origin=Run.Origin.HERE, state=Run.State.DONE)
    here = here.filter(contender__name__endswith=f"@{planned.scheme}", contender__version__entry__name=key.entry)
    if key.version is not None:
        here = here.filter(contender__version__number=key.version)
    equal = PackedScores.objects.filter(dtype=packed.dtype, attempts=packed.attempts, values=packed.values)
    found = equal.filter(run__in=here.order_by().values("pk")).values_list("run", flat=True)
    return max(found, key=lambda pk: (str(pk) == key.run, pk), default=None)
