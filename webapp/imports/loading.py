"""A plan becomes rows: catalog, runs, scores by COPY, packed scores. In the caller's transaction, so all or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from evaluation.uncertainty import mean_with_error
from webapp.catalog.models import (
    IMPORTED_KIND,
    Benchmark,
    BenchmarkVersion,
    Contender,
    EntryVersion,
    ModelEntry,
    Source,
)
from webapp.errors import Conflict
from webapp.imports.copies import original
from webapp.imports.models import SAME_AS, Import, ImportRun
from webapp.imports.planning import (
    Plan,
    PlannedBenchmark,
    PlannedEntry,
    PlannedRun,
    names_of_benchmarks,
    names_of_entries,
)
from webapp.imports.spool import Spool
from webapp.jobs.models import Run, RunEvent, default_settings
from webapp.results.models import PackedScores
from webapp.results.packing import pack
from webapp.results.services import COLUMNS, interval

QUESTION = (
    "version_id", "index", "document", "prompt", "choices", "target", "subject", "document_hash", "prompt_hash",
    "target_hash",
)  # fmt: skip
WHOLE = ("tokens_in", "tokens_out")


def load(job: Import, found: Plan, spool: Spool, *, every: Callable[[int], None]) -> list[Run]:
    """Make what the plan says, and return the new runs. spool: the rows from which it was planned.

    every: called with the number of rows so far now and then; what it raises undoes everything.
    """
    made = _Made()
    for benchmark in found.benchmarks:
        made.versions[benchmark.content_hash, benchmark.name] = _version(job, benchmark)
    for entry in found.entries:
        made.entries[entry.name, entry.fingerprint] = _entry_version(job, entry)
    for planned in found.runs:
        run = planned.existing or _run(job, planned, made)
        made.parts.append(ImportRun(owner=job, run=run, made=planned.existing is None))
        made.know(planned, run)
    _copy(made, found, spool, every)
    _pack(job, made.fresh)
    ImportRun.objects.bulk_create(made.parts, batch_size=1000)
    return [run for _, run in made.fresh]


@dataclass
class _Made:
    """What exists by now. run_of: the ids of new runs, by their number. asked: by the number of a benchmark its version
    and the samples to copy to it; claimed: of a version, what one of its benchmarks brings already."""

    versions: dict[tuple[str, str], BenchmarkVersion] = field(default_factory=dict)
    entries: dict[tuple[str, str], EntryVersion] = field(default_factory=dict)
    parts: list[ImportRun] = field(default_factory=list)
    fresh: list[tuple[PlannedRun, Run]] = field(default_factory=list)
    run_of: dict[int, int] = field(default_factory=dict)
    asked: dict[int, tuple[int, frozenset[int]]] = field(default_factory=dict)
    claimed: dict[int, set[int]] = field(default_factory=dict)

    def know(self, planned: PlannedRun, run: Run) -> None:
        if planned.existing is None:
            self.fresh.append((planned, run))
            self.run_of[planned.found.number] = run.pk
        about = planned.benchmark
        if about.found.number not in self.asked:
            version = self.versions[about.content_hash, about.name].pk
            claimed = self.claimed.setdefault(version, set())
            self.asked[about.found.number] = version, about.fresh - claimed
            claimed |= about.fresh


def _version(job: Import, planned: PlannedBenchmark) -> BenchmarkVersion:
    if planned.existing:
        return planned.existing
    key = planned.found.key
    benchmark, new = Benchmark.objects.get_or_create(
        team=job.team,
        name=planned.name,
        defaults={
            "title": "" if key.name == planned.name else key.name[:120],
            "created_by": job.created_by,
            "visibility": job.visibility,
            "description": "Known from imported results.",
        },
    )
    if not new and names_of_benchmarks(job.team, [planned.name]):
        raise _taken("benchmark", planned.name)
    return BenchmarkVersion.objects.create(
        benchmark=benchmark,
        number=_number(benchmark, key.version),
        content_hash=planned.content_hash[:64],
        kind=IMPORTED_KIND,
        metric=planned.found.metric[:60],
        higher_is_better=planned.found.higher_is_better,
        created_by=job.created_by,
    )


def _taken(what: str, name: str) -> Conflict:
    """Somebody made it while the file was being read; what people made is never mixed with what files say."""
    return Conflict(
        f"The team got the {what} {name} while the file was being read.",
        field=what,
        remedy="Import the file again: what it holds then gets another name.",
    )


def _number(owner: Benchmark | ModelEntry, wanted: int | None) -> int:
    """The number that the file states if it is free, else the next one."""
    if wanted and not owner.versions.filter(number=wanted).exists():
        return wanted
    return int(owner.versions.aggregate(last=Max("number"))["last"] or 0) + 1


def _entry_version(job: Import, planned: PlannedEntry) -> EntryVersion:
    if planned.existing:
        return planned.existing
    entry, new = ModelEntry.objects.get_or_create(
        team=job.team,
        name=planned.name,
        defaults={
            "title": "" if planned.title == planned.name else planned.title[:120],
            "created_by": job.created_by,
            "visibility": job.visibility,
            "description": "Known from imported results.",
            "tags": ["imported"],
        },
    )
    if not new and names_of_entries(job.team, [planned.name]):
        raise _taken("entry", planned.name)
    return EntryVersion.objects.create(
        entry=entry,
        number=_number(entry, planned.wanted),
        source=Source.IMPORTED,
        location=planned.title[:500],
        revision=str(planned.facts.get("revision", ""))[:40],
        parameters=planned.facts.get("parameters"),
        fingerprint=planned.fingerprint,
        created_by=job.created_by,
    )


def _run(job: Import, planned: PlannedRun, made: _Made) -> Run:
    about, entry = planned.benchmark, made.entries[planned.entry.name, planned.entry.fingerprint]
    values = planned.found.values()
    whole = values[~np.isnan(values).any(axis=1)].mean(axis=1)
    estimate = mean_with_error(whole)
    low, high = interval(whole, estimate)
    said = f"Imported from {job.name} by {job.created_by} on {timezone.now():%-d %B %Y}, not run here."
    run = Run.objects.create(
        team=job.team,
        created_by=job.created_by,
        visibility=job.visibility,
        contender=_contender(entry, planned.scheme),
        version=made.versions[about.content_hash, about.name],
        settings=_settings(planned, attempts=values.shape[1]),
        subset=_subset(planned),
        identity=planned.identity,
        origin=Run.Origin.IMPORTED,
        max_seconds=0,
        state=Run.State.DONE,
        reason=said,
        finished_at=timezone.now(),
        last_attempt=0,
        total=len(whole),
        done=len(whole),
        score_sum=float(whole.sum()),
        mean=estimate.value,
        standard_error=estimate.standard_error,
        low=low,
        high=high,
        provenance=_provenance(job, planned),
        **_totals(planned.found.totals),
    )
    RunEvent.objects.create(run=run, attempt=0, state=run.state, text=said)
    return run


def _totals(sums: Mapping[str, float | None]) -> dict[str, Any]:
    return {name: int(total) if total is not None and name in WHOLE else total for name, total in sums.items()}


def _settings(planned: PlannedRun, attempts: int) -> dict[str, Any]:
    """What the file states, as far as it is plain. None: not stated. The number of attempts is counted."""
    stated = json.loads(planned.found.settings) if planned.found.settings else {}
    plain = {name: value for name, value in stated.items() if isinstance(value, str | int | float | bool | None)}
    numbers = {name: value if _is_number(value) else None for name in default_settings() for value in [plain.get(name)]}
    return {**plain, **numbers, "repeat": numbers["repeat"] or 0, "attempts": attempts}


def _subset(planned: PlannedRun) -> list[int] | None:
    """The samples that a partial run asked, as an export of one states them."""
    stated = json.loads(planned.found.settings).get("subset") if planned.found.settings else None
    if not isinstance(stated, list) or not stated:
        return None
    return list(dict.fromkeys(at for at in stated if isinstance(at, int) and 0 <= at < 2**31))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _provenance(job: Import, planned: PlannedRun) -> dict[str, Any]:
    """From where the numbers are: the import, and what its file says of how they were made."""
    return {"imported": job.pk, "file": job.name, "sha256": job.sha256, "kind": job.kind, **planned.entry.facts}


def _contender(version: EntryVersion, scheme: str) -> Contender:
    number = "" if version.number == 1 else f":{version.number}"
    name = f"{version.entry.name}{number}@{scheme}"
    return Contender.objects.get_or_create(version=version, scheme=scheme, defaults={"name": name})[0]


def _copy(made: _Made, found: Plan, spool: Spool, every: Callable[[int], None]) -> None:
    _copy_into("results_score", COLUMNS, spool.scores(made.run_of), every)
    _copy_into("catalog_sample", QUESTION, spool.questions(made.asked), lambda _: every(found.rows))


def _copy_into(table: str, columns: Sequence[str], lines: Iterator[list[bytes]], every: Callable[[int], None]) -> None:
    names, count = ", ".join(f'"{name}"' for name in columns), 0
    statement = f"COPY {table} ({names}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in lines:
            copy.write(b"".join(batch))
            count += len(batch)
            every(count)


def _pack(job: Import, fresh: list[tuple[PlannedRun, Run]]) -> None:
    for planned, run in fresh:
        values = planned.found.values()
        dtype, data = pack(values)
        packed = PackedScores(run=run, dtype=dtype, attempts=values.shape[1], values=data)
        packed.save(force_insert=True)
        copied = original(actor=job.created_by, planned=planned, run=run, packed=packed)
        if copied is not None:
            run.provenance[SAME_AS] = copied
            run.save(update_fields=["provenance"])
