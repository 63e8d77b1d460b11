"""The world, its benchmarks and the committed checkpoints belong together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.demo.benchmarks import FOLDER, load_benchmarks, write_benchmarks
from deploy.demo.world import HELD_OUT, build_world, stories

BENCHMARKS = {benchmark.name: benchmark for benchmark in load_benchmarks()}


def test_the_same_seed_makes_the_same_world() -> None:
    assert build_world(3) == build_world(3)
    assert build_world(3) != build_world(4)
    assert list(stories(build_world(), 5, 50)) == list(stories(build_world(), 5, 50))


def test_held_out_sums_are_never_told() -> None:
    world = build_world()
    assert len(set(world.held_out)) == HELD_OUT
    assert not set(world.held_out) & set(world.seen)
    told = {re.findall(r"\d+", story)[0:2].__str__() for story in stories(world, 5, 20_000) if "+" in story}
    assert not told & {str([str(left), str(right)]) for left, right in world.held_out}
    asked = [
        document["question"] for name in ("additions", "written-additions") for document in BENCHMARKS[name].documents
    ]
    assert len(set(asked)) == len(asked) == HELD_OUT
    assert {tuple(map(int, question.split("+"))) for question in asked} == set(world.held_out)


def test_stories_are_true() -> None:
    world = build_world()
    for story in stories(world, 8, 500):
        question, answer = (line[3:] for line in story.splitlines())
        if "+" in question:
            assert sum(map(int, question.split("+"))) == int(answer)
        elif question.startswith("capital"):
            assert world.capitals[question.split()[-1]] == answer
        elif question.startswith("sort"):
            assert sorted(question.split()[1:]) == answer.split()


def test_the_committed_benchmarks_are_what_the_script_writes(tmp_path: Path) -> None:
    write_benchmarks(tmp_path)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == sorted(file.name for file in FOLDER.iterdir())
    assert all((tmp_path / name).read_bytes() == (FOLDER / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    ("name", "count"),
    [("additions", 500), ("facts", 400), ("series", 130), ("sorting", 200), ("written-additions", 200)],
)
def test_every_benchmark_asks_hundreds_of_different_questions(name: str, count: int) -> None:
    benchmark = BENCHMARKS[name]
    assert len({document["question"] for document in benchmark.documents}) == count
    if not benchmark.definition.is_generation:
        golds = [document["gold"] for document in benchmark.documents]
        assert all(golds.count(place) > count / 8 for place in range(4))
        assert all(len(set(document["choices"])) == 4 for document in benchmark.documents)
