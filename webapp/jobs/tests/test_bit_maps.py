"""A map of bits per layer as a scheme's parameter: what is refused at submit, and of which runs it is a part."""

from __future__ import annotations

import json
import struct
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from evaluation.bit_maps import BitMap
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, CalibrationSet, Contender, EntryVersion, Suite
from webapp.errors import Unprocessable
from webapp.jobs import services
from webapp.jobs.models import Job, Run
from webapp.jobs.scheme_facts import bits_map
from webapp.jobs.services import JobRequest
from webapp.leaderboards.models import Leaderboard
from webapp.results import measurements
from webapp.results.models import Measurement
from webapp.results.services import finish_run
from webapp.tests import factories
from workers.specs import spec_of

BITS = {"h.0.attn": 4, "h.0.mlp": 2}
OTHER = {**BITS, "h.0.mlp": 3}
SHAPES = [{"name": "h.0.attn", "shape": [4, 8]}, {"name": "h.0.mlp", "shape": [8, 4]}]


@pytest.fixture
def texts(bob: User, team: Team) -> CalibrationSet:
    return factories.calibration_set(bob, team)


@pytest.fixture
def submit(bob: User, team: Team, entry: EntryVersion, benchmark: BenchmarkVersion, texts: CalibrationSet) -> Any:
    def submitted(*schemes: str, **settings: Any) -> Job:
        rows = [catalog.contender(version=entry, scheme=scheme) for scheme in schemes]
        request = JobRequest(contenders=rows, versions=[benchmark], settings={"calibration": texts.pk, **settings})
        return services.submit_job(actor=bob, team=team, request=request)[0]

    return submitted


def test_only_the_scheme_that_takes_a_map_needs_one_and_has_it(submit: Any) -> None:
    with pytest.raises(Unprocessable, match="takes the bits of each layer from a map") as refused:
        submit("fp32", "evopress_map")
    assert refused.value.field == "bits"
    job = submit("fp32", "gptq_int3", "evopress_map", bits=BITS)
    runs = {run.contender.scheme: run for run in job.runs.select_related("contender")}
    assert {scheme: "bits" in run.settings for scheme, run in runs.items()} == {
        "fp32": False, "gptq_int3": False, "evopress_map": True,
    }  # fmt: skip
    spec = spec_of(runs["evopress_map"], device="cpu", skip=frozenset())
    assert spec.bits is not None
    assert spec.bits.bits == BITS


def test_the_bits_are_the_run_not_the_form_of_the_file(submit: Any) -> None:
    submit("evopress_map", bits=BITS)
    whole = json.loads(bits_map(BITS, SHAPES).text)
    assert whole["average_bits"] == 3.0
    assert submit("evopress_map", bits=whole).parts.get().reused
    assert submit("evopress_map", bits=dict(reversed(BITS.items()))).parts.get().reused
    assert not submit("evopress_map", bits=OTHER).parts.get().reused


def finish(rights: list[bool]) -> Run:
    lease = factories.claim(schemes=["evopress_map"])
    factories.score(lease, rights)
    return finish_run(lease=lease, provenance={})


def called(bits: dict[str, int]) -> str:
    return f"small@evopress_map.{BitMap(bits).hash[:8]}"


def test_runs_with_different_maps_are_of_different_contenders(submit: Any, board: Leaderboard) -> None:
    for bits in (BITS, OTHER, BITS):
        submit("evopress_map", bits=bits)
    names = sorted(Run.objects.values_list("contender__name", flat=True))
    assert names == sorted([called(BITS), called(OTHER)])
    for rights in ([True] * 4, [True, False, False, False]):
        finish(rights)
    shown = {row.contender.name: row.cells[0][2] for row in factories.refresh(board).standings.all()}
    assert shown == {called(BITS): 1.0, called(OTHER): 0.25}


def test_a_contender_of_a_map_is_measured_by_its_name(client: Client, bob: User, submit: Any) -> None:
    submit("evopress_map", bits=OTHER)
    run = finish([True] * 4)
    client.force_login(bob)
    body = {"entry": "lab/small", "scheme": run.contender.name.partition("@")[2]}
    made = client.post("/api/v1/measurements/", body, content_type="application/json")
    assert (made.status_code, made.json()["contender"]) == (202, run.contender.name)
    [shown] = measurements.measurable(run.contender.version.entry)
    assert shown == run.contender, "what has no map cannot be measured, and is not offered"


