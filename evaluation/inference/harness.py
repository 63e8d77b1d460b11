"""The one file that imports lm_eval: its tasks, its local models and its API payloads behind our own small interface.

What we take: request construction, few-shot sampling, filters, metrics, tokenisation rules, API formats. What we do
not: its command line, caches, environment dump and evaluation loop, so that answers stream, runs stop and resume.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml
from lm_eval.api.task import ConfigurableTask, Task
from lm_eval.models.huggingface import HFLM
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs
from lm_eval.tasks import TaskManager

from evaluation.benchmarks import Definition, Document, Rendered, render
from evaluation.errors import BadBenchmark, MissingPackage
from evaluation.inference.encoding import Encodings, check_lengths, check_room, split_pairs
from evaluation.inference.forward import Answer, Generator, Scored, Stop, Written, score
from evaluation.inference.sampling import Sampling, without_own
from evaluation.inference.scoring import Sample
from evaluation.records import BenchmarkSpec, Endpoint

LIKELIHOOD, GENERATE = "loglikelihood", "generate_until"
FEWSHOT_SEED = 1234  # lm_eval's own default
Answers = Iterator[tuple[int, Answer]]
Options = tuple[tuple[str, ...], int, tuple[tuple[str, Any], ...]]  # stop texts, most tokens, what else

logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it reports expected things as warnings


class Contender(Protocol):
    """Something that answers requests. kind: LIKELIHOOD or GENERATE; yields (index of the request, answer).

    sampling: how texts are drawn; None leaves it to the benchmark, which usually takes the likeliest tokens.
    """

    def answers(self, kind: str, requests: Sequence[Any], stop: Stop, sampling: Sampling | None = None) -> Answers: ...

    @property
    def chat(self) -> Callable[..., Any] | None:
        """Turns a conversation into a prompt, for contenders that only take conversations."""
        ...

    def close(self) -> None:
        """Give back what belongs to one run only."""
        ...


class OwnDocument(dict[str, Any]):
    """A document together with how it renders: rendered once, in the sandbox, and never by lm_eval."""

    def __init__(self, document: Document, rendered: Rendered) -> None:
        super().__init__(document)
        self.rendered = rendered


class OwnDocuments(list[OwnDocument]):
    """What lm_eval expects of a data set: a list that knows the names of its columns."""

    features: Mapping[str, Any] = {}


def own_task(name: str, definition: Definition, documents: Sequence[Document]) -> Task:
    """A task of lm_eval over our documents. Templates are plain functions here, so its own Jinja never runs."""
    rows = OwnDocuments(OwnDocument(document, render(definition, document)) for document in documents)
    config: dict[str, Any] = {
        "task": name,
        "custom_dataset": lambda **_: {"test": rows},
        "test_split": "test",
        "doc_to_text": lambda row: row.rendered.prompt,
        "target_delimiter": definition.target_delimiter,
        "num_fewshot": 0,
    }
    metric = {"aggregation": "mean", "higher_is_better": True}
    if definition.is_generation:
        config |= {
            "output_type": "generate_until",
            "doc_to_target": lambda row: row.rendered.target,
            "generation_kwargs": {"until": list(definition.stop), "max_gen_toks": definition.max_tokens},
            "filter_list": [{"name": "extract", "filter": extraction(definition)}],
            "metric_list": [{"metric": "exact_match", **metric}],
        }
    else:
        config |= {
            "output_type": "multiple_choice",
            "doc_to_target": lambda row: row.rendered.gold,
            "doc_to_choice": lambda row: list(row.rendered.choices),
            "metric_list": [{"metric": each, **metric} for each in ("acc", "acc_norm")],
        }
    return ConfigurableTask(config=config)


def extraction(definition: Definition) -> list[dict[str, Any]]:
    """lm_eval's filters for our `extract`."""
    return [{"function": "regex", "regex_pattern": definition.pattern}, {"function": "take_first"}]


