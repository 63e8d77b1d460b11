"""Our own benchmarks as data: a definition of fixed fields and documents as JSON lines. No code, no imports, no YAML.

The web validates and hashes an upload with this module; the engine turns the same objects into a task. Documents are
checked before anything runs, because a harness that meets a bad one in mid-run fails late or, worse, scores it wrong.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

from evaluation import patterns, templates
from evaluation.errors import BadBenchmark
from evaluation.lines import check_plain, read_objects

Document = Mapping[str, Any]

METRICS = {"multiple_choice": ("acc", "acc_norm"), "generation": ("exact_match",)}
EVERYTHING_TRIMMED = r"(?s)\A\s*(.*?)\s*\Z"  # what `extract` means when it is empty
EXAMPLE_SEPARATOR = "\n\n"
MAX_TOKENS = 4_096
MAX_CHOICES = 256
MAX_EXAMPLES = 64
MAX_STOPS = 16


@dataclass(frozen=True, slots=True)
class Definition:
    """What a benchmark asks and how an answer is scored.

    kind: "multiple_choice" (the choice with the highest log-likelihood) or "generation" (the text is compared).
    prompt: template over the document's fields. description: text in front of every prompt.
    choices, gold: names of the list field and of its index field. target: name of the answer field (generation).
    metric: "acc", "acc_norm" (per character) or "exact_match"; empty means the first of its kind.
    extract: regular expression with one group that finds the answer in the output; empty means all of it, trimmed.
    examples: documents put in front with their answers, of which the first `num_fewshot` are used.
    """

    kind: str
    prompt: str
    choices: str = "choices"
    gold: str = "gold"
    target: str = "answer"
    target_delimiter: str = " "
    metric: str = ""
    extract: str = ""
    stop: tuple[str, ...] = ("\n\n",)
    max_tokens: int = 64
    subject: str = ""
    description: str = ""
    num_fewshot: int = 0
    examples: tuple[Document, ...] = ()
    lead: str = field(init=False, repr=False, compare=False)  # description and solved examples, rendered once

    def __post_init__(self) -> None:
        if not self.metric and self.kind in METRICS:
            object.__setattr__(self, "metric", METRICS[self.kind][0])
        _check_definition(self)
        object.__setattr__(self, "lead", _lead(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Definition:
        """Read a definition as it was stored or uploaded. Raises BadBenchmark that names the field."""
        if not isinstance(data, Mapping):
            raise BadBenchmark("A definition is a JSON object.", field="definition")
        try:
            check_plain(dict(data))
        except (ValueError, RecursionError) as error:
            raise BadBenchmark(f"The definition cannot be stored: {error}.", field="definition") from None
        known = [each.name for each in dataclasses.fields(cls) if each.init]
        for name in data:
            if name not in known:
                raise _wrong(str(name), "is not a field of a definition", f"Known fields: {', '.join(known)}.")
        for name in ("kind", "prompt"):
            if name not in data:
                raise _wrong(name, "is missing")
        values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in data.items()}
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The same definition as plain JSON; `from_dict(to_dict())` is equal."""
        data = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.init}
        return data | {"stop": list(self.stop), "examples": [dict(example) for example in self.examples]}

    @property
    def is_generation(self) -> bool:
        """Whether answers are texts that the contender writes."""
        return self.kind == "generation"

    @property
    def pattern(self) -> str:
        """The regular expression in force: `extract`, or the whole text trimmed."""
        return self.extract or EVERYTHING_TRIMMED


@dataclass(frozen=True, slots=True)
class Rendered:
    """One question as a contender sees it. gold and choices are empty (None, ()) for generation."""

    prompt: str
    choices: tuple[str, ...]
    gold: int | None
    target: str
    subject: str


def parse_documents(lines: Iterable[bytes | str], definition: Definition) -> tuple[dict[str, Any], ...]:
    """Read JSON lines (blank ones are ignored) into checked documents.

    Raises BadBenchmark that names line and field: invalid JSON, missing field, wrong type, gold out of range, a
    template that needs a field the document lacks, nothing at all, or more than the bounds of `evaluation.lines`.
    """
    documents = []
    for number, document in read_objects(lines):
        with _at_line(number):
            render(definition, document)
        documents.append(document)
    if not documents:
        raise BadBenchmark("The file holds no documents.", field="documents", remedy="Write one JSON object per line.")
    return tuple(documents)


def render(definition: Definition, document: Document) -> Rendered:
    """The full prompt (description, examples, question), the choices and the right answer of one document."""
    rendered = _question(definition, document)
    return dataclasses.replace(rendered, prompt=definition.lead + rendered.prompt) if definition.lead else rendered


def content_hash(definition: Definition, documents: Sequence[Document]) -> str:
    """sha256 of definition and documents in canonical JSON: equal content, equal version."""
    digest = hashlib.sha256(_canonical(definition.to_dict()).encode())
    for document in documents:
        digest.update(b"\n" + _canonical(document).encode())
    return digest.hexdigest()


def document_hash(document: Document) -> str:
    """sha256 of one document, by the formula of lm-evaluation-harness, so that imported samples can be matched."""
    return _sha256(_indented(document))


