"""What can be analysed: the contenders of a suite, of one benchmark version, or of chosen runs, with a run per cell.

Of several finished runs of a cell the newest counts, as on the boards; the one before it tells how much of a difference
is noise. Trials with a limit and private runs are taken only where somebody names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import described
from webapp.accounts.models import Team, Visibility
from webapp.accounts.selectors import Viewer, teams_where, usual_team, visible
from webapp.catalog.selectors import benchmark_versions, suite_versions, suites
from webapp.errors import DomainError, Unprocessable
from webapp.jobs.models import Run
from webapp.jobs.selectors import usual
from webapp.results.models import Report
from webapp.results.selectors import contender_labels, distinct, reports

CELL = (
    "pk", "contender", "contender__name", "contender__version__entry__team__name", "version", "version__benchmark",
    "state", "done", "visibility",
)  # fmt: skip
WHY = {"queued": "waits for a worker", "running": "is running", "failed": "failed", "cancelled": "was cancelled"}
LISTED = 500  # suites and benchmarks to choose from
EXISTING = 5


@dataclass(frozen=True)
class Data:
    """Where the runs come from. key and value: how the URL says it. columns: (id, name) of versions or benchmarks."""

    team: Team
    key: str
    value: str
    title: str
    columns: Sequence[tuple[int, str]]

    @property
    def slug(self) -> str:
        """As the choice on the page names it."""
        return f"{self.key}-{self.value}"


@dataclass(frozen=True)
class Candidate:
    """A contender. runs: one per column, None where there is none; again: the finished ones before, where each has one.

    missing: in words, why it cannot take part.
    """

    pk: int
    name: str
    runs: tuple[int | None, ...]
    again: tuple[int, ...]
    samples: int
    private: bool
    missing: str


@dataclass(frozen=True)
class Candidates:
    data: Data
    rows: tuple[Candidate, ...]

    @property
    def complete(self) -> list[Candidate]:
        return [row for row in self.rows if not row.missing]

    @property
    def incomplete(self) -> list[Candidate]:
        return [row for row in self.rows if row.missing]

    @property
    def repeated(self) -> list[Candidate]:
        """Run twice: the second run says how much is noise."""
        return [row for row in self.complete if row.again]

    @property
    def samples(self) -> int:
        return max((row.samples for row in self.complete), default=0)

    def chosen(self, pks: Sequence[int]) -> list[Candidate]:
        """Raises Unprocessable for a contender that cannot take part."""
        known = {row.pk: row for row in self.complete}
        unknown = [pk for pk in pks if pk not in known]
        if unknown or not pks:
            problem = "A contender that was chosen has not all its results." if unknown else "No contender is chosen."
            raise Unprocessable(problem, field="contenders", remedy="Choose among those that are complete.")
        return [row for row in self.complete if row.pk in set(pks)]

    def named(self, name: str, field: str) -> int:
        """Id of a complete contender. Raises Unprocessable on that field of the request."""
        pk = next((row.pk for row in self.complete if row.name == name), None)
        if pk is None:
            known = f"Known: {', '.join(row.name for row in self.complete)}."
            raise Unprocessable(f"There is no contender “{name}” with all its results.", field=field, remedy=known)
        return pk

    def noise(self, pk: int, chosen: Sequence[Candidate]) -> tuple[str, tuple[int, ...]]:
        """Name and second runs of a contender that ran twice. Raises Unprocessable."""
        row = next((row for row in self.repeated if row.pk == pk and row in chosen), None)
        if row is None:
            remedy = "Choose one that takes part and ran twice."
            raise Unprocessable("This contender tells no noise floor.", field="noise", remedy=remedy)
        return row.name, row.again


def runs_of(rows: Sequence[Candidate]) -> list[int]:
    """In the order of a report: contender by contender."""
    return [run for row in rows for run in row.runs if run is not None]


def find(user: Viewer, asked: Mapping[str, str]) -> Data | None:
    """The data that a URL names by `suite`, `benchmark` or `runs`; None where it names none. Raises DomainError."""
    key, value = next(((key, asked[key]) for key in ("suite", "benchmark", "runs") if asked.get(key)), ("", ""))
    if not key:
        key, _, value = asked.get("data", "").partition("-")
    if key == "runs":
        return _chosen_runs(user, value, asked.get("team", ""))
    if key == "suite":
        suite = suites(user).filter(pk=_number(value)).first()
        if suite is None:
            raise _unknown("suite")
        columns = [(version.pk, version.benchmark.name) for version in suite_versions(suite)]
        team = _team(user, asked.get("team", ""), suite.team)
        return Data(team, key, value, f"Suite {suite.team.name}/{suite.name}", columns)
    if key == "benchmark":
        version = benchmark_versions(user).filter(pk=_number(value)).first()
        if version is None:
            raise _unknown("benchmark")
        team = _team(user, asked.get("team", ""), version.benchmark.team)
        title = f"Benchmark {version.benchmark.team.name}/{version}"
        return Data(team, key, value, title, [(version.pk, version.benchmark.name)])
    return None


def _unknown(kind: str) -> DomainError:
    return DomainError(f"There is no such {kind}.", status=404)


def _number(value: str) -> int:
    return int(value) if value.isdecimal() and len(value) < 10 else 0


def _team(user: Viewer, named: str, usual: Team) -> Team:
    """Whose runs: the named team, else the one that the data belongs to, else the one the person worked for last."""
    if not user.is_authenticated:
        raise _unknown("team")
    mine = {team.name: team for team in teams_where(user)}
    if named and named not in mine:
        raise _unknown("team")
    latest = usual_team(user)
    found = mine.get(named) or mine.get(usual.name) or next((one for one in mine.values() if one.pk == latest), None)
    found = found or next(iter(mine.values()), None)
    if found is None:
        raise DomainError("You are in no team whose runs could be analysed.", status=404)
    return found


def _chosen_runs(user: Viewer, value: str, named: str) -> Data:
    ids = [_number(one) for one in value.split(",")][:5000]
    rows = visible(Run.objects.filter(pk__in=ids), user).select_related("team", "version__benchmark")
    found = rows.in_bulk()
    if set(ids) - set(found):
        raise _unknown("run")
    teams = {run.team for run in found.values()}
    if len(teams) != 1:
        raise Unprocessable("These runs belong to several teams.", field="runs", remedy="Analyse one team’s runs.")
    columns = dict.fromkeys(
        (run.version.benchmark_id, run.version.benchmark.name) for run in map(found.__getitem__, ids)
    )
    return Data(_team(user, named, teams.pop()), "runs", value, f"{len(found)} chosen runs", list(columns))


def candidates(user: Viewer, data: Data) -> Candidates:
    """Everybody who ran on the data in the team, by name; two queries."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for run in _runs(user, data).order_by("pk").values(*CELL):
        rows.setdefault(run["contender"], []).append(run)
    names = distinct(contender_labels(runs[0]) for runs in rows.values())
    found = [_candidate(data, pk, name, runs) for name, (pk, runs) in zip(names, rows.items(), strict=True)]
    return Candidates(data, tuple(sorted(found, key=lambda row: (row.name, row.pk))))


