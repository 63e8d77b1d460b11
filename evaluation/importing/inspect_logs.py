"""Logs of Inspect: `.eval`, a zip with `header.json` and a file per sample, and the older `.json`, one large document.

A sample is there once per epoch; an epoch is an attempt. Its score is that of the log's first scorer: C, P and I count
1, 0.5 and 0, as Inspect's own accuracy has it. A sample that was not scored, for an error or on purpose, is a hole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from evaluation.importing.archives import Zip
from evaluation.importing.cells import parse, storable, storable_json
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow, Row, canonical, compact
from evaluation.importing.sources import Source
from evaluation.importing.streamed import members

GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
LETTER = re.compile(r"[A-Z]")
ATTACHED = "attachment://"
SETTINGS = ("temperature", "seed", "max_tokens", "top_p")
Samples = Iterator[tuple[int, str, Any]]


def read_inspect(stream: BinaryIO, *, file: str, limits: Limits) -> Iterator[Source]:
    """The one source of a log. A line is the number of a sample. Raises BadRow."""
    stream.seek(0)
    if stream.read(4) == b"PK\x03\x04":
        archive = Zip(stream, file, limits)
        header, samples = _header(archive, limits), _packed(archive, limits)
    else:
        header, samples = _document_header(stream, file, limits), _listed(stream, file, limits)
    log = _Log(header, file)
    yield Source(file, log.rows(samples), log.facts)


def _header(archive: Zip, limits: Limits) -> Mapping[str, Any]:
    if "header.json" not in archive.members:
        problem = "the log was not finished: it has no header.json"
        if "_journal/start.json" not in archive.members:
            problem = "it is not a log of Inspect"
        raise BadRow(problem, file=archive.name)
    value = _json(archive, "header.json", limits)
    return value if isinstance(value, Mapping) else {}


def _json(archive: Zip, name: str, limits: Limits) -> Any:
    where = f"{archive.name}/{name}"
    with archive.open(name) as file:
        text = file.read(limits.line + 1)
    if len(text) > limits.line:
        raise BadRow(f"it is longer than {limits.line:,} bytes", file=where)
    try:
        return parse(text, limits, lenient=True)
    except ValueError as error:
        raise BadRow(str(error), file=where) from None


def _packed(archive: Zip, limits: Limits) -> Samples:
    names = [name for name in archive.members if name.startswith("samples/") and name.endswith(".json")]
    for number, name in enumerate(names, start=1):
        yield number, f"{archive.name}/{name}", _json(archive, name, limits)


def _document_header(stream: BinaryIO, file: str, limits: Limits) -> Mapping[str, Any]:
    """All but the samples, which are passed over."""
    stream.seek(0)
    found = {
        key: value for key, value in members(stream, file=file, limits=limits, listed="samples") if key != "samples"
    }
    if "eval" not in found:
        if "results" in found:
            remedy = "Of lm-eval, pack the whole output directory, with its samples, as .zip or .tar.gz."
            raise BadRow("there are results in it, but no samples", file=file, remedy=remedy)
        raise BadRow("it is not a log of Inspect", file=file)
    return found


def _listed(stream: BinaryIO, file: str, limits: Limits) -> Samples:
    stream.seek(0)
    listed = (value for key, value in members(stream, file=file, limits=limits, listed="samples") if key == "samples")
    for number, value in enumerate(listed, start=1):
        yield number, file, value


class _Log:
    """What the header says, and how samples become rows."""

    def __init__(self, header: Mapping[str, Any], file: str) -> None:
        self.file, self.header = file, header
        self.eval = _mapping(header.get("eval"))
        status = header.get("status")
        if status != "success":
            raise BadRow(f"the evaluation ended as “{status}”", file=file, field="status", remedy="Import whole logs.")
        listed = _mapping(self.eval.get("dataset")).get("sample_ids")
        self.place = {str(name): at for at, name in enumerate(listed)} if isinstance(listed, list) else {}
        scores = _mapping(header.get("results")).get("scores")
        first = _mapping(scores[0]) if isinstance(scores, list) and scores else {}
        self.scorer = str(first.get("name") or "")
        self.facts = self._facts()
        self.base = Row(
            entry=str(self.eval.get("model") or "unnamed"),
            benchmark=str(self.eval.get("task_display_name") or self.eval.get("task") or "unnamed"),
            sample=0,
            score=0.0,
            metric=self.scorer,
            run=str(self.eval.get("run_id") or self.eval.get("created") or ""),
            settings=self._settings(),
        )

    def _facts(self) -> dict[str, Any]:
        packages = _mapping(self.eval.get("packages"))
        told = {
            "inspect_ai": packages.get("inspect_ai"),
            "created": self.eval.get("created"),
            "eval_id": self.eval.get("eval_id"),
            "dataset": _mapping(self.eval.get("dataset")).get("name"),
            "task_version": str(self.eval.get("task_version", "")),
        }
        plain = {name: value for name, value in told.items() if isinstance(value, str | int)}
        return {"harness": "Inspect", **plain, "samples_without_score": 0}

    def _settings(self) -> str:
        asked, config = _mapping(self.eval.get("model_generate_config")), _mapping(self.eval.get("config"))
        told = {name: asked.get(name) for name in SETTINGS}
        told["limit"] = config.get("limit")
        return canonical({name: value for name, value in told.items() if isinstance(value, int | float)})

    def rows(self, samples: Samples) -> Iterator[tuple[int, Row]]:
        for number, where, sample in samples:
            if not isinstance(sample, Mapping) or "id" not in sample:
                raise BadRow("this is not a sample of Inspect", file=where, line=number, field="id")
            score = self._score(sample, where, number)
            if score is None:
                self.facts["samples_without_score"] += 1
                continue
            place = self.place.setdefault(str(sample["id"]), len(self.place))
            epoch = sample.get("epoch", 1)
            if not isinstance(epoch, int) or not 1 <= epoch <= 2**15 - 1:
                raise BadRow("this is not the number of an epoch", file=where, line=number, field="epoch")
            yield number, self._row(sample, place, epoch - 1, score)

    def _score(self, sample: Mapping[str, Any], where: str, number: int) -> float | None:
        scores = _mapping(sample.get("scores"))
        if not self.scorer and scores:
            self.scorer = str(next(iter(scores)))
            self.base = self.base._replace(metric=self.scorer)
        found = scores.get(self.scorer)
        if found is None:
            return None
        value = _mapping(found).get("value")
        if isinstance(value, str) and value in GRADES:
            return GRADES[value]
        if value is None:
            return None
        if isinstance(value, int | float) and -1e308 < value < 1e308:
            return float(value)
        problem = "the score is not one number: which of its parts counts is not stated"
        raise BadRow(problem, file=where, line=number, field=f"scores.{self.scorer}.value")

    def _row(self, sample: Mapping[str, Any], place: int, attempt: int, score: float) -> Row:
        said = _Said(_mapping(sample.get("attachments")))
        listed = sample.get("choices")
        choices = tuple(said.text(one) for one in listed) if isinstance(listed, list) else ()
        answer = said.text(_mapping(_mapping(sample["scores"]).get(self.scorer)).get("answer"))
        metadata = _mapping(sample.get("metadata"))
        document = {name: sample.get(name) for name in ("id", "input", "choices", "target")} | {"metadata": metadata}
        return self.base._replace(
            sample=place,
            attempt=attempt,
            score=score,
            answer=_named(answer, choices),
            output=said.text(_mapping(sample.get("output")).get("completion")),
            choice=_chosen(answer, choices),
            prompt=said.input(sample.get("input")),
            target=_named(said.text(sample.get("target")), choices),
            choices=choices,
            document=storable_json(compact(said.resolved(document))),
            latency=_time(sample.get("working_time", sample.get("total_time"))),
            **self._tokens(sample),
        )

    def _tokens(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Inspect counts what was read from and written to a cache beside the other tokens, not among them."""
        usage = _mapping(_mapping(sample.get("model_usage")).get(str(self.eval.get("model"))))
        asked, cached, stored = (
            _count(usage.get(name)) for name in ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")
        )
        return {
            "tokens_in": None if asked is None else asked + (cached or 0) + (stored or 0),
            "tokens_out": _count(usage.get("output_tokens")),
            "tokens_cached": cached,
            "cost_usd": _time(usage.get("total_cost")),
        }