def test_runs_that_shared_a_contender_are_told_apart_and_kept(submit: Any, board: Leaderboard) -> None:
    for bits in (BITS, OTHER, BITS | {"h.0.attn": 2}):
        submit("evopress_map", bits=bits)
    runs = list(Run.objects.order_by("pk"))
    shared = runs[0].contender
    Run.objects.update(contender=shared)
    Contender.objects.exclude(pk=shared.pk).delete()
    Contender.objects.update(variant="", name="small@evopress_map")
    Measurement.objects.create(contender=shared, settings={"bits": OTHER})
    factories.refresh(board)

    migration = import_module("webapp.leaderboards.migrations.0006_contenders_by_map")
    migration.split(apps, None)
    migration.split(apps, None)

    found = list(Run.objects.order_by("pk").select_related("contender"))
    assert [run.contender.variant for run in found] == [BitMap(run.settings["bits"]).hash for run in runs]
    assert len({run.contender.name for run in found}) == 3
    assert found[0].contender == shared
    assert Measurement.objects.get().contender == found[1].contender
    board.refresh_from_db()
    assert board.stale_since is not None
    assert submit("evopress_map", bits=BITS).parts.get().reused


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"h.0.attn": 9}, "gives h.0.attn 9 bits"),
        ({"average_bits": 2.5, "layers": {"a": {"bits": 3, "shape": [2, 2]}}}, r"spends 3\. \(field average_bits\)"),
    ],
)
def test_what_is_no_map_is_refused_with_its_field(submit: Any, given: Any, reason: str) -> None:
    with pytest.raises(Unprocessable, match=reason) as refused:
        submit("evopress_map", bits=given)
    assert refused.value.field == "bits"


def test_layers_that_a_checkpoint_lacks_are_refused_at_submit(submit: Any, entry: EntryVersion) -> None:
    shapes = {"transformer.h.0.attn.weight": [4, 4], "transformer.h.0.mlp.weight": [4, 4], "norm.weight": [4]}
    at, header = 0, {}
    for name, shape in shapes.items():
        end = at + 4 * prod(shape)
        header[name], at = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}, end
    text = json.dumps(header).encode()
    weights = struct.pack("<Q", len(text)) + text + bytes(at)
    (Path(entry.location) / "model.safetensors").write_bytes(weights)
    wrong = {f"h.{at}.attn": 3 for at in (0, 7, 8, 9, 10)}
    with pytest.raises(
        Unprocessable, match=r"names h\.10\.attn, h\.7\.attn, h\.8\.attn and 1 more, which small v1 does not"
    ):
        submit("evopress_map", bits=wrong)
    assert submit("evopress_map", bits={"model.norm": 3}), "no name is known: its worker says what is wrong"
    assert submit("evopress_map", bits=BITS)


def test_a_finished_run_knows_all_layers(submit: Any) -> None:
    submit("evopress_map", bits=BITS)
    run = finish([True] * 4)
    Run.objects.filter(pk=run.pk).update(provenance={"scheme_report": {"search": {"bits": BITS}}})
    for given, said in (({"h.0.attn": 3}, "does not name h.0.mlp, which small v1 has"), ({**BITS, "x": 3}, "names x,")):
        with pytest.raises(Unprocessable, match=said) as refused:
            submit("evopress_map", bits=given)
        assert refused.value.field == "bits"
    assert submit("evopress_map", bits=OTHER)


def test_a_map_is_pasted_into_the_form(
    client: Client, bob: User, team: Team, suite: Suite, entry: EntryVersion, texts: CalibrationSet
) -> None:
    client.force_login(bob)
    typed = {"suite": suite.pk, "entries": [entry.pk], "schemes": ["evopress_map"], "team": team.pk, "seed": 1}
    typed |= {"visibility": "team", "batch_size": 1, "repeat": 0, "priority": 0, "key": "k", "calibration": texts.pk}
    wrong = client.post("/jobs/new/", {**typed, "bits": "{"})
    assert (wrong.status_code, b"read as JSON" in wrong.content) == (422, True)
    wrong = client.post("/jobs/new/", {**typed, "bits": '{"a": 7}'})
    assert (wrong.status_code, b"gives a 7 bits" in wrong.content) == (422, True)
    assert client.post("/jobs/new/", {**typed, "bits": json.dumps(BITS)}).status_code == 302
    run = Run.objects.order_by("pk").first()
    assert run is not None
    assert run.settings["bits"] == BITS
    assert b"a map of bits per layer" in client.get(f"/runs/{run.pk}/").content
