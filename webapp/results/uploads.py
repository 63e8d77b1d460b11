"""Uploaded tables of features: numbers and names in, and out again as an analysis takes them."""

from __future__ import annotations

import numpy as np
from django.db.models import QuerySet

from evaluation.errors import NotEnoughData
from evaluation.features import FeatureTable
from webapp.accounts.selectors import May, Viewer, teams_where, visible
from webapp.results.models import FeatureUpload


def stored(table: FeatureTable) -> bytes:
    """(row, feature + 1) little-endian float64, the label last: plain numbers, nothing that could be run."""
    return np.column_stack([table.features, table.labels]).astype("<f8").tobytes()


def feature_table(upload: int) -> FeatureTable:
    """An uploaded table. Raises NotEnoughData when it is gone."""
    found = FeatureUpload.objects.filter(pk=upload).first()
    if found is None:
        raise NotEnoughData("The table of features is gone.", field="features", remedy="Upload it again.")
    values = np.frombuffer(bytes(found.values), dtype="<f8").reshape(found.rows, len(found.names) + 1)
    return FeatureTable(tuple(found.names), values[:, :-1].astype(np.float64), values[:, -1].astype(np.int64))


def uploads(user: Viewer, may: May = May.READ) -> QuerySet[FeatureUpload]:
    """Tables of the teams in which this person may do that, newest first, without their numbers."""
    rows = visible(FeatureUpload.objects.filter(team__in=teams_where(user, may)), user)
    return rows.select_related("team").defer("values").order_by("-pk")
