"""What changes the catalog: entries and their versions, benchmarks and theirs, suites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from evaluation import benchmarks as format_
from evaluation.errors import EvaluationError
from evaluation.schemes import SCHEMES
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require, visible
from webapp.accounts.services import record
from webapp.catalog import sources
from webapp.catalog.models import (
    Benchmark,
    BenchmarkVersion,
    Contender,
    EntryVersion,
    ModelEntry,
    Sample,
    Source,
    Suite,
    SuiteItem,
)
from webapp.catalog.sealing import seal
from webapp.catalog.selectors import contenders_there
from webapp.catalog.sources import SourceRequest
from webapp.errors import Conflict, Unprocessable

R = TypeVar("R", bound=models.Model)
# The scheme of an endpoint's contender.
SERVED = "served"
# What other teams use where it is public; in the order in which it is locked.
SHARED: tuple[type[ModelEntry | Benchmark | Suite], ...] = (ModelEntry, Benchmark, Suite)
# What people say of an entry and may change.
DESCRIPTION = ("title", "description", "tags", "released_on")


def hold(*, actor: User, team: Team, rows: Iterable[ModelEntry | Benchmark | Suite]) -> None:
    """What a team uses of others stays until the transaction ends, as a deletion that looks meanwhile waits for it.

    What is of the team itself goes with it. Raises Conflict where another team's was hidden or deleted a moment ago.
    Locks: entries, benchmarks, suites, as in `removals.services.remove_team`.
    """
    foreign = {(type(row), row.pk): row.name for row in rows if row.team_id != team.pk}
    for model in SHARED:
        names = {pk: name for (of, pk), name in foreign.items() if of is model}
        if not names:
            continue
        there = visible(model._default_manager.filter(pk__in=names), actor).order_by("pk")
        kept = set(there.select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
        if gone := sorted(name for pk, name in names.items() if pk not in kept):
            said = f"{', '.join(gone)} was hidden or deleted in the same moment."
            raise Conflict(said, remedy="Look at what is still there.")


def save_new(row: R, what: str) -> R:
    """Validate and insert a named row of a team; a name that is taken and a bad field are said in words."""
    taken = Conflict(f"The team has {what} of this name.", field="name", remedy="Choose another name.")
    if type(row)._default_manager.filter(team=row.team, name=row.name).exists():  # type: ignore[attr-defined]
        raise taken
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Unprocessable(" ".join(messages), field=field) from error
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:  # two at once
        raise taken from error
    return row


@transaction.atomic
def register_entry(
    *,
    actor: User,
    team: Team,
    name: str,
    source: SourceRequest,
    title: str = "",
    description: str = "",
    tags: Sequence[str] = (),
    released_on: date | None = None,
    visibility: str = Visibility.TEAM,
) -> EntryVersion:
    """A new entry with its first version."""
    require(actor, team, May.SUBMIT)
    entry = ModelEntry(
        team=team,
        created_by=actor,
        name=name,
        title=title,
        description=description,
        tags=list(tags),
        released_on=released_on,
        visibility=visibility,
    )
    save_new(entry, "an entry")
    record(actor=actor, team=team, verb="registered", target=entry, after={"visibility": visibility})
    return add_entry_version(actor=actor, entry=entry, source=source)


@transaction.atomic
def describe_entry(*, actor: User, entry: ModelEntry, **changes: Any) -> ModelEntry:
    """Change what is said of an entry: title, description, tags, released_on. No number depends on these."""
    require(actor, entry.team, May.SUBMIT)
    entry = ModelEntry.objects.select_for_update(of=("self",)).select_related("team").get(pk=entry.pk)
    before = {name: getattr(entry, name) for name in DESCRIPTION}
    for name in DESCRIPTION:
        setattr(entry, name, changes.get(name, before[name]))
    try:
        entry.clean_fields(exclude=["name"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Unprocessable(" ".join(messages), field=field) from error
    changed = [name for name in DESCRIPTION if getattr(entry, name) != before[name]]
    if changed:
        entry.save(update_fields=changed)
        said = [{name: _said(values[name]) for name in changed} for values in (before, vars(entry))]
        record(actor=actor, team=entry.team, verb="described", target=entry, before=said[0], after=said[1])
    return entry


def _said(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


@transaction.atomic
def add_entry_version(*, actor: User, entry: ModelEntry, source: SourceRequest) -> EntryVersion:
    require(actor, entry.team, May.SUBMIT)
    fields = sources.resolve(source)
    ModelEntry.objects.select_for_update().get(pk=entry.pk)
    same = entry.versions.filter(fingerprint=fields["fingerprint"]).first()
    if same:
        raise Conflict(f"This is {same} already.", field="location", remedy="Use that version; it cannot have changed.")
    number = _next_number(entry)
    version = EntryVersion.objects.create(
        entry=entry, number=number, created_by=actor, sealed_key=seal(source.api_key), **fields
    )
    record(actor=actor, team=entry.team, verb="added version", target=version, after=sources.for_audit(source))
    return version


def _next_number(owner: ModelEntry | Benchmark) -> int:
    """One more than the last: imported versions carry the numbers that their files state, so there can be gaps."""
    return int(owner.versions.aggregate(last=models.Max("number"))["last"] or 0) + 1


@transaction.atomic
def pin_weights(*, version: EntryVersion, weights_hash: str) -> None:
    """Fix the weights' hash once, by the first worker that read weights too large for the web to hash."""
    if weights_hash and not version.weights_hash:
        EntryVersion.objects.filter(pk=version.pk, weights_hash="").update(weights_hash=weights_hash)


