"""What lm-eval and Inspect wrote lands with its provenance."""

from __future__ import annotations

import pytest

from evaluation.importing.tests import test_harness_results as harness
from evaluation.importing.tests import test_inspect_logs as inspect
from webapp.accounts.models import Team, User
from webapp.imports.tests.files import load
from webapp.jobs.models import Run


@pytest.mark.parametrize(("pack", "name"), [(harness.as_zip, "r.zip"), (harness.as_tar, "r.tar.gz")])
def test_results_of_lm_eval_land(pack: harness.Callable, name: str, bob: User, team: Team) -> None:
    job = load(bob, team, pack(harness.files()), name=name)
    assert (job.state, job.rows) == ("done", 6)
    run = Run.objects.get(version__benchmark__name="fx_choice")
    assert (run.contender.name, run.mean, run.provenance["lm_eval"]) == ("tiny-xs@fp32", 0.25, "0.4.13")
    assert run.contender.version.parameters == 54464


@pytest.mark.parametrize("name", ["choices.eval", "choices.json"])
def test_logs_of_inspect_land(name: str, bob: User, team: Team) -> None:
    job = load(bob, team, (inspect.DATA / name).read_bytes(), name=name)
    assert (job.state, job.rows) == ("done", 4)
    run = Run.objects.get()
    assert (run.mean, run.settings["attempts"], run.tokens_in) == (0.75, 2, 48)
    assert run.provenance["inspect_ai"] == "0.3.285"
