"""A sweep over schemes on a real checkpoint: submitted, calibrated, evaluated, and told on pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from django.conf import settings as conf

from webapp.catalog.calibration import create_calibration_set, texts_of
from webapp.catalog.services import contender, create_benchmark
from webapp.jobs import leases, services
from webapp.jobs.models import Job, Run
from webapp.jobs.services import JobRequest
from webapp.results import candidates
from webapp.results.models import Report, Score
from webapp.results.reports import request_analysis
from webapp.results.selectors import report_context
from webapp.tests import factories
from workers import pipeline, tasks
from workers.presence import Presence
from workers.tests.conftest import Lab

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
FOLDER = conf.BASE_DIR / "deploy/demo"
SCHEMES = ("fp32", "int8", "gptq_int3")
LIMIT = 60


@pytest.fixture(autouse=True)
def this_process_is_a_worker() -> Iterator[None]:
    pipeline._me = pipeline.Me("here", "cpu", pipeline.offered_schemes("cpu"), Presence("here"))
    yield
    pipeline._me = None
    pipeline.stopping.clear()


def sweep(lab: Lab, *schemes: str, limit: int = LIMIT) -> Job:
    """tiny-m under these schemes on the demo's questions about facts; calibrated on some of the demo's stories."""
    about = json.loads((FOLDER / "benchmarks/definitions.json").read_text())["facts"]
    with (FOLDER / "benchmarks/facts.jsonl").open("rb") as lines:
        version = create_benchmark(
            actor=lab.owner, team=lab.team, name="facts", definition=about["definition"], lines=lines
        )
    lab.suite = factories.suite(lab.owner, lab.team, "world", [version])
    with (FOLDER / "calibration.jsonl").open("rb") as lines:
        texts = texts_of(islice(lines, 200))
    kept = create_calibration_set(actor=lab.owner, team=lab.team, name="stories", texts=texts, suite=lab.suite)
    entry = lab.entry("tiny-m")
    request = JobRequest(
        contenders=[contender(version=entry, scheme=scheme) for scheme in schemes],
        versions=[version],
        suite=lab.suite,
        settings={"limit": limit, "calibration": kept.pk},
    )
    return services.submit_job(actor=lab.owner, team=lab.team, request=request)[0]


def work() -> None:
    while pipeline.evaluate_next():
        pass


def asked(lab: Lab, job: Job) -> Report:
    data = candidates.find(lab.owner, {"runs": ",".join(str(run.pk) for run in job.runs.order_by("pk"))})
    assert data is not None
    found = candidates.candidates(lab.owner, data)
    report = request_analysis(actor=lab.owner, found=found, analysis="quantization", parameters={})
    tasks.compute_report(report.pk)
    report.refresh_from_db()
    assert report.state == "done", report.reason
    return report


def choices(run: Run) -> list[Any]:
    return list(Score.objects.filter(run=run).order_by("index").values_list("choice", flat=True))


def test_a_sweep_becomes_a_report_of_what_changed(lab: Lab) -> None:
    job = sweep(lab, *SCHEMES)
    work()
    runs = {run.contender.scheme: run for run in job.runs.select_related("contender")}
    assert {run.state for run in runs.values()} == {"done"}, [run.reason for run in runs.values()]
    told = runs["gptq_int3"].provenance["scheme_report"]
    assert told["calibration"] == "stories"
    assert told["changed"] > 0
    view = report_context(asked(lab, job).pk)["quantization"]
    rows = {row.name: row for row in view.entries[0].rows}
    assert list(rows) == [f"tiny-m@{scheme}" for scheme in SCHEMES]  # reference first, then by bits
    before = choices(runs["fp32"])
    for scheme in SCHEMES[1:]:
        flipped = sum(one != other for one, other in zip(before, choices(runs[scheme]), strict=True))
        assert rows[f"tiny-m@{scheme}"].counts[0][2] == str(flipped)
    small = rows["tiny-m@gptq_int3"].measured
    assert small.bits == pytest.approx(told["bits"])
    assert small.nominal_bytes < rows["tiny-m@int8"].measured.nominal_bytes < small.bytes_in_memory
    assert (small.emulated, rows["tiny-m@int8"].measured.kernel) == (True, "torchao")
    kl = dict(zip(view.result.contenders, view.result.kl_mean, strict=True))
    assert kl["tiny-m@gptq_int3"] > 10 * kl["tiny-m@int8"] > 0


class Search:
    """What the pipeline reads of an evaluation whose scheme searches."""

    def __init__(self, total: int | None, **search: Any) -> None:
        self.total, self.search = total, search


def test_each_step_of_a_search_is_told_once_and_none_after_it_ended(lab: Lab) -> None:
    job = sweep(lab, "fp32", limit=4)
    run = leases.claim(worker="here", schemes=["fp32"])
    assert run is not None
    lease, before = leases.lease_of(run), Job.objects.get(pk=job.pk).changes
    news = {"of": 20, "kl": 0.5, "bits": {"h.0.mlp": 3}}
    told = 0
    for evaluation in (
        Search(None), Search(None, step=1, **news), Search(None, step=1, **news), Search(None, step=2, **news),
        Search(4, step=3, **news),
    ):  # fmt: skip
        told = pipeline._tell(lease, evaluation, told)  # type: ignore[arg-type]
    assert Job.objects.get(pk=job.pk).changes == before + 2
    run.refresh_from_db()
    assert "Searching: step 2 of 20, KL 0.5000 nats a token." in run.reason
    assert run.provenance["search"]["bits"] == {"h.0.mlp": 3}