def contender(*, version: EntryVersion, scheme: str, variant: str = "") -> Contender:
    """The row for `entry@scheme`, made at its first use. variant: a hash, by whose beginning people tell it."""
    return stored([_named(version, scheme, variant)])[0]


def crossed(versions: Iterable[EntryVersion], schemes: Sequence[str]) -> list[Contender]:
    """Each version under each scheme, once: an endpoint is one contender whatever the schemes. Not `stored` yet, so
    that a request which is refused leaves none behind."""
    found = (_named(version, scheme) for version in versions for scheme in schemes)
    return list({(one.version_id, one.scheme): one for one in found}.values())


def stored(contenders: Iterable[Contender]) -> list[Contender]:
    """The row of each, once and in order; those that had none get theirs. One query where all have one."""
    contenders = list(contenders)
    there = contenders_there(one for one in contenders if one.pk is None)
    return list({row.key: row for row in (_row(one, there.get(one.key)) for one in contenders)}.values())


def _row(contender: Contender, there: Contender | None) -> Contender:
    if contender.pk is not None:
        return contender
    version, scheme, variant = contender.version, contender.scheme, contender.variant
    made = {"version": version, "scheme": scheme, "variant": variant, "defaults": {"name": contender.name}}
    row = there or Contender.objects.get_or_create(**made)[0]
    row.version = version  # so that nobody reads again what the caller has
    return row


def _named(version: EntryVersion, scheme: str, variant: str = "") -> Contender:
    if scheme not in SCHEMES:
        raise Unprocessable(f"{scheme} is not a scheme.", field="schemes", remedy=f"Known: {', '.join(SCHEMES)}.")
    if version.source == Source.ENDPOINT:
        # A server decides its own precision: there is nothing that we could apply a scheme to.
        scheme = SERVED
    number = "" if version.number == 1 else f":{version.number}"
    name = f"{version.entry.name}{number}@{scheme}" + (f".{variant[:8]}" if variant else "")
    return Contender(version=version, scheme=scheme, variant=variant, name=name)


@transaction.atomic
def create_benchmark(
    *,
    actor: User,
    team: Team,
    name: str,
    title: str = "",
    description: str = "",
    visibility: str = Visibility.TEAM,
    definition: Mapping[str, Any] | None = None,
    lines: Iterable[bytes] = (),
    harness_task: str = "",
) -> BenchmarkVersion:
    """A benchmark with its first version: `definition` and JSONL `lines`, or one of lm-eval's tasks by name."""
    require(actor, team, May.SUBMIT)
    benchmark = Benchmark(
        team=team, created_by=actor, name=name, title=title, description=description, visibility=visibility
    )
    save_new(benchmark, "a benchmark")
    record(actor=actor, team=team, verb="created", target=benchmark, after={"visibility": visibility})
    return add_benchmark_version(
        actor=actor, benchmark=benchmark, definition=definition, lines=lines, harness_task=harness_task
    )