class NamedTasks:
    """lm_eval's own tasks by name. Its index takes seconds to read: once, and only when a name is asked for."""

    def __init__(self, *, allow_code: bool = False) -> None:
        self.allow_code = allow_code
        self._manager: TaskManager | None = None

    def load(self, name: str) -> Task:
        """The task, with its data set. Raises BadBenchmark or MissingPackage, with what to do."""
        if self._manager is None:
            self._manager = TaskManager()
        self._check(self._manager, name)
        try:
            tasks = self._manager.load([name])["tasks"]
        except ModuleNotFoundError as error:
            raise MissingPackage(
                f"The task {name} needs the package {error.name}.", remedy="Install it on the worker."
            ) from error
        except (OSError, ValueError, KeyError) as error:
            raise BadBenchmark(
                f"The data of the task {name} cannot be had ({type(error).__name__}: {str(error)[:200]}).",
                field="harness_task",
                remedy="Give the worker network access, or fill its data set cache (see HF_HOME and HF_HUB_OFFLINE).",
            ) from error
        task = tasks[name]
        if getattr(task, "UNSAFE_CODE", False) and not self.allow_code:
            raise _code_refused(name, "runs the code that models write")
        task.set_fewshot_seed(FEWSHOT_SEED)
        return task

    def _check(self, manager: TaskManager, name: str) -> None:
        entry = manager.task_index.get(name)
        if entry is None:
            raise BadBenchmark(
                f"There is no task {name!r} in lm-evaluation-harness.",
                field="harness_task",
                remedy="`lm_eval ls tasks` lists the names.",
            )
        if name not in manager.all_subtasks:
            raise BadBenchmark(
                f"{name} is a group of tasks.",
                field="harness_task",
                remedy="Register its tasks and put them in a suite.",
            )
        if self.allow_code:
            return
        if entry.yaml_path is None or entry.kind.name == "PY_TASK":
            raise _code_refused(name, "is a Python class")
        if any(_runs_code(config) for config in _configurations(Path(entry.yaml_path))):
            raise _code_refused(name, "runs Python functions of its own")


class _Inert(yaml.SafeLoader):
    """Reads a task's YAML without importing what it names."""


_FUNCTION = object()
_Inert.add_constructor("!function", lambda loader, node: _FUNCTION)


def _configurations(file: Path) -> Iterator[dict[str, Any]]:
    """A task's configuration and all that it includes."""
    config = yaml.load(file.read_bytes(), Loader=_Inert)  # noqa: S506  # a SafeLoader
    yield config
    included = config.get("include", [])
    for name in included if isinstance(included, list) else [included]:
        yield from _configurations(file.parent / name)


def _runs_code(value: Any) -> bool:
    if isinstance(value, dict):
        return "class" in value or any(map(_runs_code, value.values()))
    return value is _FUNCTION or (isinstance(value, list) and any(map(_runs_code, value)))


def _code_refused(name: str, what: str) -> BadBenchmark:
    return BadBenchmark(
        f"The task {name} {what}, and this worker runs no code of benchmarks.",
        field="harness_task",
        remedy="An owner may allow it on a worker that was started for it.",
    )


def build_samples(
    task: Task,
    *,
    limit: int | None,
    skip: frozenset[tuple[int, int]],
    subset: frozenset[int] | None = None,
    chat: Callable[..., Any] | None,
    attempts: int = 1,
) -> Iterator[Sample]:
    """The samples that are still to do, in order, once for each attempt.

    Few-shot examples are drawn in the order of the documents, so the skipped ones are built too, and those outside the
    subset: a resumed or partial run asks exactly what the whole one asks.
    """
    options: dict[str, Any] = {"apply_chat_template": True, "chat_template": chat} if chat else {}
    shots = task.config.num_fewshot or 0
    for number, document in task.doc_iterator(limit=limit):
        outside = subset is not None and number not in subset
        if outside and not shots:
            continue
        prefix = {"gen_prefix": given} if (given := task.doc_to_prefix(document)) else {}
        context = task.fewshot_context(document, num_fewshot=shots, **options, **prefix)
        metadata = (task.config.task, number, task.config.repeats)
        for attempt in range(attempts):
            if outside or (number, attempt) in skip:
                continue
            built = task.construct_requests(doc=document, ctx=context, metadata=metadata, **options)
            yield Sample(number, document, built if isinstance(built, list) else [built], attempt)