class _Said:
    """Texts of a sample, whose long ones stand apart and are named where they belong."""

    def __init__(self, attachments: Mapping[str, Any]) -> None:
        self.attachments = attachments

    def text(self, value: Any) -> str:
        if isinstance(value, list):
            return "\n".join(self.text(one) for one in value)
        if isinstance(value, str):
            kept = self.attachments.get(value.removeprefix(ATTACHED)) if value.startswith(ATTACHED) else None
            return storable(kept if isinstance(kept, str) else value)
        return "" if value is None else storable(str(value))

    def input(self, value: Any) -> str:
        """A text, or the messages of a conversation under the names of who speaks."""
        if not isinstance(value, list):
            return self.text(value)
        return "\n\n".join(f"{_mapping(one).get('role', '')}: {self._content(one)}" for one in value)

    def _content(self, message: Any) -> str:
        content = _mapping(message).get("content")
        if not isinstance(content, list):
            return self.text(content)
        return "\n".join(self.text(_mapping(part).get("text") or f"[{_mapping(part).get('type')}]") for part in content)

    def resolved(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self.resolved(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.resolved(one) for one in value]
        return self.text(value) if isinstance(value, str) else value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _chosen(answer: str, choices: tuple[str, ...]) -> int | None:
    at = ord(answer) - ord("A") if LETTER.fullmatch(answer) else -1
    return at if 0 <= at < len(choices) else None


def _named(letter: str, choices: tuple[str, ...]) -> str:
    """The choice that a letter stands for; what is no such letter stays as it is."""
    at = _chosen(letter, choices)
    return letter if at is None else choices[at]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _time(value: Any) -> float | None:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12 else None
    )
