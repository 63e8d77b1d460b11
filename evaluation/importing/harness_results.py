"""Result directories of lm-evaluation-harness, 0.4.0 to 0.4.13, in an archive.

A directory holds the results of one call (`results*.json`: configurations, metrics, versions) and the samples of each
task. Until 0.4.2 the samples stood in `<model>_<task>.jsonl`, as one indented JSON list in spite of the name, beside
`results.json`; from 0.4.3 on they are lines of `samples_<task>_<time>.jsonl` beside `results_<time>.json`. Versions up
to 0.3 keep no samples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from evaluation.importing.archives import Archive, opened
from evaluation.importing.cells import log_likelihood, storable, storable_json
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow, Row, canonical, compact
from evaluation.importing.sources import Source
from evaluation.importing.streamed import members
from evaluation.importing.tables import json_lines

PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "float": "fp32", "half": "fp16"}
FACTS = {
    "lm_eval_version": "lm_eval", "transformers_version": "transformers", "git_hash": "git_hash", "date": "date",
    "chat_template_sha": "chat_template_sha", "system_instruction_sha": "system_instruction_sha",
}  # fmt: skip
REMEDY = "Run lm-eval with --log_samples and pack the whole output directory."


@dataclass
class Call:
    """One call of the harness: what its results file says. tasks: the samples' file of each."""

    file: str
    results: Mapping[str, Any]
    tasks: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        return _mapping(self.results.get("config"))

    @property
    def arguments(self) -> dict[str, str]:
        """Of the model; an object since 0.4.9, before that “key=value,...”."""
        raw = self.config.get("model_args")
        if isinstance(raw, Mapping):
            return {str(key): str(value) for key, value in raw.items()}
        parts = (part.partition("=") for part in str(raw or "").split(","))
        return {key.strip(): value.strip() for key, _, value in parts if key.strip()}

    @property
    def model(self) -> str:
        named = self.arguments.get("pretrained") or self.arguments.get("model") or self.config.get("model")
        return str(self.results.get("model_name") or named or "unnamed")

    @property
    def scheme(self) -> str:
        arguments = self.arguments
        for flag in ("load_in_4bit", "load_in_8bit"):
            if arguments.get(flag, "").lower() == "true":
                return flag.replace("_", "-")
        kind = str(self.config.get("model_dtype") or arguments.get("dtype") or "").removeprefix("torch.")
        return PRECISIONS.get(kind, "" if kind == "auto" else kind)

    def facts(self, task: str) -> dict[str, Any]:
        """What goes into the provenance of a run."""
        told = {name: self.results[key] for key, name in FACTS.items() if self.results.get(key) is not None}
        config = self.config
        return {
            "harness": "lm-evaluation-harness",
            **{name: value for name, value in told.items() if isinstance(value, str | int | float)},
            "task_version": str(_mapping(self.results.get("versions")).get(task, "")),
            "revision": str(config.get("model_sha") or self.arguments.get("revision") or ""),
            "parameters": _count(config.get("model_num_parameters")),
            "results_file": self.file,
        }

    def settings(self, task: str) -> str:
        """JSON text: what the file tells of the numbers on which the scores depend."""
        config, own = self.config, self.task(task)
        shots = _mapping(self.results.get("n-shot")).get(task, own.get("num_fewshot"))
        told = {
            "seed": config.get("random_seed"),
            "limit": self._limit(task),
            "temperature": _mapping(own.get("generation_kwargs")).get("temperature"),
            "batch_size": _count(config.get("batch_size")),
            "num_fewshot": shots if isinstance(shots, int) else None,
        }
        return canonical({name: value for name, value in told.items() if isinstance(value, int | float)})

    def _limit(self, task: str) -> int | None:
        """How many samples were taken, where not all were."""
        sizes = _mapping(_mapping(self.results.get("n-samples")).get(task))
        whole, taken = _count(sizes.get("original")), _count(sizes.get("effective"))
        if whole and taken:
            return taken if taken < whole else None
        limit = self.config.get("limit")
        return int(limit) if isinstance(limit, int | float) and limit >= 1 else None

    def task(self, task: str) -> Mapping[str, Any]:
        return _mapping(_mapping(self.results.get("configs")).get(task))

    @property
    def stamp(self) -> str:
        """The time in the file's name, which tells calls in one directory apart."""
        found = re.search(r"results_(.+)\.json$", self.file)
        return found[1] if found else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def read_harness(stream: BinaryIO, *, file: str, limits: Limits) -> Iterator[Source]:
    """A source for each task of each call. Raises BadRow."""
    with opened(stream, file, limits) as archive:
        calls = list(_calls(archive, limits))
        if not any(call.tasks for call in calls):
            problem = "there are results, but no samples" if calls else "there is no results file of lm-eval in it"
            raise BadRow(problem, file=calls[0].file if calls else file, remedy=REMEDY)
        for call in calls:
            for task, name in call.tasks.items():
                rows = _rows(archive, call, task, name, limits)
                yield Source(name, rows, call.facts(task))