def kind_of(name: str, task: Task) -> str:
    """LIKELIHOOD or GENERATE. Raises BadBenchmark for what has no score per sample."""
    kinds = {"multiple_choice": LIKELIHOOD, "loglikelihood": LIKELIHOOD, "generate_until": GENERATE}
    if task.OUTPUT_TYPE not in kinds:
        raise BadBenchmark(
            f"{name} measures {task.OUTPUT_TYPE}, which is not a score per sample.",
            field="harness_task",
            remedy="Use a multiple-choice or generation task.",
        )
    return kinds[task.OUTPUT_TYPE]


def load_task(benchmark: BenchmarkSpec, named: NamedTasks) -> tuple[Task, str]:
    """The task of a benchmark, and the metric that is its score ("" means the task's first)."""
    if benchmark.harness_task:
        return named.load(benchmark.harness_task), ""
    definition = Definition.from_dict(benchmark.definition)
    if not benchmark.documents:
        raise BadBenchmark(f"The benchmark {benchmark.name} holds no documents.", field="documents")
    return own_task(benchmark.name, definition, benchmark.documents), definition.metric


class LocalModel:
    """A loaded module as a contender. lm_eval prepares tokenizer and lengths; `forward` does the work."""

    chat = None

    def __init__(self, module: Any, tokenizer: Any, encodings: Encodings | None = None) -> None:
        self.lm = HFLM(pretrained=module, tokenizer=tokenizer, backend="causal")
        self.batch_size = 1
        self._encodings = encodings if encodings is not None else Encodings()
        self._endings: dict[str, Any] = {}

    def answers(self, kind: str, requests: Sequence[Any], stop: Stop, sampling: Sampling | None = None) -> Answers:
        """See Contender."""
        if kind == GENERATE:
            return self._write(requests, stop, sampling)
        scored = split_pairs(requests, self._encode, self.lm.prefix_token_id)
        check_lengths(scored, self.lm.max_length)
        return score(
            self.lm._model_call,
            scored,
            batch_size=self.batch_size,
            max_length=self.lm.max_length,
            device=self.lm.device,
            stop=stop,
        )

    def close(self) -> None:
        """See Contender: the model stays loaded."""

    def _write(self, requests: Sequence[Any], stop: Stop, sampling: Sampling | None) -> Answers:
        lm = self.lm
        encoded = self._encode([request.args[0] for request in requests])
        ending = lm.tok_decode(lm.eot_token_id, skip_special_tokens=False)
        known: dict[str, Options] = {}
        written = []
        for index, request in enumerate(requests):
            text, given = request.args
            if (key := repr(given)) not in known:
                known[key] = _generation_options(without_own(given) if sampling else given, ending, lm.max_gen_toks)
            written.append(
                Written(index, text, encoded[text], *known[key], seed=sampling.seeds[index] if sampling else 0)
            )
        check_room(written, lm.max_length)
        temperature = sampling.temperature if sampling else 0.0
        generator = Generator(lm.model, lm.tokenizer, lm.device, lm.max_length, stop, temperature, self._endings)
        yield from generator.write(written, self.batch_size)

    def _encode(self, texts: Sequence[str]) -> Mapping[str, list[int]]:
        return self._encodings.encode(self.lm.tokenizer, self.lm.tokenizer.decode(self.lm.prefix_token_id), texts)


def _generation_options(given: Mapping[str, Any], ending: str, default: int) -> Options:
    """Stop texts, most tokens, and what else `generate` takes, from lm_eval's generation arguments."""
    options = normalize_gen_kwargs(dict(given), default)
    stops = handle_stop_sequences(options.pop("until", None), eos=ending)
    room = int(options.pop("max_gen_toks"))
    if not options.get("do_sample"):
        options.pop("temperature", None)  # transformers warns about a temperature that has no effect
    return tuple(filter(None, stops)), room, tuple(sorted(options.items()))


