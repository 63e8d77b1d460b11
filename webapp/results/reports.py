"""Reports: an analysis over finished runs, asked for by a person and computed by the analysis worker.

The row says what is to be done. While a worker computes, it holds the row's lock, so that a second ring finds nothing
to do, and a worker that dies lets go of it: the sweep rings again, a bounded number of times.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Analysis, parse_params, to_json
from evaluation.errors import EvaluationError
from evaluation.tables import BenchmarkTable, ScoreTable
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.celery import enqueue
from webapp.errors import Unprocessable
from webapp.jobs.models import Run
from webapp.live import publish
from webapp.results import selectors
from webapp.results.answers import again_name, answer_table
from webapp.results.candidates import Candidates, runs_of
from webapp.results.cost_table import cost_table
from webapp.results.models import FeatureUpload, Report
from webapp.results.route_table import route_table
from webapp.results.uploads import feature_table

log = logging.getLogger("crosstable.reports")
State = Report.State
RINGS = 4  # of a sweep: what they find locked or done costs nothing, and the next sweep rings for the rest
AnyAnalysis = Analysis[Any, Any, Any]


@transaction.atomic
def request_report(  # noqa: PLR0913 - what a report row says, and who asks
    *,
    actor: User,
    team: Team,
    analysis: str,
    parameters: Mapping[str, Any],
    runs: Sequence[int],
    title: str = "",
    about: str = "",
    left_out: Sequence[str] = (),
    visibility: str = Visibility.TEAM,
    features: int | None = None,
) -> Report:
    """Queue an analysis of these finished runs of the team, or of an uploaded table, and ring the worker.

    runs: their ids; contenders and benchmarks keep the order of first appearance. about: what they stand for, in
    words. left_out: names of contenders that could not take part. features: id of a table that the team uploaded; then
    there are no runs. Raises Unprocessable, which names the field.
    """
    require(actor, team, May.SUBMIT)
    chosen = known_analysis(analysis)
    params = checked_params(chosen, parameters)
    source: dict[str, Any] = {}
    if features is None:
        _check_runs(team, chosen, params, runs)
    else:
        source = {"features": features, "sha256": _checked_upload(team, chosen, params, features).sha256}
    report = Report.objects.create(
        team=team,
        created_by=actor,
        visibility=visibility,
        title=title.strip() or chosen.title,
        analysis=analysis,
        analysis_version=str(chosen.version),
        parameters=asdict(params),
        inputs={"runs": list(runs), "about": about, "left_out": list(left_out), **source},
    )
    record(actor=actor, team=team, verb="requested", target=report, after={"analysis": analysis})
    enqueue("compute_report", report.pk)
    return report


def request_analysis(
    *,
    actor: User,
    found: Candidates,
    analysis: str,
    parameters: Mapping[str, Any],
    contenders: Sequence[int] | None = None,
    title: str = "",
    noise: int | None = None,
) -> Report:
    """An analysis of these contenders of a suite, a benchmark or chosen runs; None: of all that have their results.

    noise: a contender among them that ran twice; its second runs go in, too, as the analysis' parameter `repeat`.
    Private runs make a private report.
    """
    data = found.data
    require(actor, data.team, May.SUBMIT)
    complete = [row.pk for row in found.complete]
    chosen = found.chosen(complete if contenders is None else contenders) if complete else []
    runs = runs_of(chosen)
    if noise is not None:
        first, again = found.noise(noise, chosen)
        runs, parameters = [*runs, *again], {**parameters, "repeat": f"{first}={again_name(first)}"}
    part = "" if len(chosen) == len(complete) else f", {len(chosen)} of {len(complete)} contenders"
    return request_report(
        actor=actor,
        team=data.team,
        analysis=analysis,
        parameters=parameters,
        runs=runs,
        title=title or f"{known_analysis(analysis).title}: {data.title}"[:120],
        about=data.title + part,
        left_out=[f"{row.name} ({row.missing})" for row in found.incomplete],
        visibility=Visibility.PRIVATE if any(row.private for row in chosen) else Visibility.TEAM,
    )


def repeat_report(*, actor: User, report: Report, parameters: Mapping[str, Any], title: str = "") -> Report:
    """The same analysis of the same runs or table with other parameters."""
    return request_report(
        actor=actor,
        team=report.team,
        analysis=report.analysis,
        parameters=parameters,
        runs=report.inputs["runs"],
        title=title or report.title,
        about=report.inputs["about"],
        left_out=report.inputs["left_out"],
        visibility=report.visibility,
        features=report.inputs.get("features"),
    )


def known_analysis(key: str) -> AnyAnalysis:
    if key not in ANALYSES:
        raise Unprocessable(f"{key} is not an analysis.", field="analysis", remedy=f"Known: {', '.join(ANALYSES)}.")
    return ANALYSES[key]


def checked_params(analysis: AnyAnalysis, parameters: Mapping[str, Any]) -> Any:
    """The parameters as the analysis takes them; a refusal names the wrong one."""
    try:
        return parse_params(analysis.Params, parameters)
    except EvaluationError as error:
        raise Unprocessable(error.message, field=error.field or "parameters", remedy=error.remedy) from error


def _check_runs(team: Team, analysis: AnyAnalysis, params: Any, runs: Sequence[int]) -> None:
    usable = Run.objects.filter(pk__in=runs, team=team, state=Run.State.DONE, subset=None)
    pairs = list(usable.values_list("contender", "version"))
    if analysis.needs not in TABLES:
        raise Unprocessable(f"{analysis.title} is not computed from runs.", field="analysis")
    if not runs or len(pairs) != len(runs):
        problem = "Some runs are partial or not finished." if runs else "No contender has all its results yet."
        remedy = "Wait until the runs are done. Partial ones belong to a search: run their contenders in full."
        raise Unprocessable(problem, field="runs", remedy=remedy)
    contenders, versions = (len(set(ids)) for ids in zip(*pairs, strict=True))
    _check_time(analysis, contenders, versions, params)


def _check_time(analysis: AnyAnalysis, rows: int, columns: int, params: Any) -> None:
    if analysis.seconds is None:
        return
    expected, limit = analysis.seconds(rows, columns, params), settings.REPORT_MAX_SECONDS
    if expected > limit:
        problem = f"This would take about {expected:,.0f} seconds, and a report may take {limit}."
        if analysis.needs == "features":
            raise Unprocessable(problem, field="table", remedy="Take a sample of the rows, or fewer features.")
        raise Unprocessable(problem, field="iterations", remedy="Ask for fewer iterations, orders or tournaments.")


def _checked_upload(team: Team, analysis: AnyAnalysis, params: Any, features: int) -> FeatureUpload:
    if analysis.needs != "features":
        raise Unprocessable(f"{analysis.title} is not computed from a table of features.", field="analysis")
    upload = FeatureUpload.objects.filter(pk=features, team=team).defer("values").first()
    if upload is None:
        raise Unprocessable("The table of features is gone.", field="features", remedy="Upload it again.")
    _check_time(analysis, upload.rows, len(upload.names), params)
    return upload


def compute_report(*, report_id: int) -> bool:
    """Compute a report that waits. Returns False when there is nothing to do: done, gone, or in another's hands."""
    if not _begin(report_id):
        return False
    with transaction.atomic():
        report = _locked(report_id)
        if report is None or report.state != State.RUNNING:
            return False
        started = time.perf_counter()
        report.state, report.reason, report.result = _outcome(report)
        report.seconds, report.finished_at = time.perf_counter() - started, timezone.now()
        _save(report)
    return True