@transaction.atomic
def add_benchmark_version(
    *,
    actor: User,
    benchmark: Benchmark,
    definition: Mapping[str, Any] | None = None,
    lines: Iterable[bytes] = (),
    harness_task: str = "",
) -> BenchmarkVersion:
    require(actor, benchmark.team, May.SUBMIT)
    Benchmark.objects.select_for_update().get(pk=benchmark.pk)
    if harness_task:
        version = _harness_version(actor, benchmark, harness_task)
    else:
        version = _own_version(actor, benchmark, definition or {}, lines)
    record(actor=actor, team=benchmark.team, verb="added version", target=version, after={"hash": version.content_hash})
    return version


def _own_version(actor: User, benchmark: Benchmark, raw: Mapping[str, Any], lines: Iterable[bytes]) -> BenchmarkVersion:
    try:
        definition = format_.Definition.from_dict(raw)
        documents = format_.parse_documents(lines, definition)
        rendered = [format_.render(definition, document) for document in documents]
    except EvaluationError as error:
        raise Unprocessable(error.message, field=error.field or "documents", remedy=error.remedy) from error
    content_hash = format_.content_hash(definition, documents)
    _refuse_same(benchmark, content_hash)
    version = BenchmarkVersion.objects.create(
        benchmark=benchmark,
        number=_next_number(benchmark),
        content_hash=content_hash,
        definition=definition.to_dict(),
        kind=definition.kind,
        metric=definition.metric,
        samples=len(documents),
        chance=_chance([len(r.choices) for r in rendered]),
        created_by=actor,
    )
    Sample.objects.bulk_create(
        [
            Sample(
                version=version,
                index=index,
                document=document,
                prompt=shown.prompt,
                choices=list(shown.choices),
                target=shown.target,
                subject=shown.subject,
                document_hash=format_.document_hash(document),
                prompt_hash=format_.prompt_hash(shown.prompt),
                target_hash=format_.target_hash(shown.target if shown.gold is None else shown.gold),
            )
            for index, (document, shown) in enumerate(zip(documents, rendered, strict=True))
        ],
        batch_size=2000,
    )
    return version


def _chance(choices: Sequence[int]) -> float | None:
    """Expected accuracy of guessing; None for generation."""
    return sum(1 / n for n in choices) / len(choices) if all(choices) else None


def _harness_version(actor: User, benchmark: Benchmark, task: str) -> BenchmarkVersion:
    """A task of lm-eval by name: its documents are read by the first worker that has them."""
    content_hash = format_.prompt_hash(f"lm-eval task {task}")
    _refuse_same(benchmark, content_hash)
    return BenchmarkVersion.objects.create(
        benchmark=benchmark,
        number=_next_number(benchmark),
        content_hash=content_hash,
        harness_task=task,
        kind="harness",
        metric="",
        created_by=actor,
    )


def _refuse_same(benchmark: Benchmark, content_hash: str) -> None:
    same = benchmark.versions.filter(content_hash=content_hash).first()
    if same:
        raise Conflict(f"This is {same} already: nothing has changed.", field="documents")


@transaction.atomic
def create_suite(
    *,
    actor: User,
    team: Team,
    name: str,
    versions: Sequence[BenchmarkVersion],
    title: str = "",
    description: str = "",
    visibility: str = Visibility.TEAM,
) -> Suite:
    """Benchmarks in the order given, which is the order of columns and of rounds."""
    require(actor, team, May.SUBMIT)
    if not versions:
        raise Unprocessable("A suite needs a benchmark.", field="benchmarks", remedy="Choose at least one.")
    if len({v.pk for v in versions}) < len(versions):
        raise Unprocessable("A benchmark is in the list twice.", field="benchmarks", remedy="Name each one once.")
    hold(actor=actor, team=team, rows=[version.benchmark for version in versions])
    suite = Suite(team=team, created_by=actor, name=name, title=title, description=description, visibility=visibility)
    save_new(suite, "a suite")
    SuiteItem.objects.bulk_create(SuiteItem(suite=suite, position=i, version=v) for i, v in enumerate(versions, 1))
    record(actor=actor, team=team, verb="created", target=suite, after={"benchmarks": [str(v) for v in versions]})
    return suite