def _calls(archive: Archive, limits: Limits) -> Iterator[Call]:
    """The calls with the files of their samples; files that belong to no call are refused."""
    names = archive.names()
    samples = [name for name in names if name.endswith(".jsonl")]
    calls = [found for name in names if name.endswith(".json") and (found := _call(archive, name, limits))]
    for name in samples:
        home = [call for call in calls if PurePosixPath(call.file).parent == PurePosixPath(name).parent]
        owned = [(call, task) for call in home if (task := _task_of(call, name))]
        if not owned:
            raise BadRow("its results file is missing", file=name, remedy=REMEDY)
        call, task = max(owned, key=lambda pair: len(pair[1]))
        call.tasks[task] = name
    yield from calls


def _call(archive: Archive, name: str, limits: Limits) -> Call | None:
    with archive.open(name) as file:
        text = file.read(limits.line + 1)
    if len(text) > limits.line:
        raise BadRow(f"it is longer than {limits.line:,} bytes", file=name)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRow("it is not JSON", file=name) from None
    if not isinstance(value, Mapping) or "results" not in value:
        return None  # some other file that was kept beside the results
    if "configs" not in value:
        raise BadRow("it was made by lm-eval 0.3 or earlier, which keeps no samples", file=name, remedy=REMEDY)
    return Call(name, value)


def _task_of(call: Call, name: str) -> str:
    """The task whose samples the file holds: by the time that both files bear, or, before 0.4.3, by its ending."""
    stem = PurePosixPath(name).stem
    if stem.startswith("samples_") and call.stamp:
        task = stem.removeprefix("samples_").removesuffix(f"_{call.stamp}")
        return task if f"samples_{task}_{call.stamp}" == stem and call.task(task) else ""
    known = [task for task in _mapping(call.results.get("configs")) if stem.endswith(f"_{task}") or stem == task]
    return max(known, key=len, default="")


def _rows(archive: Archive, call: Call, task: str, name: str, limits: Limits) -> Iterator[tuple[int, Row]]:
    reader = _Task(call, task, name)
    with archive.open(name) as file:
        is_list = file.read(64).lstrip()[:1] == b"["
    with archive.open(name) as file:
        for line, sample in _samples(file, name, limits, is_list):
            row = reader.row(sample, line)
            if row is not None:
                yield line, row


