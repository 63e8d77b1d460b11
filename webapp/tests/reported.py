"""One report of every analysis that has a page of its own, over a small world in which each has something to draw."""

from __future__ import annotations

import math
from typing import Any

from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import EntryVersion
from webapp.jobs.models import Run
from webapp.jobs.services import JobRequest, submit_job
from webapp.leaderboards.models import Leaderboard
from webapp.results.audits import request_audit
from webapp.results.models import Report
from webapp.results.reports import compute_report, request_report
from webapp.results.services import finish_run
from webapp.tests import factories

SAMPLES = 24
SCHEMES = ("fp32", "int8", "nvfp4")
PARAMETERS: dict[str, dict[str, Any]] = {
    "swiss": {"eliminate": "0,1,2"},
    "multiplicity": {"epsilon": 0.5},
    "cost-of-pass": {"bootstrap": 50},
    "quantization": {},
    "adaptive": {"budget": 0.75, "batch": 1, "seeds": 20},
    "estimation": {"samples": 12, "seeds": 20},
    "routing": {"resamples": 50},
}
LINEAR = {"ridge": 0.01, "search": 2, "epsilon": 0.05}


def runs(actor: User, team: Team, entry: EntryVersion) -> list[Run]:
    """Three schemes of an entry on two benchmarks: the fewer bits, the more answers flip, and the less they cost."""
    versions = [factories.benchmark(actor, team, name, SAMPLES) for name in ("first-sums", "more-sums")]
    suite = factories.suite(actor, team, "charted", versions)
    contenders = [catalog.contender(version=entry, scheme=scheme) for scheme in SCHEMES]
    submit_job(actor=actor, team=team, request=JobRequest(contenders=contenders, versions=versions, suite=suite))
    factories.worker(schemes=SCHEMES)
    return [_finished() for _ in range(len(contenders) * len(versions))]


def _finished() -> Run:
    lease = factories.claim(schemes=SCHEMES)
    worse = SCHEMES.index(Run.objects.get(pk=lease.run_id).contender.scheme)
    factories.score(lease, [at % 5 >= worse if at % 6 else bool(worse and at % 4 == 0) for at in range(SAMPLES)])
    told = {"bits": 32 >> worse, "nominal_bytes": 4096 >> worse, "bytes_in_memory": 5000 >> worse}
    told |= {"bytes_on_disk": 4096, "seconds": 0.1, "matrices": []}
    run = finish_run(lease=lease, provenance={"scheme_report": told, "environment": {"gpu": "H200"}})
    run.scores.update(cost_usd=0.01 / (1 + worse))
    return run


def board(actor: User, team: Team, made: list[Run]) -> Leaderboard:
    suite = made[0].jobs.get().suite
    assert suite is not None
    return factories.refresh(factories.board(actor, team, "charted", suite, order="swiss"))


def reports(actor: User, team: Team, made: list[Run]) -> dict[str, Report]:
    """By analysis."""
    asked = {name: _asked(actor, team, name, made) for name in PARAMETERS}
    table = "\n".join(["age,dose,sick", *(_patient(at) for at in range(60))])
    asked["linear-multiplicity"] = request_audit(
        actor=actor, team=team, content=table.encode(), name="trial.csv", label="sick", parameters=LINEAR
    )
    for report in asked.values():
        compute_report(report_id=report.pk)
        report.refresh_from_db()
        assert report.state == Report.State.DONE, report.reason
    return asked


def _asked(actor: User, team: Team, name: str, made: list[Run]) -> Report:
    chosen = [run.pk for run in made]
    return request_report(actor=actor, team=team, analysis=name, parameters=PARAMETERS[name], runs=chosen)


def _patient(at: int) -> str:
    age, dose = math.sin(at), math.cos(3 * at)
    return f"{age:.4f},{dose:.4f},{int(age - dose / 2 + math.sin(7 * at) > 0)}"
