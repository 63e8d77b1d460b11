"""Audits of linear models: somebody's table of features becomes a report like any other."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from evaluation.errors import EvaluationError
from evaluation.features import MAXIMUM_BYTES, FeatureTable, parse_features
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.errors import Unprocessable
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
    table = _parsed(content, label, name)
    data = stored(table)
    upload = FeatureUpload.objects.create(
        team=team, created_by=actor, visibility=visibility, name=name[:200], label=label, names=list(table.names),
        rows=len(table.labels), values=data, sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    rows, features = table.features.shape
    return request_report(
        actor=actor,
        team=team,
        analysis=AUDIT,
        parameters=parameters,
        runs=[],
        features=upload.pk,
        title=title or f"Audit of {name}"[:120],
        about=f"{name}: {rows:,} rows, {features} features, label “{label}”",
        visibility=visibility,
    )


def _parsed(content: bytes, label: str, name: str) -> FeatureTable:
    if len(content) > MAXIMUM_BYTES:
        raise Unprocessable(f"{name} is larger than {MAXIMUM_BYTES // 2**20} MB.", field="table")
    try:
        text = content.decode("utf-8-sig")
        return parse_features(io.StringIO(text, newline=""), label, name=name)
    except UnicodeDecodeError:
        raise Unprocessable(f"{name} is not UTF-8 text.", field="table") from None
    except EvaluationError as error:
        field = "label" if error.field == "label" else "table"
        raise Unprocessable(error.message, field=field, remedy=error.remedy) from error
