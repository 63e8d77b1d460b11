"""From what a file holds to what importing it would make: entries, benchmarks and runs, and which are there already.

Nothing is written here. What came with a file gets entries of its own, which cannot be run: where the weights are is
not known, so results from elsewhere never mix with those of an entry that was run here. Benchmarks do meet: a file
whose questions all stand in a benchmark of the team, with equal hashes, is about that benchmark.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db.models import Q

from evaluation.errors import NotEnoughData
from evaluation.importing.rows import BadRow
from evaluation.importing.survey import BenchmarkKey, FoundBenchmark, FoundRun, RunKey, Survey, fingerprint
from webapp.accounts.models import Team
from webapp.catalog.models import IMPORTED_KIND, Benchmark, BenchmarkVersion, EntryVersion, ModelEntry, Sample, Source
from webapp.jobs.models import Run

UNSTATED = "unstated"  # the scheme of results that do not say how the weights were stored
SHOWN = 50
HASHES = ("index", "document_hash", "prompt_hash", "target_hash")


@dataclass
class PlannedBenchmark:
    """existing: the version that the file is about, or None where one is made. fresh: samples that it lacks."""

    found: FoundBenchmark
    name: str
    content_hash: str
    existing: BenchmarkVersion | None
    fresh: frozenset[int] = frozenset()


@dataclass
class PlannedEntry:
    """existing: the version of an imported entry that is it already. facts: what the file says of how it was run."""

    name: str
    title: str
    wanted: int | None
    fingerprint: str
    facts: Mapping[str, Any]
    existing: EntryVersion | None


@dataclass
class PlannedRun:
    """existing: the run that these scores made at an earlier import."""

    found: FoundRun
    entry: PlannedEntry
    benchmark: PlannedBenchmark
    identity: str
    existing: Run | None = None

    @property
    def scheme(self) -> str:
        return self.found.key.scheme[:40] or UNSTATED


@dataclass
class Plan:
    rows: int
    runs: list[PlannedRun]
    entries: list[PlannedEntry] = field(default_factory=list)
    benchmarks: list[PlannedBenchmark] = field(default_factory=list)

    @property
    def fresh(self) -> list[PlannedRun]:
        return [run for run in self.runs if run.existing is None]

    def to_json(self) -> dict[str, Any]:
        """What a person reads before and after: all counts, and the first of each."""
        return {
            "rows": self.rows,
            "runs": len(self.runs),
            "new_runs": len(self.fresh),
            "new_entries": sum(entry.existing is None for entry in self.entries),
            "new_benchmarks": sum(one.existing is None for one in self.benchmarks),
            "entries": [_said(one.name, one.existing) | {"title": one.title} for one in self.entries[:SHOWN]],
            "benchmarks": [
                _said(one.name, one.existing) | {"samples": len(one.found.questions)} for one in self.benchmarks[:SHOWN]
            ],
            "cells": [
                {
                    "contender": f"{run.entry.name}@{run.scheme}",
                    "benchmark": run.benchmark.name,
                    "rows": len(run.found.at),
                    "existing": run.existing.pk if run.existing else None,
                }
                for run in self.runs[:SHOWN]
            ],
        }


def _said(name: str, existing: EntryVersion | BenchmarkVersion | None) -> dict[str, Any]:
    return {"name": name, "existing": str(existing) if existing else None}


def plan(team: Team, found: Survey) -> Plan:
    """What importing this would make. Raises BadRow where the file contradicts a benchmark that is there."""
    benchmarks = _benchmarks(team, found)
    entries: dict[tuple[str, str], PlannedEntry] = {}
    names = _entry_names(team, [key.entry for key in found.runs])
    runs = []
    for key, run in found.runs.items():
        mark = _entry_fingerprint(key, found.sources[run.source][1])
        entry = entries.get((names[key.entry], mark))
        if entry is None:
            facts = found.sources[run.source][1]
            entry = entries[names[key.entry], mark] = _entry(team, names[key.entry], key, mark, facts)
        about = benchmarks[key.benchmark]
        runs.append(PlannedRun(run, entry, about, _identity(team, run, about)))
        if not _whole(run):
            raise NotEnoughData(
                f"{key.entry} on {key.benchmark.name}: no sample has all its attempts.", field="attempt"
            )
    existing = Run.objects.filter(identity__in=[run.identity for run in runs], state=Run.State.DONE)
    there = {run.identity: run for run in existing}
    for planned in runs:
        planned.existing = there.get(planned.identity)
    distinct = {(one.content_hash, one.name): one for one in benchmarks.values()}
    return Plan(found.rows, runs, list(entries.values()), list(distinct.values()))


def _whole(run: FoundRun) -> bool:
    return bool((~np.isnan(run.values()).any(axis=1)).any())


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _identity(team: Team, run: FoundRun, about: PlannedBenchmark) -> str:
    """Of the scores and the questions, whatever file they came in. It begins with a word where that of a run made here
    begins with a number, so the two are never equal."""
    return _sha256(["imported", team.pk, run.content_hash, _questions_hash(about.found)])


# --- entries -----------------------------------------------------------------------------------------------------


def slug(text: str) -> str:
    """A name of the catalog from any text: “EleutherAI/pythia-160m” becomes “eleutherai-pythia-160m”."""
    plain = re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")
    return plain[:63].rstrip("-") or "unnamed"


def _entry_names(team: Team, texts: Iterable[str]) -> dict[str, str]:
    """The name of the entry for each text in a file: the entry of that name if it came from imports, else a new one."""
    names = {text: slug(text) for text in texts}
    near = [name for one in set(names.values()) for name in _candidates(one)]
    taken = names_of_entries(team, near)
    return {text: _free(name, taken) for text, name in names.items()}


def names_of_entries(team: Team, names: Iterable[str]) -> set[str]:
    """Those of the names that an entry has which people registered: results from elsewhere never join it."""
    ran_here = ModelEntry.objects.filter(team=team, name__in=names).filter(
        Q(versions__isnull=True) | ~Q(versions__source=Source.IMPORTED)
    )
    return set(ran_here.values_list("name", flat=True))


def names_of_benchmarks(team: Team, names: Iterable[str]) -> set[str]:
    """Those of the names that a benchmark has which people made."""
    asked_here = BenchmarkVersion.objects.exclude(kind=IMPORTED_KIND)
    made_here = Benchmark.objects.filter(team=team, name__in=names).filter(
        Q(versions__isnull=True) | Q(versions__in=asked_here)
    )
    return set(made_here.values_list("name", flat=True))


def _candidates(name: str) -> list[str]:
    ends = ["", "-imported", *(f"-imported-{n}" for n in range(2, 10))]
    return [name[: 63 - len(end)] + end for end in ends]


def _free(name: str, taken: set[str]) -> str:
    return next(one for one in _candidates(name) if one not in taken)


def _entry_fingerprint(key: RunKey, facts: Mapping[str, Any]) -> str:
    return _sha256(["imported", key.entry, key.version, facts.get("revision", "")])


def _entry(team: Team, name: str, key: RunKey, mark: str, facts: Mapping[str, Any]) -> PlannedEntry:
    existing = EntryVersion.objects.filter(entry__team=team, entry__name=name, fingerprint=mark).first()
    return PlannedEntry(name, key.entry, key.version, mark, facts, existing)


# --- benchmarks --------------------------------------------------------------------------------------------------


def _benchmarks(team: Team, found: Survey) -> dict[BenchmarkKey, PlannedBenchmark]:
    names = {key: slug(key.name) for key in found.benchmarks}
    near = [name for one in set(names.values()) for name in _candidates(one)]
    versions = list(
        BenchmarkVersion.objects.filter(benchmark__team=team, benchmark__name__in=near)
        .select_related("benchmark__team")
        .order_by("-number")
    )
    taken = names_of_benchmarks(team, near)
    planned: dict[BenchmarkKey, PlannedBenchmark] = {}
    for key, one in found.benchmarks.items():
        near_it = [version for version in versions if version.benchmark.name in _candidates(names[key])]
        planned[key] = _benchmark(one, names[key], near_it, taken)
    return planned


def _benchmark(one: FoundBenchmark, name: str, versions: list[BenchmarkVersion], taken: set[str]) -> PlannedBenchmark:
    wanted = one.key.hash or _questions_hash(one)
    same = next((version for version in versions if version.content_hash == wanted), None)
    if same is not None:
        return PlannedBenchmark(one, same.benchmark.name, wanted, same, _missing(one, same))
    for version in versions if one.questions else []:
        marks = _marks(version)
        if all(marks.get(index) == mark for index, mark in one.questions.items()):
            return PlannedBenchmark(one, version.benchmark.name, version.content_hash, version)
    return PlannedBenchmark(one, _free(name, taken), wanted, None, frozenset(one.questions))


def _questions_hash(one: FoundBenchmark) -> str:
    return _sha256(["imported", one.key.name, one.key.hash, one.metric, sorted(one.questions.items())])


def _marks(version: BenchmarkVersion) -> dict[int, int]:
    rows = Sample.objects.filter(version=version).values_list(*HASHES)
    return {index: fingerprint(*told) for index, *told in rows.iterator(chunk_size=5000)}


def _missing(one: FoundBenchmark, version: BenchmarkVersion) -> frozenset[int]:
    """Samples of the file that the version lacks, which only an imported one may. Raises BadRow for a contradiction."""
    marks = _marks(version)
    wrong = next((index for index, mark in one.questions.items() if marks.get(index, mark) != mark), None)
    missing = frozenset(one.questions) - marks.keys()
    if wrong is None and missing and version.kind != IMPORTED_KIND:
        wrong = min(missing)
    if wrong is not None:
        raise BadRow(
            f"sample {wrong} is not the one that {version} has, whose hash the file states",
            file="",
            field="benchmark_hash",
            remedy="Leave the column empty, and the file gets a benchmark of its own.",
        )
    return missing
