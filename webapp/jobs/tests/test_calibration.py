"""Which jobs need a calibration set, and of which runs its hash is a part."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.errors import EvaluationError
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.calibration import create_calibration_set
from webapp.catalog.models import BenchmarkVersion, CalibrationSet, EntryVersion, Sample, Suite
from webapp.errors import Unprocessable
from webapp.jobs import services
from webapp.jobs.models import Job
from webapp.jobs.services import JobRequest
from webapp.tests import factories
from workers.specs import calibration_of, spec_of


@pytest.fixture
def texts(bob: User, team: Team) -> CalibrationSet:
    return factories.calibration_set(bob, team)


@pytest.fixture
def submit(bob: User, team: Team, entry: EntryVersion, benchmark: BenchmarkVersion) -> Any:
    def submitted(*schemes: str, **settings: Any) -> Job:
        rows = [catalog.contender(version=entry, scheme=scheme) for scheme in schemes]
        request = JobRequest(contenders=rows, versions=[benchmark], settings=settings)
        return services.submit_job(actor=bob, team=team, request=request)[0]

    return submitted


def test_a_scheme_that_must_see_texts_is_refused_without_them(submit: Any) -> None:
    with pytest.raises(Unprocessable, match="gptq_int3, llm_fp4 must see texts") as refused:
        submit("fp32", "llm_fp4", "gptq_int3")
    assert refused.value.field == "calibration"
    assert "upload one" in refused.value.remedy


def test_only_runs_that_look_at_the_texts_have_them_in_their_identity(submit: Any, texts: CalibrationSet) -> None:
    plain = submit("fp32", "int8")
    job = submit("fp32", "int8", "gptq_int3", calibration=texts.pk)
    parts = {part.run.contender.scheme: part for part in job.parts.all()}
    assert {scheme: part.reused for scheme, part in parts.items()} == {"fp32": True, "int8": True, "gptq_int3": False}
    assert parts["gptq_int3"].run.settings["calibration"] == texts.pk
    assert all("calibration" not in run.settings for run in plain.runs.all())


def test_equal_texts_are_the_same_run_and_others_are_not(
    submit: Any, bob: User, team: Team, texts: CalibrationSet
) -> None:
    submit("gptq_int3", calibration=texts.pk)
    same = factories.calibration_set(bob, team, "copy")
    other = create_calibration_set(actor=bob, team=team, name="other", texts=["Something else."])
    assert submit("gptq_int3", calibration=same.pk).parts.get().reused
    assert not submit("gptq_int3", calibration=other.pk).parts.get().reused


def test_texts_that_hold_a_question_are_refused(
    submit: Any, bob: User, team: Team, benchmark: BenchmarkVersion
) -> None:
    asked = Sample.objects.get(version=benchmark, index=1).prompt
    leaky = create_calibration_set(actor=bob, team=team, name="leaky", texts=["fine", asked])
    with pytest.raises(Unprocessable, match="sample 1 of sums") as refused:
        submit("gptq_int3", calibration=leaky.pk)
    assert refused.value.field == "calibration"
    submit("int8", calibration=leaky.pk)  # which does not look at them


@pytest.mark.parametrize("wanted", ["stories", 0, True])
def test_it_is_named_by_its_id(submit: Any, wanted: Any) -> None:
    with pytest.raises(Unprocessable, match="id of a calibration set"):
        submit("gptq_int3", calibration=wanted)


def test_a_set_of_strangers_is_not_there(submit: Any, charlie: User, team: Team) -> None:
    theirs = factories.calibration_set(charlie, charlie.memberships.get().team)
    with pytest.raises(Unprocessable, match="no such calibration set"):
        submit("gptq_int3", calibration=theirs.pk)


def test_the_worker_gets_the_texts(submit: Any, texts: CalibrationSet, settings: Any, tmp_path: Any) -> None:
    calibration_of.cache_clear()
    runs = {run.contender.scheme: run for run in submit("fp32", "gptq_int3", calibration=texts.pk).runs.all()}
    given = spec_of(runs["gptq_int3"], device="cpu", skip=frozenset()).calibration
    assert given is not None
    assert (given.texts, given.hash) == (tuple(texts.texts), texts.content_hash)
    assert spec_of(runs["fp32"], device="cpu", skip=frozenset()).calibration is None


def test_a_run_whose_texts_are_gone_says_so(submit: Any, texts: CalibrationSet) -> None:
    calibration_of.cache_clear()
    run = submit("gptq_int3", calibration=texts.pk).runs.get()
    texts.delete()
    with pytest.raises(EvaluationError, match="was deleted") as error:
        spec_of(run, device="cpu", skip=frozenset())
    assert "another set" in error.value.remedy


def test_the_form_says_that_a_set_is_missing(client: Any, bob: User, suite: Suite, entry: EntryVersion) -> None:
    client.force_login(bob)
    form = {"suite": suite.pk, "entries": entry.pk, "schemes": ["fp32", "gptq_int3"], "visibility": "team", "key": "k"}
    form |= {"team": factories.Team.objects.get(name="lab").pk, "batch_size": 1, "seed": 1, "repeat": 0, "priority": 0}
    answer = client.post("/jobs/new/", form)
    assert answer.status_code == 422
    assert answer.context["form"].errors["calibration"] == [
        "gptq_int3 must see texts before it can be applied. Choose a calibration set, or upload one."
    ]