def _runs(user: Viewer, data: Data) -> QuerySet[Run]:
    mine = visible(Run.objects.filter(team=data.team), user)
    if data.key == "runs":
        return mine.filter(pk__in=[_number(one) for one in data.value.split(",")])
    columns = [pk for pk, _ in data.columns]
    return usual(mine.filter(version__in=columns)).exclude(visibility=Visibility.PRIVATE)


def _candidate(data: Data, pk: int, name: str, runs: Sequence[Mapping[str, Any]]) -> Candidate:
    column = "version__benchmark" if data.key == "runs" else "version"
    cells: dict[int, list[Mapping[str, Any]]] = {}
    for run in runs:
        cells.setdefault(run[column], []).append(run)
    newest: list[Mapping[str, Any] | None] = []
    again, missing = [], []
    for at, benchmark in data.columns:
        mine = cells.get(at, [])
        done = [run for run in mine if run["state"] == Run.State.DONE]
        newest.append(done[-1] if done else None)
        again += [done[-2]["pk"]] if len(done) > 1 else []
        if not done:
            missing.append(f"{benchmark} {WHY[mine[-1]['state']] if mine else 'was not run'}")
    taken = [run for run in newest if run is not None]
    return Candidate(
        pk=pk,
        name=name,
        runs=tuple(run["pk"] if run else None for run in newest),
        again=tuple(again) if len(again) == len(data.columns) else (),
        samples=sum(run["done"] for run in taken),
        private=any(run["visibility"] == Visibility.PRIVATE for run in taken),
        missing=", ".join(missing),
    )


def choices(user: Viewer) -> list[tuple[str, list[tuple[str, str]]]]:
    """What a person may choose: groups of (value, title), suites before single benchmarks."""
    mine = [(f"suite-{suite.pk}", suite.title or suite.name) for suite in suites(user)[:LISTED]]
    versions = benchmark_versions(user).order_by("benchmark__name", "-number")[:LISTED]
    return [("Suites", mine), ("Benchmarks", [(f"benchmark-{version.pk}", str(version)) for version in versions])]


def existing(user: Viewer, analysis: str, runs: Sequence[int]) -> list[tuple[Report, str]]:
    """Reports of this analysis on exactly these runs, newest first, with the parameters that are not the usual ones."""
    if not runs or analysis not in ANALYSES:
        return []
    found = reports(user).filter(analysis=analysis, inputs__runs=list(runs))[:EXISTING]
    return [(report, _unusual(analysis, report.parameters)) for report in found]


def _unusual(analysis: str, parameters: Mapping[str, Any]) -> str:
    known = described(ANALYSES[analysis].Params)
    changed = [about.name for about in known if parameters.get(about.name, about.default) != about.default]
    return ", ".join(f"{name} {parameters[name]}" for name in changed) or "usual parameters"
