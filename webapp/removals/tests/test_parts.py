"""Nothing that depends on an entry or a team is forgotten, whatever is added to the models."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import models

from webapp.accounts.models import AuditEvent, Team
from webapp.catalog.models import ModelEntry
from webapp.removals import parts
from webapp.removals.models import Removal
from webapp.removals.parts import Part

LEFT = {AuditEvent, Removal}  # they outlive what they speak of


def dependants(model: type[models.Model]) -> Iterator[models.ForeignObjectRel]:
    for relation in model._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and relation.related_model not in LEFT:
            yield relation


def consequences(root: type[models.Model]) -> set[type[models.Model]]:
    """All models of which rows cannot be without a row of this one."""
    found, waiting = {root}, [root]
    while waiting:
        for relation in dependants(waiting.pop()):
            model = relation.related_model
            if relation.on_delete in {models.CASCADE, models.PROTECT} and model not in found:
                found.add(model)
                waiting.append(model)
    return found


def taken(plan: list[Part]) -> set[type[models.Model]]:
    own = {rows.model for part in plan if part.along for rows in part.along([])}
    return own | {part.rows.model for part in plan if not part.clears}


@pytest.mark.parametrize(("root", "plan"), [(ModelEntry, parts.of_entry), (Team, parts.of_team)])
def test_each_table_that_depends_on_it_is_a_part(root, plan, db):
    assert len(consequences(root)) > 12
    assert consequences(root) - taken(plan(0)) == set()


def test_what_may_be_empty_is_emptied_or_goes_before(db):
    """A column that is set to null elsewhere: its rows are of the same team and go earlier, or it is cleared."""
    plan = parts.of_team(0)
    order = [part.rows.model for part in plan if not part.clears]
    cleared = {(part.rows.model, part.clears) for part in plan if part.clears}
    for model in set(order) - {Team}:
        for relation in dependants(model):
            if relation.on_delete is not models.SET_NULL or (relation.related_model, relation.field.name) in cleared:
                continue
            assert order.index(relation.related_model) < order.index(model), relation.field
