"""From a request to runs: which exist already, which are new, what they will take. Used by submit and by `dry_run`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField
from django.utils import timezone

from evaluation import bit_maps
from evaluation.errors import EvaluationError
from evaluation.schemes import SCHEMES
from webapp.accounts.models import Team
from webapp.catalog.calibration import refuse_prompts
from webapp.catalog.models import IMPORTED_KIND, BenchmarkVersion, CalibrationSet, Contender, Source
from webapp.catalog.selectors import ask_prices, chosen_prices, unit_prices
from webapp.catalog.services import contender as contender_row
from webapp.catalog.services import stored
from webapp.catalog.sources import refuse_outside
from webapp.errors import Unprocessable
from webapp.jobs.estimates import Estimate, ask_history, attempts_of
from webapp.jobs.map_layers import check_layers
from webapp.jobs.models import Run, default_settings
from webapp.prepared import OneOf, Prepared, at_once

MAX_RUNS = 5000
ACTIVE = [Run.State.QUEUED, Run.State.RUNNING, Run.State.DONE]
WHOLE = {
    "seed": (0, 2**31 - 1), "batch_size": (1, 4096), "limit": (1, 10_000_000), "repeat": (0, 1000), "attempts": (1, 64),
}  # fmt: skip
HOTTEST = 2.0
# Settings that came later. At these values a run is what it was before there were any, and so is its identity.
LATER = {"attempts": 1, "temperature": 0.0}
CALIBRATION = "calibration"  # the id of a set; only runs whose scheme needs one have this setting
BITS = "bits"  # a map of bits per layer, as a file has it; only runs whose scheme takes one have this setting


@dataclass(frozen=True)
class Cell:
    """A planned run; `existing` is the identical run that is there already, if any."""

    contender: Contender
    version: BenchmarkVersion
    settings: Mapping[str, Any]
    identity: str
    existing: Run | None
    samples: int | None
    seconds: float | None
    cost_usd: float | None  # None where the price or the history is missing
    is_priced: bool
    subset: tuple[int, ...] | None = None  # the samples of a partial run

    @property
    def remaining_seconds(self) -> float | None:
        return 0.0 if self.existing and self.existing.state == Run.State.DONE else self.seconds

    @property
    def remaining_cost_usd(self) -> float | None:
        """What the run will cost beyond what was asked for already."""
        return 0.0 if self.existing else self.cost_usd


def clean_settings(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that the numbers depend on, with defaults; raises Unprocessable that names the field."""
    settings = default_settings()
    for key, value in raw.items():
        if key == CALIBRATION:
            settings |= {} if value is None else {key: _id(value)}
            continue
        if key == BITS:
            settings |= {} if value is None else {key: _map(value)}
            continue
        if key not in settings:
            raise Unprocessable(
                f"{key} is not a setting.", field=key, remedy=f"Known: {', '.join([*settings, CALIBRATION, BITS])}."
            )
        if value is None and settings[key] is None:
            continue
        settings[key] = _temperature(value) if key == "temperature" else _whole(key, value)
    if settings["attempts"] > 1 and not settings["temperature"]:
        raise Unprocessable(
            "At temperature 0 all attempts at a sample are equal.",
            field="temperature",
            remedy="Choose a temperature above 0, such as 0.7, or one attempt.",
        )
    return settings


def _whole(key: str, value: Any) -> int:
    low, high = WHOLE[key]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Unprocessable(f"{key} must be a whole number from {low} to {high}.", field=key)
    return value


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unprocessable("calibration must be the id of a calibration set.", field=CALIBRATION)
    return value


def _map(value: Any) -> dict[str, Any]:
    try:
        return bit_maps.read(value).to_json()
    except EvaluationError as error:
        within = "" if error.field == BITS else f" (field {error.field})"
        raise Unprocessable(f"{error.message}{within}", field=BITS, remedy=error.remedy) from error


