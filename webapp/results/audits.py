"""Audits of linear models: somebody's table of features becomes a report like any other."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from django.db import transaction

from evaluation.errors import EvaluationError
from evaluation.features import MAXIMUM_BYTES, FeatureTable, parse_features
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.errors import Unprocessable
from webapp.results.candidates import Candidates, runs_of
from webapp.results.margins import margin_table
from webapp.results.models import FeatureUpload, Report
from webapp.results.reports import checked_params, known_analysis, request_report
from webapp.results.uploads import stored

AUDIT = "linear-multiplicity"


@transaction.atomic
def request_audit(
    *,
    actor: User,
    team: Team,
    content: bytes,
    name: str,
    label: str,
    parameters: Mapping[str, Any],
    title: str = "",
    visibility: str = Visibility.TEAM,
) -> Report:
    """Keep a CSV table and ask for its audit. name: of the file. label: the column of labels, 0 or 1.

    Raises Unprocessable, which names the field: `table`, `label` or a parameter.
    """
    require(actor, team, May.SUBMIT)
    checked_params(known_analysis(AUDIT), parameters)
    upload = _keep(actor, team, _parsed(content, label, name), name, label, visibility)
    return audit_upload(actor=actor, upload=upload, parameters=parameters, title=title, visibility=visibility)


@transaction.atomic
def audit_arrays(
    *,
    actor: User,
    team: Team,
    names: Sequence[str],
    features: Sequence[Sequence[float]],
    labels: Sequence[int],
    parameters: Mapping[str, Any],
    name: str = "table",
    title: str = "",
    visibility: str = Visibility.TEAM,
) -> Report:
    """The same for numbers: features (row, feature), labels (row,) 0 or 1. Raises Unprocessable with the field."""
    require(actor, team, May.SUBMIT)
    checked_params(known_analysis(AUDIT), parameters)
    if len({len(row) for row in features}) != 1:
        raise Unprocessable("The rows of features are not equally long.", field="features")
    table = _refused(lambda: FeatureTable(tuple(names), np.array(features), np.array(labels)), {})
    upload = _keep(actor, team, table, name, "label", visibility)
    return audit_upload(actor=actor, upload=upload, parameters=parameters, title=title, visibility=visibility)


@transaction.atomic
def audit_margins(
    *,
    actor: User,
    found: Candidates,
    contenders: Sequence[int],
    outcome: int,
    parameters: Mapping[str, Any],
    title: str = "",
) -> Report:
    """Audit how well the margins of these contenders tell on which samples one of them, `outcome`, is right.

    A margin is the best minus the second log-likelihood of a sample's choices. Private runs make a private report.
    Raises Unprocessable, which names the field.
    """
    data = found.data
    require(actor, data.team, May.SUBMIT)
    checked_params(known_analysis(AUDIT), parameters)
    if len(data.columns) != 1:
        raise Unprocessable("Margins are taken from one benchmark.", field="benchmark")
    chosen = found.chosen(contenders)
    judged = next((row for row in found.complete if row.pk == outcome), None)
    if judged is None:
        raise Unprocessable("Whose answers are to be told apart?", field="outcome", remedy="Choose a contender.")
    taken = {row.pk: row for row in (*chosen, judged)}
    run_of = {pk: runs_of([row])[0] for pk, row in taken.items()}
    margins = {row.name: run_of[row.pk] for row in chosen}
    table = _refused(lambda: margin_table(margins, run_of[outcome]), {"labels": "outcome", "label": "outcome"})
    private = any(row.private for row in taken.values())
    visibility = Visibility.PRIVATE if private else Visibility.TEAM
    upload = _keep(
        actor,
        data.team,
        table,
        f"margins on {data.title.removeprefix('Benchmark ')}",
        f"{judged.name} is right",
        visibility,
    )
    return audit_upload(
        actor=actor, upload=upload, parameters=parameters, title=title, visibility=visibility, runs=[*run_of.values()]
    )


def audit_upload(
    *,
    actor: User,
    upload: FeatureUpload,
    parameters: Mapping[str, Any],
    title: str = "",
    visibility: str = Visibility.TEAM,
    runs: Sequence[int] = (),
) -> Report:
    """Audit a table that is kept. runs: those that it was made of. A private table makes a private report."""
    private = upload.visibility == Visibility.PRIVATE
    return request_report(
        actor=actor,
        team=upload.team,
        analysis=AUDIT,
        parameters=parameters,
        runs=runs,
        features=upload.pk,
        title=title or f"Audit of {upload.name}"[:120],
        about=f"{upload.name}: {upload.rows:,} rows, {len(upload.names)} features, label “{upload.label}”",
        visibility=Visibility.PRIVATE if private else visibility,
    )


def _keep(actor: User, team: Team, table: FeatureTable, name: str, label: str, visibility: str) -> FeatureUpload:
    data = stored(table)
    return FeatureUpload.objects.create(
        team=team, created_by=actor, visibility=visibility, name=name[:200], label=label[:100],
        names=list(table.names), rows=len(table.labels), values=data, sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip


def _refused(made: Callable[[], FeatureTable], fields: Mapping[str, str]) -> FeatureTable:
    """The table, or why there is none, on the field of the request that is to blame."""
    try:
        return made()
    except EvaluationError as error:
        field = fields.get(error.field, error.field or "features")
        raise Unprocessable(error.message, field=field, remedy=error.remedy) from error
    except (ValueError, OverflowError):
        raise Unprocessable("A label is 0 or 1, and a feature is a finite number.", field="features") from None


def _parsed(content: bytes, label: str, name: str) -> FeatureTable:
    if len(content) > MAXIMUM_BYTES:
        raise Unprocessable(f"{name} is larger than {MAXIMUM_BYTES // 2**20} MB.", field="table")
    try:
        text = content.decode("utf-8-sig")
        return parse_features(io.StringIO(text, newline=""), label, name=name)
    except UnicodeDecodeError:
        raise Unprocessable(f"{name} is not UTF-8 text.", field="table") from None
    except EvaluationError as error:
        field = "label" if error.field in {"label", "labels"} else "table"
        raise Unprocessable(error.message, field=field, remedy=error.remedy) from error
