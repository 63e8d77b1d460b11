"""A report of what quantisation changes as its page draws it: per entry the schemes side by side, reference first.

Answers and their statistics are the stored result's; bits, bytes and money are what the report's runs recorded; speed
and memory were measured apart, by the fixed protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isinf, isnan
from typing import Any

from django.urls import reverse

from evaluation.analyses.base import from_json
from evaluation.analyses.quantization import QuantizationResult, Shares
from evaluation.paired import clopper_pearson
from evaluation.protocol import Efficiency
from evaluation.schemes import SCHEMES
from webapp.jobs.models import Run, Worker
from webapp.results.compare_query import Query
from webapp.results.cost_figures import MISSING, CostFigure, share, span
from webapp.results.flips import FlipMatrix, flip_matrix
from webapp.results.measurements import Comparable, comparable
from webapp.results.quantization_figures import Placed, placed, placed_figure

RUN = (
    "pk", "contender", "contender__name", "contender__scheme", "contender__version__entry__team__name", "version",
    "version__benchmark__name", "cost_usd", "done", "provenance__scheme_report__bits",
    "provenance__scheme_report__nominal_bytes", "provenance__scheme_report__bytes_in_memory",
    "provenance__environment__gpu", "worker",
)  # fmt: skip
LINKS = 12  # benchmarks whose flipped samples are linked one by one


@dataclass(frozen=True)
class Measured:
    """What a contender's runs recorded; None where it is not known.

    bits: nominal, per weight. nominal_bytes: of the whole model in the format; bytes_in_memory: really held, the most
    of its runs. cost_usd: mean of a sample. device: what it ran on; kernel: what multiplied.
    """

    contender: int
    bits: float | None
    nominal_bytes: int | None
    bytes_in_memory: int | None
    cost_usd: float | None
    device: str
    kernel: str
    emulated: bool


@dataclass(frozen=True)
class Row:
    """A contender as the table writes it. Texts are ready; a hole is a dash. links: flipped samples, by benchmark.

    pace: by the fixed protocol, on the device that the page compares on.
    """

    name: str
    is_reference: bool
    accuracy: str
    accuracy_interval: str
    difference: str
    difference_interval: str
    p: str
    counts: list[tuple[str, str, str]]  # share, interval, number: changed, lost, won, from wrong to otherwise wrong
    kl: str
    kl_p95: str
    verdict: str
    measured: Measured | None
    pace: Efficiency | None
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class Entry:
    """Contenders with the same reference, the reference first, then by bits."""

    name: str
    n: int
    rows: list[Row]

    @property
    def sentences(self) -> list[str]:
        """A verdict for each that is compared, in the order of the rows."""
        return [row.verdict for row in self.rows if row.verdict]


class QuantizationView:
    """result: as `to_json` wrote it. runs, paces: `known_of` the report's runs."""

    template = "components/quantization.html"
    scripts = ("js/quantization.js", "js/drawings.js")
    heads = ("Answers changed", "Lost", "Won", "Wrong → wrong")

    def __init__(
        self,
        result: Mapping[str, Any],
        parameters: Mapping[str, Any],
        runs: Sequence[Mapping[str, Any]] = (),
        paces: Comparable | None = None,
    ) -> None:
        self.result = from_json(QuantizationResult, result)
        self.parameters = parameters
        self.paces = paces
        self._runs = runs

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """By name of the contender, short or with its team."""
        own: dict[int, list[Mapping[str, Any]]] = {}
        for run in self._runs:
            own.setdefault(run["contender"], []).append(run)
        found: dict[str, Measured] = {}
        for runs in own.values():
            one, name = _measured(runs), runs[0]["contender__name"]
            found |= {name: one, f"{runs[0]['contender__version__entry__team__name']}/{name}": one}
        return found

    @cached_property
    def benchmarks(self) -> dict[int, str]:
        return {run["version"]: run["version__benchmark__name"] for run in self._runs}

    @cached_property
    def entries(self) -> list[Entry]:
        names, references = self.result.contenders, self.result.reference
        return [
            self._entry(one, [at for at in range(len(names)) if references[at] == one])
            for one in dict.fromkeys(references)
        ]

    def _entry(self, reference: str, places: list[int]) -> Entry:
        names = self.result.contenders
        order = sorted(places, key=lambda at: (names[at] != reference, -self._bits(names[at]), names[at]))
        return Entry(reference.rpartition("@")[0] or reference, int(self.result.n[places[0]]),
                     [self._row(at) for at in order])  # fmt: skip

    def _bits(self, name: str) -> float:
        known = self.measured.get(name)
        return known.bits or 0.0 if known else 0.0

    def _row(self, at: int) -> Row:
        found, name = self.result, self.result.contenders[at]
        own, n = found.reference[at] == name, int(found.n[at])
        low, high = clopper_pearson(round(float(found.accuracy[at]) * n), n, found.level)
        parts = (found.changed, found.lost, found.won, found.other_wrong)
        return Row(
            name=name,
            is_reference=own,
            accuracy=share(float(found.accuracy[at])),
            accuracy_interval=span((float(low), float(high)), share),
            difference=MISSING if own else _signed(found.difference[at]),
            difference_interval="" if own else f"{_signed(found.low[at])} to {_signed(found.high[at])}",
            p=MISSING if own else _p(float(found.p_adjusted[at])),
            counts=[("", "", "")] * len(parts) if own else [_counted(part, at) for part in parts],
            kl=MISSING if own or found.kl_mean is None else _nats(float(found.kl_mean[at])),
            kl_p95=MISSING if own or found.kl_p95 is None else _nats(float(found.kl_p95[at])),
            verdict=found.verdicts[at],
            measured=self.measured.get(name),
            pace=self.pace(name),
            links=[] if own else self._links(name, found.reference[at]),
        )

    def pace(self, name: str) -> Efficiency | None:
        """What the fixed protocol found of a contender on the device of the page."""
        known = self.measured.get(name)
        return self.paces.by_contender.get(known.contender) if known and self.paces else None

    def _links(self, name: str, reference: str) -> list[tuple[str, str]]:
        """Where the samples are that the two answer otherwise, benchmark by benchmark."""
        one, other = self.measured.get(name), self.measured.get(reference)
        if one is None or other is None:
            return []
        pair = (other.contender, one.contender)
        asked = {
            label: Query(benchmark=version, contenders=pair, baseline=pair[0], filter="answers")
            for version, label in list(self.benchmarks.items())[:LINKS]
        }
        return [(label, f"{reverse('results:compare')}?{query.text}") for label, query in asked.items()]

    @property
    def level(self) -> str:
        return f"{100 * self.result.level:g} %"

    @property
    def emulated(self) -> list[str]:
        return [row.name for entry in self.entries for row in entry.rows if row.measured and row.measured.emulated]

    @property
    def devices(self) -> list[str]:
        return sorted({one.device for one in self.measured.values()})

    @cached_property
    def sized(self) -> list[Placed]:
        """Contenders whose size in the format is known, the smallest first."""
        known = {name: found.nominal_bytes for name, found in self.measured.items()}
        return self._placed(known, 1)

    @cached_property
    def heavy(self) -> list[Placed]:
        """Contenders that multiply in their format, by peak memory on the device of the page, the smallest first."""
        return self._placed({name: pace.peak_bytes for name, pace in self._native.items()}, 1)

    @cached_property
    def fast(self) -> list[Placed]:
        """The same by tokens written per second in one answer, the fastest first."""
        rates = {name: pace.writing for name, pace in self._native.items()}
        return self._placed({name: rate.median if rate else None for name, rate in rates.items()}, -1)

    @cached_property
    def _native(self) -> dict[str, Efficiency]:
        found = {name: self.pace(name) for name in self.result.contenders}
        return {name: pace for name, pace in found.items() if pace is not None and not pace.emulated}

    def _placed(self, values: Mapping[str, float | None], sign: int) -> list[Placed]:
        accuracy = dict(zip(self.result.contenders, map(float, self.result.accuracy), strict=True))
        return placed(values, accuracy, set(self.result.reference), sign)

    @cached_property
    def flips(self) -> list[dict[str, Any]]:
        """Per compared contender the bins of its reference's margin: middle, share of answers that changed."""
        margins = self.result.margins
        if margins is None:
            return []
        return [
            {
                "name": name,
                "points": [
                    {
                        "low": float(margins.edges[at, b]),
                        "high": float(margins.edges[at, b + 1]),
                        "samples": int(margins.samples[at, b]),
                        "flips": int(margins.flips[at, b]),
                    }
                    for b in range(margins.samples.shape[1])
                    if margins.samples[at, b]
                ],
            }
            for at, name in enumerate(self.result.contenders)
            if self.result.reference[at] != name
        ]

    @cached_property
    def flip_matrix(self) -> FlipMatrix | None:
        return flip_matrix(self.result)

    @property
    def charts(self) -> dict[str, Any]:
        placed = {"size-quality": self.sized, "memory-quality": self.heavy, "speed-quality": self.fast}
        return {**{kind: [asdict(one) for one in rows] for kind, rows in placed.items()}, "flips": self.flips}

    @property
    def figures(self) -> list[CostFigure]:
        found = [placed_figure(kind, rows, self._where) for kind, rows in self._plots.items() if rows]
        if self.flips:
            found.append(self._flips_figure())
        return found

    @property
    def _plots(self) -> dict[str, list[Placed]]:
        """What was measured is drawn where there are at least two to compare."""
        return {
            "size-quality": self.sized,
            "memory-quality": self.heavy if len(self.heavy) > 1 else [],
            "speed-quality": self.fast if len(self.fast) > 1 else [],
        }

    @property
    def _where(self) -> str:
        return (
            f"Measured on {self.paces.device} by the fixed protocol; emulated formats are not drawn."
            if self.paces
            else ""
        )

    def _flips_figure(self) -> CostFigure:
        rows = [
            (one["name"], [f"{at['low']:.2f} to {at['high']:.2f}", f"{at['samples']:,}", f"{at['flips']:,}",
                           share(at["flips"] / at["samples"])])
            for one in self.flips
            for at in one["points"]
        ]  # fmt: skip
        return CostFigure(
            "flips-margin", "Which answers flip",
            "Share of changed answers by how sure the reference was: its probability of the first choice less that of "
            "the second. Flips far to the right are the serious ones.",
            "Changed answers in per cent over the reference’s margin, a line per contender; the same numbers are in "
            "the table below.",
            ["Contender", "Margin of the reference", "Samples", "Changed", "Changed, %"],
            rows,
        )  # fmt: skip


