"""The demo's benchmarks: written once from the world and committed, read from the files ever after.

`python -m deploy.demo.benchmarks` writes them again; a test holds that the files are what it writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.demo import world
from deploy.demo.world import World
from evaluation.benchmarks import Definition, parse_documents

FOLDER = Path(__file__).parent / "benchmarks"
SEED = 1
PROMPT = "Q: {{ question }}\nA:"
SUMS_CHOSEN, SUMS_WRITTEN, CAPITALS_ASKED, SORTINGS = 500, 200, 400, 200
NEAR_MISSES = (1, -1, 10, -10, 9, -9, 2, -2)


@dataclass(frozen=True)
class DemoBenchmark:
    """A benchmark as the catalog registers it. documents: checked; file: the JSON lines they came from."""

    name: str
    title: str
    definition: Definition
    documents: tuple[dict[str, Any], ...]
    file: Path


def load_benchmarks() -> tuple[DemoBenchmark, ...]:
    """The committed benchmarks in the order of `definitions.json`."""
    entries = json.loads((FOLDER / "definitions.json").read_text())
    return tuple(_load(name, **entry) for name, entry in entries.items())


def _load(name: str, title: str, definition: dict[str, Any]) -> DemoBenchmark:
    file = FOLDER / f"{name}.jsonl"
    checked = Definition.from_dict(definition)
    with file.open("rb") as lines:
        return DemoBenchmark(name, title, checked, parse_documents(lines, checked), file)


def additions(made: World, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Held-out sums; the wrong choices are near misses."""
    for left, right in made.held_out[:SUMS_CHOSEN]:
        total = left + right
        others = [str(total + miss) for miss in NEAR_MISSES if total + miss >= 0]
        yield _choice(rng, world.sum_question(left, right), str(total), others)


def facts(made: World, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Capitals of towns, frequent and rare ones alike."""
    names = sorted(set(made.capitals.values()))
    towns = list(made.capitals)
    for index in rng.choice(len(towns), size=CAPITALS_ASKED, replace=False).tolist():
        capital = made.capitals[towns[index]]
        document = _choice(rng, world.capital_question(towns[index]), capital, [n for n in names if n != capital])
        yield document | {"subject": "frequent" if index < len(towns) // 4 else "rare"}


def series(made: World, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Every start and step there is."""
    for start in range(26):
        for step in world.STEPS:
            question, answer = world.series_question(start, step)
            others = [letter for letter in world.LETTERS if letter != answer]
            yield _choice(rng, question, answer, others) | {"subject": f"step {step}"}


def sorting(made: World, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Four letters to put in order, written out."""
    for _ in range(SORTINGS):
        question, answer = world.sort_question("".join(rng.choice(list(world.LETTERS), size=4, replace=False)))
        yield {"question": question, "answer": answer}


def written_additions(made: World, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Other held-out sums, whose result has to be written."""
    for left, right in made.held_out[SUMS_CHOSEN : SUMS_CHOSEN + SUMS_WRITTEN]:
        yield {"question": world.sum_question(left, right), "answer": str(left + right)}


def _choice(rng: np.random.Generator, question: str, answer: str, others: Sequence[str]) -> dict[str, Any]:
    """A question with four choices in random order."""
    choices = [answer, *rng.choice(others, size=3, replace=False).tolist()]
    shuffled = [choices[index] for index in rng.permutation(4).tolist()]
    return {"question": question, "choices": shuffled, "gold": shuffled.index(answer)}


_CHOICE = {"kind": "multiple_choice", "prompt": PROMPT}
_TEXT = {"kind": "generation", "prompt": PROMPT, "stop": ["\n"], "max_tokens": 12}
Maker = Callable[[World, np.random.Generator], Iterator[dict[str, Any]]]
MAKERS: dict[str, tuple[str, dict[str, Any], Maker]] = {
    "additions": ("Additions, never seen in training", _CHOICE, additions),
    "facts": ("Capitals of invented towns", _CHOICE | {"subject": "subject"}, facts),
    "series": ("Letter series", _CHOICE | {"subject": "subject"}, series),
    "sorting": ("Sorting four letters", _TEXT, sorting),
    "written-additions": ("Additions, result written", _TEXT | {"extract": r"(-?\d+)"}, written_additions),
}


def write_benchmarks(folder: Path) -> None:
    """Make all benchmarks of the world of seed 0 and write `definitions.json` and one `.jsonl` each."""
    made = world.build_world()
    folder.mkdir(parents=True, exist_ok=True)
    definitions = {name: {"title": title, "definition": fields} for name, (title, fields, _) in MAKERS.items()}
    (folder / "definitions.json").write_text(json.dumps(definitions, indent=2) + "\n")
    for number, (name, (_, _, make)) in enumerate(MAKERS.items()):
        documents = make(made, np.random.default_rng([SEED, number]))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))


if __name__ == "__main__":
    write_benchmarks(FOLDER)
