"""The page of a report on quantisation: what it says, draws and links; a hole is a dash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from evaluation.analyses.base import to_json
from evaluation.analyses.quantization import QuantizationParams, compute
from evaluation.answers import AnswerTable
from evaluation.protocol import DECODE, LOCAL, USUAL, Efficiency, Pace, Spread
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Suite
from webapp.jobs.models import Run
from webapp.jobs.services import JobRequest, submit_job
from webapp.leaderboards.models import Leaderboard
from webapp.results import candidates, quantization
from webapp.results.measurements import Comparable
from webapp.results.models import Report
from webapp.results.quantization import QuantizationView
from webapp.results.reports import compute_report, request_analysis
from webapp.results.selectors import report_context
from webapp.results.services import finish_run
from webapp.tests import factories

GIGABYTE = 1_000_000_000


def recorded(contender: int, scheme: str, **more: Any) -> dict[str, Any]:
    """What a run told, as `run_facts` reads it; nothing but names unless `more` says so."""
    empty = dict.fromkeys(field for field in quantization.RUN if field.startswith("provenance"))
    return {
        **empty, "pk": contender, "contender": contender, "contender__name": f"m@{scheme}",
        "contender__scheme": scheme, "contender__version__entry__team__name": "lab", "version": 7,
        "version__benchmark__name": "sums", "cost_usd": None, "done": 10,
        "device": more.pop("device", ""),
        **{f"provenance__{name}": value for name, value in more.items()},
    }  # fmt: skip


def viewed(
    labels: Mapping[str, Sequence[int]],
    runs: Sequence[Mapping[str, Any]] = (),
    *,
    sure: bool = True,
    paces: Comparable | None = None,
) -> QuantizationView:
    """labels: the answer of each contender to each sample; 0 is right, 1 and 2 are wrong."""
    chosen = np.array(list(labels.values()))
    size = chosen.shape[1]
    likely = np.where(chosen[:, :, None] == np.arange(3), 0.8, 0.1) if sure else None
    samples, truth = tuple(f"s:{at}" for at in range(size)), np.zeros(size, dtype=int)
    table = AnswerTable(tuple(labels), samples, ("x", "y", "z"), chosen, chosen == 0, truth, likely)
    stored = json.loads(json.dumps(to_json(compute(table, QuantizationParams()))))
    return QuantizationView(stored, {}, runs, paces)


ANSWERS = {"m@int4": [0] * 5 + [1] * 12 + [0, 2, 1], "m@fp32": [0] * 17 + [1, 1, 1], "k@bf16": [0] * 20}
SIZES = [
    recorded(1, "fp32", scheme_report__nominal_bytes=400, scheme_report__bits=32.0, device="H200"),
    recorded(2, "int4", scheme_report__nominal_bytes=70, scheme_report__bits=4.5, device="H200"),
]


def test_the_reference_stands_first_and_is_compared_with_nothing() -> None:
    entry, other = viewed(ANSWERS, SIZES).entries
    assert [(row.name, row.is_reference) for row in entry.rows] == [("m@fp32", True), ("m@int4", False)]
    first, second = entry.rows
    assert (first.accuracy, first.difference, first.p, first.kl, first.links) == ("85.0", "—", "—", "—", [])
    assert (second.accuracy, second.difference, second.p) == ("30.0", "−55.0", ".003")
    assert [(share, count) for share, _, count in second.counts] == [
        ("70.0", "14"), ("60.0", "12"), ("5.0", "1"), ("5.0", "1"),
    ]  # fmt: skip
    assert entry.sentences == ["m@int4 costs 55 points and changes 70 % of the answers"]
    assert (other.name, other.sentences) == ("k", [])


def test_without_probabilities_divergence_is_a_dash_and_nothing_is_drawn_over_margins() -> None:
    view = viewed(ANSWERS, sure=False)
    assert [row.kl for entry in view.entries for row in entry.rows] == ["—", "—", "—"]
    assert view.figures == []
    assert view.entries[0].rows[1].measured is None


def test_sizes_make_a_frontier() -> None:
    larger = recorded(3, "bf16", scheme_report__nominal_bytes=500)
    view = viewed({"m@fp32": [0] * 4, "m@int4": [0, 0, 0, 1], "m@bf16": [0] * 4}, [*SIZES, larger])
    assert [(one.name, one.dominated) for one in view.sized] == [
        ("m@int4", False), ("m@fp32", False), ("m@bf16", True),
    ]  # fmt: skip
    figure = next(figure for figure in view.figures if figure.kind == "size-quality")
    assert figure.rows[0] == ("m@int4", ["70", "75.0", "yes"])
    assert [one["value"] for one in view.charts["size-quality"]] == [70, 400, 500]
    assert [figure.kind for figure in view.figures] == ["size-quality", "flips-margin"]


def pace(writing: float, peak: int, *, emulated: bool = False) -> Efficiency:
    """As the fixed protocol finds it."""
    rate = Spread(writing, writing - 1, writing + 1, 5)
    paces = (Pace(DECODE, 1, USUAL, rate), Pace(DECODE, 8, USUAL, Spread(5 * writing, 0, 0, 5)))
    first = Spread(0.25, 0.2, 0.3, 5)
    return Efficiency(LOCAL, "torch 2.13.0, bfloat16", emulated, paces, first, device_peak_bytes=peak)


def test_speed_and_memory_are_those_of_the_protocol_on_one_device() -> None:
    scored = {"m@fp32": [0] * 4, "m@int8": [0, 0, 0, 1], "m@bf16": [0, 0, 1, 1], "m@nvfp4": [0, 0, 0, 0]}
    runs = [recorded(at, name.partition("@")[2]) for at, name in enumerate(scored, start=1)]
    paces = {1: pace(10.0, 400), 2: pace(30.0, 100), 3: pace(20.0, 200), 4: pace(99.0, 1, emulated=True)}
    view = viewed(scored, runs, paces=Comparable("H200", LOCAL, paces, others=1))
    assert [(one.name, one.value, one.dominated) for one in view.fast] == [
        ("m@int8", 30.0, False), ("m@bf16", 20.0, True), ("m@fp32", 10.0, False),
    ]  # fmt: skip
    assert [one.name for one in view.heavy] == ["m@int8", "m@bf16", "m@fp32"]  # what is emulated has no speed
    kinds = [figure.kind for figure in view.figures]
    assert kinds[:2] == ["memory-quality", "speed-quality"]
    assert "Measured on H200" in view.figures[0].text
    drawn = render_to_string(
        "components/quantization_entry.html", {"view": view, "entry": view.entries[0], "result": view.result}
    )
    assert "on <strong>H200</strong>" in drawn
    assert "1 more was measured elsewhere only" in drawn
    assert "30 <small" in drawn
    assert "emulated: no speed" in drawn
    assert "98 to 100" not in drawn


def test_what_was_not_measured_is_a_dash_and_says_how_it_comes() -> None:
    view = viewed(ANSWERS, SIZES)
    drawn = render_to_string(
        "components/quantization_entry.html", {"view": view, "entry": view.entries[0], "result": view.result}
    )
    assert "have not been measured yet" in drawn
    assert view.fast == view.heavy == []


def test_flips_over_the_margin_are_the_results_own_counts() -> None:
    view = viewed(ANSWERS)
    flips = {one["name"]: one["points"] for one in view.flips}
    assert list(flips) == ["m@int4"]
    assert sum(at["flips"] for at in flips["m@int4"]) == 14
    assert sum(at["samples"] for at in flips["m@int4"]) == 20


def test_what_several_runs_recorded_is_put_together() -> None:
    """The most memory, the cost of a mean sample; one unknown cost leaves all of it unknown."""
    runs = [
        recorded(2, "nvfp4", scheme_report__bytes_in_memory=5, device="a CPU"),
        recorded(2, "nvfp4", scheme_report__bytes_in_memory=9),
        recorded(2, "nvfp4"),
    ]
    paid = [
        {**run, "cost_usd": usd, "done": done} for run, usd, done in zip(runs, (1.0, 2.0, 3.0), (5, 5, 10), strict=True)
    ]
    found = viewed({"m@fp32": [0], "m@nvfp4": [1]}, paid).measured["lab/m@nvfp4"]
    assert (found.bytes_in_memory, found.cost_usd) == (9, 0.3)
    assert (found.device, found.kernel, found.emulated) == ("a CPU", "torch", True)
    assert viewed({"m@fp32": [0], "m@nvfp4": [1]}, runs).measured["m@nvfp4"].cost_usd is None


@pytest.mark.parametrize(("value", "said"), [(0.0, "0.0000"), (3e-6, "< 0.0001"), (0.12345, "0.1235"), (inf, "∞")])
def test_small_and_infinite_divergences(value: float, said: str) -> None:
    assert quantization._nats(value) == said


@pytest.fixture
def report(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> Report:
    """small under fp32, int8 and nvfp4 on two benchmarks; nvfp4 loses one sample of each."""
    rows = [catalog.contender(version=entry, scheme=scheme) for scheme in ("fp32", "int8", "nvfp4")]
    versions = [item.version for item in suite.items.all()]
    submit_job(actor=alice, team=team, request=JobRequest(contenders=rows, versions=versions, suite=suite))
    factories.worker(schemes=["fp32", "int8", "nvfp4"])
    for _ in range(6):
        lease = factories.claim(schemes=["fp32", "int8", "nvfp4"])
        scheme = Run.objects.get(pk=lease.run_id).contender.scheme
        factories.score(lease, [True, scheme != "nvfp4", False, True])
        told = {"bits": 8, "nominal_bytes": 2048, "bytes_in_memory": 4096}
        finish_run(lease=lease, provenance={"scheme_report": told, "environment": {"gpu": "H200"}})
    data = candidates.find(alice, {"suite": str(suite.pk)})
    assert data is not None
    found = candidates.candidates(alice, data)
    made = request_analysis(actor=alice, found=found, analysis="quantization", parameters={})
    compute_report(report_id=made.pk)
    made.refresh_from_db()
    assert made.state == "done", made.reason
    return made


def test_the_page_says_it_all(client: Client, alice: User, report: Report, benchmark: BenchmarkVersion) -> None:
    client.force_login(alice)
    page = client.get(reverse("results:report", args=[report.pk])).content.decode()
    for part in (
        "small@nvfp4 is indistinguishable at 8 samples (25 % of the answers change)",
        "<strong>Emulated:</strong> small@nvfp4",
        "small: what changes",
        "small: what it takes", "2.0 kB", "torchao on H200", "emulated: no speed",
        'data-chart="size-quality"', "js/quantization.js",
    ):  # fmt: skip
        assert part in page, part


def test_links_lead_to_the_samples_that_flipped(
    client: Client, alice: User, report: Report, benchmark: BenchmarkVersion
) -> None:
    view = report_context(report.pk)["quantization"]
    row = next(row for row in view.entries[0].rows if row.name == "small@nvfp4")
    label, address = row.links[0]
    assert label == "sums"
    client.force_login(alice)
    shown = client.get(address)
    assert shown.status_code == 200
    assert "1+1" in shown.content.decode()
    assert "0+0" not in shown.content.decode()


def test_the_page_takes_few_queries_however_many_schemes(
    alice: User, report: Report, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(4):
        assert report_context(report.pk)["quantization"].entries[0].rows


def test_the_board_offers_it(client: Client, alice: User, board: Leaderboard) -> None:
    client.force_login(alice)
    page = client.get(reverse("leaderboards:leaderboard", args=["lab", "main"])).content.decode()
    assert f"?analysis=quantization&amp;suite={board.suite_id}&amp;team=lab" in page
    asked = client.get(f"/reports/new/?analysis=quantization&suite={board.suite_id}&team=lab")
    assert "What quantisation changes" in asked.content.decode()