def _begin(report_id: int) -> bool:
    """Say on screen that work begins; give up on a report that took too many workers with it."""
    with transaction.atomic():
        report = _locked(report_id)
        if report is None:
            return False
        if report.attempt >= settings.REPORT_ATTEMPTS:
            report.state, report.finished_at = State.FAILED, timezone.now()
            report.reason = f"Its worker was lost {report.attempt} times. Ask for less, or tell the operator."
        else:
            report.attempt += 1
            report.state, report.reason = State.RUNNING, "Being computed."
        _save(report)
        return report.state == State.RUNNING


def _locked(report_id: int) -> Report | None:
    """The report under its lock, if it waits and nobody else is at it."""
    waiting = Report.objects.select_for_update(skip_locked=True, of=("self",))
    return waiting.filter(pk=report_id, state__in=[State.QUEUED, State.RUNNING]).first()


def _outcome(report: Report) -> tuple[str, str, Any]:
    """State, reason and result. An error of the data is told; one of ours gets a reference that the log has, too."""
    try:
        return State.DONE, "", to_json(_result(report))
    except EvaluationError as error:
        return State.FAILED, f"{error.message} {error.remedy}".strip(), None
    except Exception:
        reference = uuid.uuid4().hex[:12]
        log.exception("report %s failed, reference %s", report.pk, reference)
        return State.FAILED, f"Internal error. Tell the operator this reference: {reference}", None


def _result(report: Report) -> Any:
    """Of the report's runs, or of its table of features. Raises EvaluationError."""
    upload = report.inputs.get("features")
    if upload is None:
        return computed(report.analysis, report.parameters, report.inputs["runs"])
    analysis = ANALYSES[report.analysis]
    return analysis.compute(feature_table(upload), parse_params(analysis.Params, report.parameters))


def computed(key: str, parameters: Mapping[str, Any], run_ids: Sequence[int]) -> Any:
    """The analysis of these runs, as a dataclass. Raises EvaluationError."""
    analysis = ANALYSES[key]
    params = parse_params(analysis.Params, parameters)
    return analysis.compute(TABLES[analysis.needs](run_ids), params)


def _means(run_ids: Sequence[int]) -> BenchmarkTable:
    return selectors.means(run_ids).table


def _samples(run_ids: Sequence[int]) -> ScoreTable:
    found = Run.objects.select_related("contender", "version__benchmark").in_bulk(run_ids)
    return selectors.score_table([found[pk] for pk in run_ids if pk in found])


# What an analysis needs -> how it is read from finished runs. An analysis of anything else is not asked for by runs.
TABLES: dict[str, Callable[[Sequence[int]], Any]] = {
    "means": _means,
    "samples": _samples,
    "answers": answer_table,
    "costs": cost_table,
    "routes": route_table,
}


def _save(report: Report) -> None:
    report.changes += 1
    report.save()
    publish(f"report.{report.pk}", report=report.pk, version=report.changes)


def ring_again() -> None:
    """From the sweep: reports whose doorbell was lost, or whose worker was."""
    with transaction.atomic():
        for pk in selectors.waiting_reports(RINGS):
            enqueue("compute_report", pk)
