"""A platform on throw-away servers, filled for measuring."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from deploy.local import throwaway

if TYPE_CHECKING:
    from webapp.jobs.models import Run


def ready() -> None:
    """Servers, settings, migrations: afterwards webapp may be imported."""
    throwaway.start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    os.environ["CROSSTABLE_MODEL_ROOTS"] = "/"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def finished_runs(contenders: int, samples: int, *, benchmarks: int = 1, seed: int = 1) -> list[Run]:
    """Finished runs with packed 0/1 scores, without sample rows: what analyses read."""
    from webapp.accounts.models import User
    from webapp.accounts.services import create_team
    from webapp.catalog.models import Benchmark, BenchmarkVersion, Contender, EntryVersion, ModelEntry
    from webapp.jobs.models import Run
    from webapp.results.models import PackedScores
    from webapp.results.packing import pack

    user = User.objects.create(username="bench", email="bench@example.org")
    team = create_team(actor=user, name="bench", title="Bench")
    owned = {"team": team, "created_by": user}
    versions = [
        BenchmarkVersion.objects.create(
            benchmark=Benchmark.objects.create(name=f"benchmark-{b}", **owned),
            number=1, content_hash=str(b), kind="multiple_choice", metric="acc", samples=samples, created_by=user,
        )
        for b in range(benchmarks)
    ]  # fmt: skip
    rows = []
    for c in range(contenders):
        entry = ModelEntry.objects.create(name=f"entry-{c}", **owned)
        version = EntryVersion.objects.create(
            entry=entry, number=1, source="directory", location=f"/{c}", fingerprint=str(c), created_by=user
        )
        contender = Contender.objects.create(version=version, scheme="fp32", name=f"entry-{c}@fp32")
        rows += [
            Run(
                contender=contender, version=v, identity=f"{c}-{v.pk}", max_seconds=60, state="done",
                mean=0.5, standard_error=0.01, low=0.48, high=0.52, done=samples, total=samples, **owned,
            )
            for v in versions
        ]  # fmt: skip
    runs = Run.objects.bulk_create(rows, batch_size=1000)
    rng = np.random.default_rng(seed)
    for run in runs:
        dtype, values = pack((rng.random(samples) < 0.7).astype(float))
        PackedScores.objects.create(run=run, dtype=dtype, values=values)
    return list(Run.objects.select_related("contender", "version__benchmark").order_by("pk"))
