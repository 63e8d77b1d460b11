"""A comparison asked for by names: `suite=lab/basics`, `benchmark=lab/sums:2`, `contenders=small@fp32,large@fp32`."""

from __future__ import annotations

from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from webapp.accounts.selectors import Viewer
from webapp.catalog.selectors import benchmark_versions, suites
from webapp.results import compare as reads
from webapp.results.compare_query import MOST, Query


def with_ids(user: Viewer, given: QueryDict) -> QueryDict:
    """The same address with ids. Raises ValidationError that names what the person cannot see, or what is not there."""
    found = given.copy()
    suite, benchmark, baseline = (given.get(name, "") for name in ("suite", "benchmark", "baseline"))
    if "/" in suite:
        found["suite"] = str(_suite(user, suite))
    if "/" in benchmark:
        found["benchmark"] = str(_benchmark(user, benchmark))
    asked = [part.strip() for text in given.getlist("contenders") for part in text.split(",")]
    names = [*asked, *filter(None, [baseline])]
    if any("@" in name for name in names):
        ids = _contenders(user, found, names)
        found["contenders"] = ",".join(ids[name] for name in asked[: MOST + 1])
        if baseline:
            found["baseline"] = ids[baseline]
    return found


def _suite(user: Viewer, text: str) -> int:
    team, _, name = text.partition("/")
    pk = suites(user).filter(team__name=team, name=name).values_list("pk", flat=True).first()
    if pk is None:
        raise ValidationError({"suite": [f"There is no suite {text}. Write team/name."]})
    return pk


def _benchmark(user: Viewer, text: str) -> int:
    """The newest version, unless its number is named."""
    team, _, rest = text.partition("/")
    name, _, number = rest.partition(":")
    rows = benchmark_versions(user).filter(benchmark__team__name=team, benchmark__name=name)
    if number:
        rows = rows.filter(number=int(number) if number.isdecimal() and len(number) < 9 else 0)
    pk = rows.order_by("-number").values_list("pk", flat=True).first()
    if pk is None:
        raise ValidationError({"benchmark": [f"There is no benchmark {text}. Write team/name or team/name:version."]})
    return pk


def _contenders(user: Viewer, found: QueryDict, names: list[str]) -> dict[str, str]:
    """Names as the comparison shows them, and ids as they are."""
    chosen = reads.subject(user, Query.of(found))
    known = {} if chosen is None else {option.name: str(option.pk) for option in reads.options(user, chosen)}
    missing = [name for name in names if name not in known and not name.isdecimal()]
    if missing:
        there = f"There are {', '.join(list(known)[:20])}." if known else "There are no finished runs."
        raise ValidationError({"contenders": [f"No contender is called {missing[0]} here. {there}"]})
    return {name: known.get(name, name) for name in names}