def _samples(file: BinaryIO, name: str, limits: Limits, is_list: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with their lines, or with their numbers where they stand in one list."""
    if not is_list:
        yield from json_lines(file, file=name, limits=limits, lenient=True)
        return
    for number, (_, value) in enumerate(members(file, file=name, limits=limits, listed="samples"), start=1):
        if not isinstance(value, dict):
            raise BadRow("this is not a JSON object", file=name, line=number)
        yield number, value


class _Task:
    """How the samples of one task become rows. filter: the first one that is met; a score per further one is left out.

    Samples before 0.4.5 do not name their filter: there the first score of a document counts.
    """

    def __init__(self, call: Call, task: str, file: str) -> None:
        self.call, self.task, self.file = call, task, file
        self.config = call.task(task)
        listed = self.config.get("metric_list")
        first = _mapping(listed[0]) if isinstance(listed, list) and listed else {}
        self.metric = str(first.get("metric") or "")
        self.higher = first.get("higher_is_better") is not False
        self.filter: str | None = None
        self.seen: set[int] = set()
        self.settings = call.settings(task)
        self.base = Row(
            entry=call.model,
            benchmark=task,
            sample=0,
            score=0.0,
            scheme=call.scheme,
            run=call.stamp,
            settings=self.settings,
        )

    def row(self, sample: Mapping[str, Any], line: int) -> Row | None:
        index = sample.get("doc_id")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < 2**31:
            raise self._bad("this is not the number of a document", line, "doc_id")
        if self._is_other_filter(sample, index):
            return None
        score = self._score(sample, line)
        asked = self._asked(sample, line)
        return self.base._replace(
            sample=index,
            score=score,
            metric=self.metric,
            higher_is_better=self.higher,
            **asked,
            **self._answer(sample, asked, line),
        )

    def _is_other_filter(self, sample: Mapping[str, Any], index: int) -> bool:
        named = sample.get("filter")
        if named is None:
            again = index in self.seen
            self.seen.add(index)
            return again
        if self.filter is None:
            self.filter = str(named)
        return str(named) != self.filter

    def _score(self, sample: Mapping[str, Any], line: int) -> float:
        if not self.metric:
            named = sample.get("metrics")
            self.metric = str(named[0]) if isinstance(named, list) and named else ""
        if self.metric not in sample:
            raise self._bad("the sample has no such metric", line, self.metric or "metrics")
        value = sample[self.metric]
        if not isinstance(value, int | float) or not -1e308 < value < 1e308:
            problem = (
                "it is not a finite number for each sample: either it is NaN, or computed from all of them together"
            )
            raise self._bad(problem, line, self.metric)
        return float(value)

    def _asked(self, sample: Mapping[str, Any], line: int) -> dict[str, Any]:
        requests = _requests(sample.get("arguments"))
        choices = tuple(storable(str(pair[1]).strip()) for pair in requests if len(pair) > 1) if self._is_choice else ()
        target = _text(sample.get("target"))
        if choices and target.isdigit() and int(target) < len(choices):
            target = choices[int(target)]
        document = sample.get("doc")
        return {
            "prompt": storable(_text(requests[0][0])) if requests and requests[0] else "",
            "target": storable(target),
            "choices": choices,
            "document": _plain(document) if isinstance(document, Mapping) else "",
            **{name: str(sample.get(old) or "") for name, old in HASHES.items()},
        }

    @property
    def _is_choice(self) -> bool:
        return self.config.get("output_type") == "multiple_choice"

    def _answer(self, sample: Mapping[str, Any], asked: Mapping[str, Any], line: int) -> dict[str, Any]:
        responses, filtered = sample.get("resps"), sample.get("filtered_resps")
        if self._is_choice and asked["choices"]:
            return self._chosen(filtered, asked["choices"], line)
        first = responses[0] if isinstance(responses, list) and responses else ""
        output = first[0] if isinstance(first, list) and first else first
        answer = filtered[0] if isinstance(filtered, list) and filtered else output
        return {"output": storable(_text(output)), "answer": storable(_text(answer))}

    def _chosen(self, filtered: Any, choices: tuple[str, ...], line: int) -> dict[str, Any]:
        """The likeliest choice, by the rule of the metric: of acc_norm, by likelihood per character."""
        try:
            likely = [log_likelihood(_number(pair[0])) for pair in filtered][: len(choices)]
        except (TypeError, IndexError, KeyError, ValueError):
            raise self._bad("there is not a log-likelihood for each choice", line, "filtered_resps") from None
        if len(likely) < len(choices):
            raise self._bad("there is not a log-likelihood for each choice", line, "filtered_resps")
        by_length = self.metric == "acc_norm"
        value = [one / max(len(text), 1) if by_length else one for one, text in zip(likely, choices, strict=True)]
        best = value.index(max(value))
        return {"log_likelihoods": tuple(likely), "choice": best, "answer": choices[best], "output": choices[best]}

    def _bad(self, problem: str, line: int, field: str) -> BadRow:
        return BadRow(problem, file=self.file, line=line, field=field)


HASHES = {"document_hash": "doc_hash", "prompt_hash": "prompt_hash", "target_hash": "target_hash"}


def _requests(raw: Any) -> list[list[Any]]:
    """The requests of a sample: lists before 0.4.3, later objects with keys “gen_args_0”, “arg_0”."""
    if isinstance(raw, Mapping):
        return [list(_mapping(one).values()) for one in raw.values()]
    return [one for one in raw if isinstance(one, list)] if isinstance(raw, list) else []


def _number(value: Any) -> Any:
    """Written as text since 0.4.3."""
    return float(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    while isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else "" if value is None else str(value)


def _plain(document: Mapping[str, Any]) -> str:
    return storable_json(compact(document))
