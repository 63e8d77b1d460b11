"""Reads of the catalog, each for a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db.models import BigIntegerField, CharField, Count, OuterRef, Prefetch, Q, QuerySet, Subquery

from evaluation.pricing import UnitPrices
from webapp.accounts.models import User
from webapp.accounts.selectors import NOBODY, Viewer, visible
from webapp.catalog.models import (
    Benchmark,
    BenchmarkVersion,
    CalibrationSet,
    Contender,
    ContenderKey,
    EntryVersion,
    ModelEntry,
    Price,
    Sample,
    Suite,
    SuiteItem,
)
from webapp.prepared import Asked, OneOf, Prepared

WORDS = 8  # of what somebody looks for, more narrow nothing down


def entries(user: Viewer, search: str = "") -> QuerySet[ModelEntry]:
    rows = visible(ModelEntry.objects.all(), user).select_related("team", "created_by")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(title__icontains=search) | Q(tags__contains=[search]))
    return rows.prefetch_related("versions").order_by("name", "id")


def entry_versions(user: Viewer) -> QuerySet[EntryVersion]:
    return EntryVersion.objects.filter(entry__in=visible(ModelEntry.objects.all(), user)).select_related("entry__team")


_newest_entry_version = Prepared(
    lambda user, team, name: entry_versions(User(pk=user))
    .filter(entry__team__name=team, entry__name=name)
    .order_by("-number")[:1],
    -1, "a team", "a name",
)  # fmt: skip


def ask_newest_entry_version(user: Viewer, team: str, name: str) -> Asked[EntryVersion]:
    """Of the entry that is called so, if this person may see it."""
    return _newest_entry_version.ask(user.pk or NOBODY, team, name)


def latest_versions(user: Viewer) -> QuerySet[EntryVersion]:
    """The newest version of each entry that the person may see, by name of the entry."""
    return _latest_of(visible(ModelEntry.objects.all(), user)).order_by("entry__name", "id")


def newest_entries(
    user: Viewer, limit: int, search: str = "", without: Iterable[EntryVersion] = ()
) -> list[EntryVersion]:
    """The latest versions of those that were registered last, first; of the others none is looked up.

    search: words, each a part of the name, the title or the team of an entry, or one of its tags.
    """
    rows = visible(ModelEntry.objects.all(), user).exclude(pk__in=[version.entry_id for version in without])
    for word in search.split()[:WORDS]:
        named = Q(name__icontains=word) | Q(title__icontains=word) | Q(team__name__icontains=word)
        rows = rows.filter(named | Q(tags__contains=[word]))
    return list(_latest_of(rows.order_by("-pk")[:limit]).order_by("-entry_id"))


def _latest_of(rows: QuerySet[ModelEntry]) -> QuerySet[EntryVersion]:
    newest = EntryVersion.objects.filter(entry=OuterRef("entry")).order_by("-number").values("id")[:1]
    return EntryVersion.objects.filter(entry__in=rows, id=Subquery(newest)).select_related("entry__team")


def contenders(user: Viewer) -> QuerySet[Contender]:
    return Contender.objects.filter(version__entry__in=visible(ModelEntry.objects.all(), user))


_contenders_of = Prepared(
    lambda versions, schemes, variants: Contender.objects.filter(
        OneOf("version", versions, BigIntegerField()), OneOf("scheme", schemes, CharField()),
        OneOf("variant", variants, CharField()),
    ),
    [-1], ["a scheme"], ["a variant"],
)  # fmt: skip


def contenders_there(wanted: Iterable[Contender]) -> dict[ContenderKey, Contender]:
    """The rows of those that have one, by their keys; there may be rows of others among them. One query."""
    keys = [one.key for one in wanted]
    parts = (list(set(part)) for part in zip(*keys, strict=True))
    return {row.key: row for row in _contenders_of(*parts)} if keys else {}


def contender_called(version: EntryVersion, scheme: str) -> Contender | None:
    """By what stands behind the @ of its name: a scheme, or a scheme with the beginning of a variant."""
    return Contender.objects.filter(version=version, name__endswith=f"@{scheme}").select_related("version").first()


def benchmarks(user: Viewer, search: str = "") -> QuerySet[Benchmark]:
    rows = visible(Benchmark.objects.all(), user).select_related("team", "created_by")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(title__icontains=search))
    return rows.prefetch_related("versions").order_by("name", "id")


def benchmark_versions(user: Viewer) -> QuerySet[BenchmarkVersion]:
    mine = visible(Benchmark.objects.all(), user)
    return BenchmarkVersion.objects.filter(benchmark__in=mine).select_related("benchmark__team")


_newest_benchmark_version = Prepared(
    lambda user, team, name: benchmark_versions(User(pk=user))
    .filter(benchmark__team__name=team, benchmark__name=name)
    .order_by("-number")[:1],
    -1, "a team", "a name",
)  # fmt: skip


def ask_newest_benchmark_version(user: Viewer, team: str, name: str) -> Asked[BenchmarkVersion]:
    """Of the benchmark that is called so, if this person may see it."""
    return _newest_benchmark_version.ask(user.pk or NOBODY, team, name)


def latest_benchmark_versions(user: Viewer) -> QuerySet[BenchmarkVersion]:
    newest = BenchmarkVersion.objects.filter(benchmark=OuterRef("benchmark")).order_by("-number").values("id")[:1]
    return benchmark_versions(user).filter(id=Subquery(newest)).order_by("benchmark__name", "id")


def samples(version: BenchmarkVersion) -> QuerySet[Sample]:
    return Sample.objects.filter(version=version).order_by("index")


def suites(user: Viewer) -> QuerySet[Suite]:
    items = SuiteItem.objects.select_related("version__benchmark__team").order_by("position")
    rows = visible(Suite.objects.all(), user).select_related("team", "created_by")
    rows = rows.prefetch_related(Prefetch("items", queryset=items))
    return rows.annotate(size=Count("items")).order_by("name", "id")


_suite_named = Prepared(
    lambda user, team, name: visible(Suite.objects.all(), User(pk=user)).filter(team__name=team, name=name)[:1],
    -1, "a team", "a name",
)  # fmt: skip
_items_named = Prepared(
    lambda user, team, name: SuiteItem.objects.filter(
        suite__in=visible(Suite.objects.all(), User(pk=user)), suite__team__name=team, suite__name=name
    )
    .select_related("suite", "version__benchmark__team")
    .order_by("position"),
    -1, "a team", "a name",
)  # fmt: skip


def ask_suite(user: Viewer, team: str, name: str) -> Asked[SuiteItem]:
    """The items of the suite that is called so, if this person may see it."""
    return _items_named.ask(user.pk or NOBODY, team, name)


def suite_named(user: Viewer, team: str, name: str, asked: Asked[SuiteItem]) -> Suite | None:
    """asked: what `ask_suite` gave. The suite comes with its columns, unless it is empty."""
    items = asked.all()
    if not items:
        return _suite_named.first(user.pk or NOBODY, team, name)
    suite: Suite = items[0].suite
    suite.columns = [item.version for item in items]
    return suite


def suite_versions(suite: Suite) -> list[BenchmarkVersion]:
    """The benchmark versions of a suite, in order; without a query where `suites` or `suite_named` has found it."""
    if suite.columns is not None:
        return suite.columns
    if "items" in getattr(suite, "_prefetched_objects_cache", {}):
        return [item.version for item in suite.items.all()]
    items = SuiteItem.objects.filter(suite=suite).select_related("version__benchmark__team").order_by("position")
    return [item.version for item in items]


def calibration_sets(user: Viewer) -> QuerySet[CalibrationSet]:
    """Newest first, without their texts, which can be megabytes."""
    rows = visible(CalibrationSet.objects.all(), user).select_related("team", "created_by", "suite__team")
    return rows.defer("texts").order_by("-id")


def prices(entry: ModelEntry) -> QuerySet[Price]:
    """The price history of an entry, newest first, withdrawn ones too."""
    rows = Price.objects.filter(entry=entry).select_related("created_by", "withdrawn_by")
    return rows.order_by("-valid_from", "scheme", "-id")


_valid_prices = Prepared(
    lambda entries, day: Price.objects.filter(
        OneOf("entry", entries, BigIntegerField()), Q(valid_to=None) | Q(valid_to__gt=day),
        withdrawn_at=None, valid_from__lte=day,
    ),
    [-1], date.min,
)  # fmt: skip


def ask_prices(contenders: Iterable[Contender], day: date) -> Asked[Price]:
    """All prices of their entries on that day, for `chosen_prices`."""
    return _valid_prices.ask(list({c.version.entry_id for c in contenders}), day)


def chosen_prices(contenders: Iterable[Contender], prices: Iterable[Price]) -> dict[int, Price]:
    """The price of each contender, by the contender's id; absent where nobody has priced it."""
    by_entry: dict[int, list[Price]] = {}
    for price in prices:
        by_entry.setdefault(price.entry_id, []).append(price)
    chosen = {c.pk: _best(by_entry.get(c.version.entry_id, ()), c.scheme) for c in contenders}
    return {pk: price for pk, price in chosen.items() if price is not None}


