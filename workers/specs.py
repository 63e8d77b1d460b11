"""From rows to the record that the engine takes."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from evaluation import bit_maps
from evaluation.errors import EvaluationError
from evaluation.records import BenchmarkSpec, Calibration, Checkpoint, Endpoint, RunSpec
from webapp.catalog.models import BenchmarkVersion, CalibrationSet, EntryVersion, Sample, Source
from webapp.catalog.sealing import unseal
from webapp.catalog.sources import allowed_directory
from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Run


def spec_of(run: Run, *, device: str, skip: frozenset[tuple[int, int]]) -> RunSpec:
    """skip: (sample, attempt) that are scored already. Raises what `model_of` raises."""
    chosen = run.settings
    return RunSpec(
        model=model_of(run.contender.version),
        benchmark=benchmark_of(run.version.pk),
        scheme=run.contender.scheme,
        device=device,
        batch_size=chosen["batch_size"],
        seed=chosen["seed"],
        attempts=attempts_of(chosen),
        temperature=float(chosen.get("temperature") or 0.0),
        limit=chosen["limit"],
        subset=None if run.subset is None else frozenset(run.subset),
        skip=skip,
        calibration=calibration_of(chosen["calibration"]) if chosen.get("calibration") else None,
        bits=bit_maps.read(chosen["bits"]) if chosen.get("bits") else None,
    )


@lru_cache(maxsize=4)
def calibration_of(pk: int) -> Calibration:
    """Sets never change, so a warm worker reads each one once. Raises EvaluationError where it is gone."""
    found = CalibrationSet.objects.filter(pk=pk).first()
    if found is None:
        raise EvaluationError(
            "The calibration set that it needs was deleted, with the team that owned it.",
            field="calibration",
            remedy="Submit it again with another set, or with one of your own that holds the same texts.",
        )
    return Calibration(found.name, tuple(found.texts))


def model_of(version: EntryVersion) -> Checkpoint | Endpoint:
    """The path is checked again here: what was inside the allowed roots at registration may be a link today."""
    if version.source == Source.ENDPOINT:
        return Endpoint(
            base_url=version.location,
            model=version.endpoint_model,
            style=version.endpoint_style,
            tokenizer=version.tokenizer and str(allowed_directory(version.tokenizer, "tokenizer")),
            api_key=unseal(version.sealed_key),
            allowed_networks=tuple(settings.ALLOWED_NETWORKS),
        )
    if version.source == Source.DIRECTORY:
        return Checkpoint(str(allowed_directory(version.location)), weights_hash=version.weights_hash)
    return Checkpoint(version.location, revision=version.revision, weights_hash=version.weights_hash)


@lru_cache(maxsize=16)
def benchmark_of(pk: int) -> BenchmarkSpec:
    """Versions never change, so a warm worker reads each benchmark once."""
    version = BenchmarkVersion.objects.select_related("benchmark").get(pk=pk)
    documents = Sample.objects.filter(version=version).order_by("index").values_list("document", flat=True)
    return BenchmarkSpec(
        name=version.benchmark.name,
        version=version.content_hash,
        definition=version.definition,
        documents=() if version.harness_task else tuple(documents),
        harness_task=version.harness_task,
    )