def prompt_hash(prompt: str) -> str:
    """sha256 of a prompt, by the formula of lm-evaluation-harness."""
    return _sha256(prompt)


def target_hash(target: object) -> str:
    """sha256 of a target (index of the right choice, or text), by the formula of lm-evaluation-harness."""
    return _sha256(str(target))


def _question(definition: Definition, document: Document) -> Rendered:
    subject = _text(document, definition.subject) if definition.subject else ""
    prompt = templates.fill(definition.prompt, document)
    if not prompt.strip():
        raise _wrong("prompt", "renders to nothing")
    if definition.is_generation:
        return Rendered(prompt, (), None, _text(document, definition.target), subject)
    choices = _choices(document, definition.choices)
    gold = _get(document, definition.gold)
    if type(gold) is not int:
        raise _wrong(definition.gold, f"must be a whole number, not {json.dumps(gold)[:40]}")
    if not 0 <= gold < len(choices):
        raise _wrong(definition.gold, f"is {gold}, which is no index of {len(choices)} choices", "Indices start at 0.")
    return Rendered(prompt, choices, gold, choices[gold], subject)


def _choices(document: Document, name: str) -> tuple[str, ...]:
    choices = _get(document, name)
    if not isinstance(choices, list | tuple) or not all(isinstance(choice, str) and choice for choice in choices):
        raise _wrong(name, "must be a list of non-empty texts")
    if not 2 <= len(choices) <= MAX_CHOICES:
        raise _wrong(name, f"has {len(choices)} entries; 2 to {MAX_CHOICES} are possible")
    return tuple(choices)


def _lead(definition: Definition) -> str:
    """Description and solved examples, as lm-evaluation-harness puts them in front of a question."""
    solved = [_question(definition, example) for example in definition.examples[: definition.num_fewshot]]
    turns = (f"{shot.prompt}{definition.target_delimiter}{shot.target}{EXAMPLE_SEPARATOR}" for shot in solved)
    return definition.description + "".join(turns)


def _get(document: Document, name: str) -> Any:
    if name not in document:
        raise _wrong(name, "is missing")
    return document[name]


def _text(document: Document, name: str) -> str:
    value = _get(document, name)
    if not isinstance(value, str) or not value:
        raise _wrong(name, f"must be a non-empty text, not {json.dumps(value)[:40]}")
    return value


def _check_definition(definition: Definition) -> None:
    if definition.kind not in METRICS:
        raise _wrong("kind", f"is {definition.kind!r}", f"Use one of {', '.join(METRICS)}.")
    _check_types(definition)
    if definition.metric not in METRICS[definition.kind]:
        raise _wrong("metric", f"is {definition.metric!r}", f"Use one of {', '.join(METRICS[definition.kind])}.")
    for name, low, high in (("max_tokens", 1, MAX_TOKENS), ("num_fewshot", 0, len(definition.examples))):
        if not low <= getattr(definition, name) <= high:
            raise _wrong(name, f"is {getattr(definition, name)}; {low} to {high} is possible")
    if len(definition.examples) > MAX_EXAMPLES or len(definition.stop) > MAX_STOPS:
        raise _wrong("examples", f"or `stop` are too many ({MAX_EXAMPLES} and {MAX_STOPS} are possible)")
    patterns.check(definition.pattern)
    templates.check(definition.prompt)


def _check_types(definition: Definition) -> None:
    for each in filter(lambda each: each.init, dataclasses.fields(definition)):
        value = getattr(definition, each.name)
        expected = {"int": int, "str": str}.get(str(each.type), tuple)
        if type(value) is not expected:
            raise _wrong(each.name, f"has the wrong type ({type(value).__name__})", f"Expected: {each.type}.")
    if not all(isinstance(text, str) and text for text in definition.stop):
        raise _wrong("stop", "must be a list of non-empty texts")
    if not all(isinstance(example, Mapping) for example in definition.examples):
        raise _wrong("examples", "must be a list of objects")


@contextmanager
def _at_line(number: int) -> Iterator[None]:
    """Say in which line of an upload the trouble is."""
    try:
        yield
    except BadBenchmark as error:
        raise BadBenchmark(f"Line {number}: {error.message}", field=error.field, remedy=error.remedy) from None


def _wrong(field: str, what: str, remedy: str = "") -> BadBenchmark:
    return BadBenchmark(f"The field `{field}` {what}.", field=field, remedy=remedy)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _indented(value: object, line: str = "\n") -> str:
    """`json.dumps(value, indent=2, ensure_ascii=False)`, which Python has in slow code only: ten times faster."""
    deeper = line + "  "
    if type(value) is str:
        return encode_basestring(value)
    if isinstance(value, dict) and value and all(type(key) is str for key in value):
        items = [f"{encode_basestring(key)}: {_indented(child, deeper)}" for key, child in value.items()]
        return f"{{{deeper}{f',{deeper}'.join(items)}{line}}}"
    if isinstance(value, list | tuple) and value:
        return f"[{deeper}{f',{deeper}'.join(_indented(child, deeper) for child in value)}{line}]"
    return json.dumps(value, default=str, ensure_ascii=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