def known_of(run_ids: Sequence[int]) -> tuple[list[dict[str, Any]], Comparable | None]:
    """What the page needs of a report's runs and of their contenders: three queries."""
    runs = run_facts(run_ids)
    return runs, comparable(run["contender"] for run in runs)


def run_facts(run_ids: Sequence[int]) -> list[dict[str, Any]]:
    """What the page needs of a report's runs, in two queries, in the order of the ids."""
    found = {run["pk"]: run for run in Run.objects.filter(pk__in=run_ids).values(*RUN)}
    workers = Worker.objects.filter(name__in={run["worker"] for run in found.values()})
    known = dict(workers.values_list("name", "device"))
    for run in found.values():
        run["device"] = run["provenance__environment__gpu"] or known.get(run["worker"], "")
    return [found[pk] for pk in run_ids if pk in found]


def _measured(runs: Sequence[Mapping[str, Any]]) -> Measured:
    scheme = SCHEMES.get(runs[0]["contender__scheme"])
    costs, done = [run["cost_usd"] for run in runs], sum(run["done"] for run in runs)
    devices = {run["device"] for run in runs}
    emulated = bool(scheme and scheme.emulated)
    return Measured(
        contender=runs[0]["contender"],
        bits=_most(runs, "provenance__scheme_report__bits"),
        nominal_bytes=_most(runs, "provenance__scheme_report__nominal_bytes"),
        bytes_in_memory=_most(runs, "provenance__scheme_report__bytes_in_memory"),
        cost_usd=None if None in costs or not done else sum(costs) / done,
        device=" and ".join(sorted(filter(None, devices))) or "unknown device",
        kernel=(" and ".join(scheme.packages) if scheme and scheme.packages else "torch"),
        emulated=emulated,
    )


def _known(runs: Sequence[Mapping[str, Any]], field: str) -> list[Any]:
    return sorted(run[field] for run in runs if run[field] is not None)


def _most(runs: Sequence[Mapping[str, Any]], field: str) -> Any:
    return max(_known(runs, field), default=None)


def _counted(part: Shares, at: int) -> tuple[str, str, str]:
    interval = span((float(part.low[at]), float(part.high[at])), share)
    return share(float(part.share[at])), interval, f"{int(part.count[at]):,}"


def _signed(value: Any) -> str:
    """Points with a sign: +1.2, −3.4, 0.0."""
    points = 100 * float(value)
    if isnan(points):
        return MISSING
    text = f"{points:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def _nats(value: float) -> str:
    if isinf(value):
        return "∞"
    return "< 0.0001" if 0 < value < 0.0001 else f"{value:.4f}"


def _p(value: float) -> str:
    if isnan(value):
        return MISSING
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
