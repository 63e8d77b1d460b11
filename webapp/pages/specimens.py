"""What the page of the design system shows: components with made-up contents, and where all the others are drawn.

A specimen is drawn by the component's own template, so it looks here as it looks everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django import forms
from django.conf import settings
from django.core.paginator import Paginator

from webapp.accounts.models import Team
from webapp.catalog.models import BenchmarkVersion, Price
from webapp.jobs.models import Job, Run, Worker
from webapp.jobs.quota import Spending
from webapp.jobs.scheme_facts import bits_map
from webapp.jobs.selectors import Progress
from webapp.pages.metrics import METRICS
from webapp.results.figures import Figures, Table
from webapp.results.selectors import DRAWN

TEMPLATES = settings.BASE_DIR / "templates"
INCLUDED = re.compile(r'"components/([a-z_]+)\.html"')


@dataclass(frozen=True)
class Specimen:
    """component: name of its file. states: (what it shows, context)."""

    component: str
    about: str
    states: tuple[tuple[str, Mapping[str, Any]], ...]

    @property
    def template(self) -> str:
        return f"components/{self.component}.html"


class Example(forms.Form):
    """Not sent anywhere."""

    name = forms.CharField(help_text="Lower-case letters, digits, dots and dashes.")
    scheme = forms.ChoiceField(choices=[("fp32", "fp32"), ("bf16", "bf16")], required=False)
    entries = forms.MultipleChoiceField(
        choices=[("1", "small v1"), ("2", "large v3")], widget=forms.CheckboxSelectMultiple, label="Entries"
    )


def specimens() -> list[Specimen]:
    """In the order of the page."""
    return [*_numbers(), *_work(), *_workers(), *_measured(), *_forms(), *_messages(), *_help()]


def _numbers() -> Iterator[Specimen]:
    yield Specimen(
        "interval",
        "A number with its interval; without one where there is none.",
        (("known", {"mean": 0.834, "low": 0.791, "high": 0.870}), ("not known", {"mean": 0.834, "low": None})),
    )
    yield Specimen(
        "outcome",
        "Right, wrong, or a part of the points.",
        (("right", {"score": 1.0}), ("wrong", {"score": 0.0}), ("graded", {"score": 0.42})),
    )
    yield Specimen("metric", "Two sentences, the formula and the source behind every number.",
                   (("opens", {"metric": METRICS["swiss"]}),))  # fmt: skip
    yield Specimen(
        "price",
        "Every digit that a price has.",
        (
            ("by tokens", {"price": Price(input_usd=Decimal("0.15"), output_usd=Decimal("0.6"))}),
            ("by the hour", {"price": Price(hour_usd=Decimal("2.49"))}),
        ),
    )
    estimate = SimpleNamespace(is_complete=True, cost_usd=1.27)
    part = SimpleNamespace(is_complete=False, cost_usd=1.27)
    yield Specimen(
        "expected_cost",
        "What a job will cost, as far as it is known.",
        (
            ("all of it", {"estimate": estimate}),
            ("a part", {"estimate": part}),
            ("nothing", {"estimate": SimpleNamespace(is_complete=False, cost_usd=0)}),
        ),
    )


def _work() -> Iterator[Specimen]:
    yield Specimen("progress", "A bar with its number for those who do not see it.",
                   (("42 %", {"progress": Progress(42, 100, 58.0)}),))  # fmt: skip
    team = Team(name="lab", title="The lab", spending_limit_usd=Decimal(100))
    yield Specimen(
        "spending",
        "A month’s money beside its limit.",
        (("with a limit", {"spending": Spending(team, date(2026, 3, 1), 31.5, 12.25, 2)}),),
    )
    kinds = (
        ("multiple choice", BenchmarkVersion(kind="multiple_choice")),
        ("generation", BenchmarkVersion(kind="generation")),
        ("a task of the harness", BenchmarkVersion(kind="task", harness_task="arc_easy")),
    )
    yield Specimen("kind", "What a benchmark asks for.", tuple((name, {"version": one}) for name, one in kinds))
    yield Specimen(
        "breadcrumbs",
        "Where a page stands.",
        (("two steps", {"crumbs": [("Boards", "/boards/"), ("The basics", "")]}),),
    )
    page = Paginator(range(260), 50).page(2)
    yield Specimen("pagination", "Pages with their range.", (("second of six", {"page": page}),))
    yield Specimen("drawing_buttons", "What every chart offers.", (("downloads", {}),))


def _workers() -> Iterator[Specimen]:
    working, paused = Worker(mode="working"), Worker(mode="paused", mode_reason="Paused by alice.")
    yield Specimen(
        "worker_state",
        "What a worker does, and what operators want of it.",
        (
            ("busy", {"row": {"condition": "busy"}, "worker": working}),
            ("silent", {"row": {"condition": "lost"}, "worker": working}),
            ("paused", {"row": {"condition": "idle"}, "worker": paused}),
        ),
    )
    stopped, running = SimpleNamespace(state="stopped"), SimpleNamespace(state="running")
    yield Specimen(
        "search_state",
        "A search can be stopped, which is neither done nor failed.",
        (("running", {"search": running}), ("stopped", {"search": stopped})),
    )
    some = Run(total=120, version=BenchmarkVersion(samples=500))
    yield Specimen("partial", "A run of some samples, which a search chose.", (("120 of 500", {"run": some}),))


def _measured() -> Iterator[Specimen]:
    measured = {"latency_p50": 0.35, "latency_p95": 1.2, "timed": 500, "first_token_p50": 0.04, "first_token_p95": 0.2,
                "tokens_per_second": 41.2, "tokens_per_second_error": 0.8, "throughput": 830.0, "load_seconds": 3.1,
                "host_peak_bytes": 2.1e9, "device_peak_bytes": None, "watt_hours_per_1000": None}  # fmt: skip
    yield Specimen(
        "efficiency", "What a run took; what was not measured is not there.", (("measured", {"found": measured}),)
    )
    table = Table("Means", ["Value", "± error"], [("small@bf16", ["83.4", "1.2"]), ("large@bf16", ["—", "—"])])
    yield Specimen(
        "result_tables",
        "Any result whose analysis has no page of its own.",
        (("a table", {"figures": Figures([("Contenders", "2")], [("warnings", ["A sentence."])], [table])}),),
    )
    bits = {
        f"h.{block}.mlp.{kind}": 2 + (block + at) % 5 for block in range(4) for at, kind in enumerate(("up", "down"))
    }
    yield Specimen("bits_map", "Bits per layer: the darker, the more.", (("a search’s", {"map": bits_map(bits)}),))


def _forms() -> Iterator[Specimen]:
    fresh, wrong = Example(prefix="fresh"), Example({"wrong-name": ""}, prefix="wrong")
    yield Specimen("field", "Label, help, control and what is wrong with it.",
                   (("empty", {"field": fresh["name"]}), ("refused", {"field": wrong["name"]})))  # fmt: skip
    yield Specimen("error_summary", "All that is wrong, with links to the fields.", (("two things", {"form": wrong}),))
    yield Specimen(
        "fields", "A whole form: what is wrong, then its fields.", (("empty", {"form": Example(prefix="whole")}),)
    )
    yield Specimen("search", "The same on every list.",
                   (("with words", {"label": "Search entries", "search": "small"}),))  # fmt: skip


def _messages() -> Iterator[Specimen]:
    yield Specimen(
        "empty",
        "Says what is missing and what to do next.",
        (
            (
                "nothing there yet",
                {"title": "No entries yet", "text": "An entry is a language model.", "url": "/entries/new/",
                 "label": "Register an entry"},
            ),
        ),
    )  # fmt: skip
    yield Specimen("copy", "Text for a terminal.", (("a command", {"text": "python -m workers"}),))
    job = Job(pk=1, title="tiny-m@bf16 on small-world", state="running", reason="2 of 5 runs done, 1 running.")
    job.runs_done, job.runs_total = 2, 5  # type: ignore[attr-defined]
    yield Specimen("job_row", "A row of a list of jobs.", (("running", {"job": job, "in_table": True}),))


def _help() -> Iterator[Specimen]:
    badge = SimpleNamespace(icon="◆", text="quantised", about="Weights are not stored as in the reference.")
    yield Specimen("badge", "What is special about a contender, by icon and word.", (("quantised", {"badge": badge}),))


@dataclass
class Part:
    """A component that is made for one place. pages: the templates in which it appears, directly or in another."""

    component: str
    pages: list[str] = field(default_factory=list)


@cache
def parts() -> tuple[Part, ...]:
    """All components that no specimen shows, with where they are drawn: read from the templates themselves."""
    shown = {one.component for one in specimens()}
    inside = {
        path.relative_to(TEMPLATES).as_posix(): set(INCLUDED.findall(path.read_text()))
        for path in TEMPLATES.rglob("*.html")
    }
    # A report's body takes the template of its result from the view that draws it.
    inside["components/report_body.html"] |= {Path(getattr(view, "template", "")).stem for _, view in DRAWN.values()}
    names = sorted(path.stem for path in (TEMPLATES / "components").glob("*.html") if path.stem not in shown)
    return tuple(Part(name, sorted(_holders(name, inside))) for name in names)


def _holders(component: str, inside: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting, seen = [component], {component}
    while waiting:
        one = waiting.pop()
        for template, included in inside.items():
            if one not in included:
                continue
            if template.startswith("components/"):
                name = template.removeprefix("components/").removesuffix(".html")
                waiting += [name] if name not in seen else []
                seen.add(name)
            else:
                found.add(template.removesuffix(".html"))
    return found - {"pages/design"}
