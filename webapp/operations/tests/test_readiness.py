"""What readiness asks the database with."""

from __future__ import annotations

import pytest

from webapp.operations.readiness import _connected


@pytest.mark.django_db
def test_it_is_patient_without_a_startup_parameter_that_a_pooler_would_refuse() -> None:
    with _connected() as direct:
        assert direct.execute("SHOW statement_timeout").fetchone() == ("2s",)
        assert not direct.info.options