def price_on(contender: Contender, day: date) -> Price | None:
    """A price of the contender's own scheme before one for all schemes; of several, the one that holds since last."""
    return chosen_prices([contender], ask_prices([contender], day).all()).get(contender.pk)


def current_prices(rows: Iterable[Price], day: date) -> list[Price]:
    """Of an entry's history what holds on a day: one row for all schemes, and one for each scheme of its own price."""
    valid = [p for p in rows if p.withdrawn_at is None and p.valid_from <= day and (p.valid_to or date.max) > day]
    best = {scheme: max((p for p in valid if p.scheme == scheme), key=_rank) for scheme in {p.scheme for p in valid}}
    return [best[scheme] for scheme in sorted(best)]


def _best(rows: Iterable[Price], scheme: str) -> Price | None:
    return max((price for price in rows if price.scheme in {"", scheme}), key=_rank, default=None)


def _rank(price: Price) -> tuple[bool, date, int]:
    return price.scheme != "", price.valid_from, price.pk


def unit_prices(price: Price | None) -> UnitPrices | None:
    """What runs are costed with, apart from the row that it comes from."""
    if price is None:
        return None
    return UnitPrices(
        input_usd=price.input_usd,
        output_usd=price.output_usd,
        cached_usd=price.cached_usd,
        hour_usd=price.hour_usd,
        source=price.source,
        valid_from=price.valid_from.isoformat(),
    )