class RemoteFormat:
    """What goes over the wire to an OpenAI-compatible server and how its answers read, as lm_eval has it.

    Prompts travel as token ids where the tokenizer is known (with its usual special tokens, so that a local run sees
    the same), else as text.
    """

    def __init__(self, endpoint: Endpoint, *, seed: int, max_length: int) -> None:
        kind = LocalChatCompletion if endpoint.style == "chat" else LocalCompletionsAPI
        known = bool(endpoint.tokenizer) and endpoint.style != "chat"
        self.api = kind(
            model=endpoint.model,
            base_url=endpoint.base_url,
            tokenizer=endpoint.tokenizer if known else None,
            tokenizer_backend="huggingface" if known else None,
            tokenized_requests=known,
            max_length=max_length,
            seed=seed,
        )
        self.seed, self.is_chat, self.known = seed, endpoint.style == "chat", known

    @property
    def chat(self) -> Callable[..., Any] | None:
        """See Contender."""
        return self.api.apply_chat_template if self.is_chat else None

    def scored(self, requests: Sequence[Any]) -> list[Scored]:
        """Requests for log-likelihoods as token ids."""
        scored = split_pairs(requests, self._encode, self.api.prefix_token_id)
        check_lengths(scored, self.api.max_length)
        return scored

    def likelihood(self, request: Scored) -> tuple[dict[str, Any], int, int]:
        """Payload, tokens of context in it, tokens sent."""
        sent = (*request.context, *request.continuation)[-self.api.max_length :]
        return self._ask([list(sent)], generate=False), len(sent) - len(request.continuation), len(sent)

    def read_likelihood(self, answer: Any, sent: int, context: int) -> tuple[float, bool]:
        """(log-likelihood in nats, is greedy)."""
        ((value, greedy),) = self.api.parse_logprobs(answer, tokens=[[0] * sent], ctxlens=[context])
        return float(value), bool(greedy)

    def text(self, request: Any, sampling: Sampling | None, index: int) -> dict[str, Any]:
        """Payload that asks for a text. index: of the request, which is drawn by its own seed."""
        context, given = request.args
        if sampling is None:
            return self._generate(context, given)
        drawn = {**without_own(given), "temperature": sampling.temperature}
        return self._generate(context, drawn) | {"seed": sampling.seeds[index]}

    def read_text(self, answer: Any) -> str:
        """The text of an answer; one that the server held back is empty."""
        return self.api.parse_generations(answer)[0] or ""

    def probe_likelihood(self, text: str) -> tuple[dict[str, Any], int]:
        """Payload for the log-probabilities of a text, and its number of tokens."""
        ids = self._encode([text])[text]
        return self._ask([ids], generate=False), len(ids)

    def probe_text(self, text: str) -> dict[str, Any]:
        """Payload for the shortest answer there is."""
        context = self.api.apply_chat_template([{"role": "user", "content": text}]) if self.is_chat else text
        return self._generate(context, {"max_gen_toks": 1})

    def _generate(self, context: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        if self.known:
            room = self.api.max_length - int(given.get("max_gen_toks", self.api._max_gen_toks))
            context = self._encode([context])[context][-room:]
        return self._ask([context], generate=True, gen_kwargs=copy.deepcopy(dict(given)), eos=self.api.eos_string)

    def _ask(self, messages: list[Any], **options: Any) -> dict[str, Any]:
        payload: dict[str, Any] = self.api._create_payload(self.api.create_message(messages), seed=self.seed, **options)
        return payload

    def _encode(self, texts: Sequence[str]) -> dict[str, list[int]]:
        unique = list(dict.fromkeys(texts))
        return dict(zip(unique, self.api.tokenizer(unique, return_attention_mask=False)["input_ids"], strict=True))