def _temperature(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= HOTTEST:
        raise Unprocessable(f"temperature must be a number from 0 to {HOTTEST:g}.", field="temperature")
    return float(value)


def needs_calibration(contender: Contender) -> bool:
    info = SCHEMES.get(contender.scheme)
    return info is not None and info.needs_calibration


def needs_map(contender: Contender) -> bool:
    info = SCHEMES.get(contender.scheme)
    return info is not None and info.needs_map


def with_map(contender: Contender, settings: Mapping[str, Any]) -> Contender:
    """Where the scheme takes a map, the contender whose weights have these bits: another map is another contender."""
    if BITS not in settings or not needs_map(contender):
        return contender
    variant = bit_maps.read(settings[BITS]).hash
    return contender_row(version=contender.version, scheme=contender.scheme, variant=variant)


def settings_of(contender: Contender, version: BenchmarkVersion, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What of a job's settings matters to a run: chance plays no part where log-likelihoods decide, so such a benchmark
    runs once; and texts play a part only where a scheme looks at them."""
    kept = {**settings, **(LATER if version.kind == "multiple_choice" else {})}
    if not needs_calibration(contender):
        kept.pop(CALIBRATION, None)
    if not needs_map(contender):
        kept.pop(BITS, None)
    return kept


def identity(
    team: Team,
    contender: Contender,
    version: BenchmarkVersion,
    settings: Mapping[str, Any],
    calibration: CalibrationSet | None = None,
    subset: Sequence[int] | None = None,
) -> str:
    """sha256 of everything that the scores depend on; contender and version are immutable, so their ids serve. Of a
    calibration set its texts count, not which set holds them; of a map, the bits; of a subset, which samples are in
    it."""
    told = {key: value for key, value in sorted(settings.items()) if key not in LATER or value != LATER[key]}
    if CALIBRATION in told and calibration is not None:
        told[CALIBRATION] = calibration.content_hash
    if BITS in told:
        told[BITS] = bit_maps.read(told[BITS]).hash
    if subset is not None:
        told["subset"] = hashlib.sha256(json.dumps(list(subset)).encode()).hexdigest()
    parts = [team.pk, contender.pk, version.pk, told]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check(
    team: Team, contenders: Sequence[Contender], versions: Sequence[BenchmarkVersion], settings: Mapping[str, Any]
) -> None:
    """Raises Unprocessable for what cannot be planned."""
    if not contenders:
        raise Unprocessable("No entry is chosen.", field="contenders", remedy="Choose at least one.")
    if not versions:
        raise Unprocessable("No benchmark is chosen.", field="suite", remedy="Choose a suite with benchmarks.")
    if len(contenders) * len(versions) > MAX_RUNS:
        raise Unprocessable(f"This job has more than {MAX_RUNS} runs.", field="contenders", remedy="Split it.")
    _check_imported(contenders, versions)
    refuse_outside({contender.version_id: contender.version for contender in contenders}.values(), field="contenders")
    for contender in contenders:
        _check_endpoint(team, contender, versions)
    idle = next((key for key in LATER if settings.get(key, LATER[key]) != LATER[key]), None)
    if idle and all(version.kind == "multiple_choice" for version in versions):
        raise Unprocessable(
            f"{idle} has no effect here: these benchmarks compare log-likelihoods, which are the same every time.",
            field=idle,
            remedy="Add a benchmark that is answered in writing, or leave it out.",
        )


def check_map(contenders: Sequence[Contender], settings: Mapping[str, Any]) -> None:
    """Raises Unprocessable where a scheme takes a map of bits and there is none, or one for another model."""
    if BITS not in settings and any(map(needs_map, contenders)):
        raise Unprocessable(
            "evopress_map takes the bits of each layer from a map, and none was given.",
            field=BITS,
            remedy="Paste the map that the page of a searched run offers for download.",
        )
    for version in dict.fromkeys(contender.version for contender in contenders if needs_map(contender)):
        check_layers(version, bit_maps.read(settings[BITS]))


def check_calibration(
    contenders: Iterable[Contender], versions: Sequence[BenchmarkVersion], calibration: CalibrationSet | None
) -> None:
    """Raises Unprocessable where a scheme has to see texts and there are none, or they hold what is asked."""
    needy = sorted({contender.scheme for contender in contenders if needs_calibration(contender)})
    if not needy:
        return
    if calibration is None:
        raise Unprocessable(
            f"{', '.join(needy)} must see texts before {'they' if len(needy) > 1 else 'it'} can be applied.",
            field=CALIBRATION,
            remedy="Choose a calibration set, or upload one.",
        )
    refuse_prompts(calibration.texts, versions, field=CALIBRATION)


def _check_imported(contenders: Iterable[Contender], versions: Iterable[BenchmarkVersion]) -> None:
    """What came with results from elsewhere is known by its results alone: there is nothing that could run."""
    for contender in contenders:
        if contender.version.source == Source.IMPORTED:
            raise Unprocessable(
                f"{contender} is known from imported results only: where its weights are is not known here.",
                field="contenders",
                remedy="Register the entry with its checkpoint or endpoint, and submit that version.",
            )
    for version in versions:
        if version.kind == IMPORTED_KIND:
            raise Unprocessable(
                f"{version} came with imported results: its samples are here, but not how to ask and score them.",
                field="suite",
                remedy="Upload the benchmark with its definition, or name its lm-eval task, and submit that version.",
            )


def _check_endpoint(team: Team, contender: Contender, versions: Iterable[BenchmarkVersion]) -> None:
    """What an endpoint cannot answer is refused at submit, not after an hour in the queue."""
    entry = contender.version
    if entry.source != Source.ENDPOINT:
        return
    if entry.sealed_key and entry.entry.team_id != team.pk:
        raise Unprocessable(
            f"{contender} is used with a key of another team, which that team pays for.",
            field="contenders",
            remedy="Register the endpoint in your own team, with your own key.",
        )
    for version in versions:
        if version.kind != "multiple_choice":
            continue
        if entry.endpoint_style == "chat":
            raise Unprocessable(
                f"{contender} is a chat endpoint: it gives no log-likelihoods, which {version.benchmark} needs.",
                field="contenders",
                remedy="Register its completions endpoint, or choose generation benchmarks.",
            )
        if not entry.tokenizer:
            raise Unprocessable(
                f"{contender} has no tokenizer, which log-likelihoods on {version.benchmark} need.",
                field="contenders",
                remedy="Register a version of the entry that names its tokenizer folder.",
            )


_active = Prepared(
    lambda identities: Run.objects.filter(OneOf("identity", identities, CharField()), state__in=ACTIVE), ["an identity"]
)


def plan(
    team: Team,
    contenders: Sequence[Contender],
    versions: Sequence[BenchmarkVersion],
    settings: Mapping[str, Any],
    calibration: CalibrationSet | None = None,
    subsets: Mapping[int, Sequence[int]] | None = None,
) -> list[Cell]:
    """One cell per contender x benchmark, in this order; five queries whatever their number, and one for the prompts
    where texts are looked at. subsets: of a version's id, the samples that are asked; None: all of every one."""
    contenders, versions = stored(contenders), list(dict.fromkeys(versions))
    check(team, contenders, versions, settings)
    check_calibration(contenders, versions, calibration)
    check_map(contenders, settings)
    contenders = [with_map(contender, settings) for contender in contenders]
    on = {(c.pk, v.pk): settings_of(c, v, settings) for c in contenders for v in versions}
    chosen = {pk: tuple(sorted(samples)) for pk, samples in (subsets or {}).items()}
    keys = {
        (c.pk, v.pk): identity(team, c, v, on[c.pk, v.pk], calibration, chosen.get(v.pk))
        for c in contenders
        for v in versions
    }
    with at_once():
        active, asked = _active.ask(list(keys.values())), ask_history(contenders, versions)
        priced = ask_prices(contenders, timezone.now().date())
    existing, history = {run.identity: run for run in active.all()}, asked.rates()
    prices = chosen_prices(contenders, priced.all())
    cells = []
    for c in contenders:
        price = unit_prices(prices.get(c.pk))
        for v in versions:
            key, rate = keys[c.pk, v.pk], history[c.pk, v.pk]
            subset = chosen.get(v.pk)
            samples = _samples(v, settings.get("limit")) if subset is None else len(subset)
            attempts = None if samples is None else samples * attempts_of(on[c.pk, v.pk])
            seconds = None if attempts is None or rate.seconds is None else attempts * rate.seconds
            cost = None if attempts is None or price is None else rate.cost(price, attempts)
            there = existing.get(key)
            cells.append(Cell(c, v, on[c.pk, v.pk], key, there, samples, seconds, cost, price is not None, subset))
    return cells


def _samples(version: BenchmarkVersion, limit: int | None) -> int | None:
    return min(version.samples, limit) if version.samples and limit else version.samples or limit


def estimate(cells: Sequence[Cell]) -> Estimate:
    """What the job of these cells will take, beyond what is there or on its way."""
    new = [cell for cell in cells if cell.existing is None]
    samples, seconds = [cell.samples for cell in new], [cell.remaining_seconds for cell in cells]
    return Estimate(
        runs=len(cells),
        new=len(new),
        samples=None if None in samples else sum(filter(None, samples)),
        seconds=None if None in seconds else sum(filter(None, seconds)),
        cost_usd=sum(cell.cost_usd for cell in new if cell.cost_usd is not None),
        unmeasured=sum(cell.is_priced and cell.cost_usd is None for cell in new),
        uncosted=sum(not cell.is_priced for cell in new),
        unpriced=tuple(dict.fromkeys(str(cell.contender.version.entry) for cell in new if not cell.is_priced)),
    )
