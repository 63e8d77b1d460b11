"""Results of lm-eval: those that 0.4.13 wrote on a small checkpoint (`data/harness`), and older layouts of the same."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation import benchmarks
from evaluation.importing import read
from evaluation.importing.rows import BadRow, Row

DATA = Path(__file__).parent / "data" / "harness"
STAMP = "2026-11-21T08-29-27.347072"
RESULTS, CHOICE, WRITTEN = (
    f"tiny-xs/{name}_{STAMP}.{ending}"
    for name, ending in (("results", "json"), ("samples_fx_choice", "jsonl"), ("samples_fx_gen", "jsonl"))
)
Files = dict[str, bytes]


def files() -> Files:
    return {path.relative_to(DATA).as_posix(): path.read_bytes() for path in DATA.rglob("*.json*")}


def as_zip(found: Files) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in found.items():
            archive.writestr(name, data)
    return file.getvalue()


def as_tar(found: Files) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in found.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def rows(found: Files, pack: Callable[[Files], bytes] = as_zip, name: str = "results.zip") -> dict[str, list[Row]]:
    """By benchmark."""
    by_task: dict[str, list[Row]] = {}
    for source in read(io.BytesIO(pack(found)), name=name):
        for _, row in source.rows:
            by_task.setdefault(row.benchmark, []).append(row)
    return by_task


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def dumped(samples: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in samples)


def refusal(found: Files) -> BadRow:
    with pytest.raises(BadRow) as caught:
        rows(found)
    return caught.value


@pytest.mark.parametrize(("pack", "name"), [(as_zip, "r.zip"), (as_tar, "r.tar.gz")])
def test_scores_are_the_harness_own(pack: Callable[[Files], bytes], name: str) -> None:
    found = rows(files(), pack, name)
    told = json.loads(files()[RESULTS])["results"]
    for task, key in (("fx_choice", "acc,none"), ("fx_gen", "exact_match,strict")):
        assert sum(row.score for row in found[task]) / len(found[task]) == told[task][key]
    assert [row.sample for row in found["fx_gen"]] == [0, 1], "each sample once, though two filters scored it"


def test_a_choice_with_its_likelihoods_and_hashes() -> None:
    row = rows(files())["fx_choice"][1]
    assert (row.entry, row.scheme, row.metric, row.score) == ("tiny-xs", "fp32", "acc", 1.0)
    assert (row.prompt, row.choices, row.target) == ("The sky is", ("blue", "green"), "blue")
    assert (row.choice, row.answer, row.log_likelihoods) == (0, "blue", (-54.08473205566406, -77.96204376220703))
    assert row.document_hash == benchmarks.document_hash(json.loads(row.document))
    assert row.prompt_hash == benchmarks.prompt_hash(row.prompt)
    assert row.target_hash == benchmarks.target_hash(0)
    assert json.loads(row.settings) == {"batch_size": 4, "num_fewshot": 0, "seed": 0}


def test_a_written_answer_is_filtered_and_whole() -> None:
    row = rows(files())["fx_gen"][0]
    assert (row.output, row.answer, row.target, row.prompt) == (" bali", "[invalid]", "4", "Say 4:")


def test_facts_name_the_versions() -> None:
    facts = next(read(io.BytesIO(as_zip(files())), name="r.zip")).facts
    assert {"lm_eval": "0.4.13", "harness": "lm-evaluation-harness", "parameters": 54464}.items() <= facts.items()


def old(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample as 0.4.0 to 0.4.2 wrote it: lists, numbers, no filter, no metrics, no hashes."""
    gone = ("filter", "metrics", "doc_hash", "prompt_hash", "target_hash")
    kept = {key: value for key, value in sample.items() if key not in gone}
    kept["arguments"] = [list(one.values()) for one in sample["arguments"].values()]
    if "acc" in sample:
        kept["resps"] = [[[float(one[0][0]), one[0][1] == "True"]] for one in sample["resps"]]
        kept["filtered_resps"] = [[float(one[0]), one[1] == "True"] for one in sample["filtered_resps"]]
    return kept


def test_the_layout_of_0_4_0() -> None:
    now = files()
    results = json.loads(now[RESULTS])
    for key in ("model_name", "model_source", "lm_eval_version", "n-samples", "task_hashes"):
        results.pop(key)
    results["config"] = {"model": "hf", "model_args": "pretrained=acme/tiny,dtype=bfloat16", "limit": 3.0}
    lists = {
        task: json.dumps([old(one) for one in lines(now[name])], indent=2)
        for task, name in (("fx_choice", CHOICE), ("fx_gen", WRITTEN))
    }
    before = {"results.json": json.dumps(results).encode()}
    before |= {f"pretrained__acme__tiny_{task}.jsonl": text.encode() for task, text in lists.items()}
    found, same = rows(before), rows(now)
    for task, expected in same.items():
        changed = {"entry": "acme/tiny", "scheme": "bf16", "run": ""}
        unsaid = {"document_hash": "", "prompt_hash": "", "target_hash": ""}
        settings = '{"limit":3,"num_fewshot":0}'
        assert found[task] == [row._replace(**changed, **unsaid, settings=settings) for row in expected]


def test_the_layout_of_0_4_3_has_no_filter() -> None:
    now = files()
    now[WRITTEN] = dumped(
        [{k: v for k, v in one.items() if k not in ("filter", "metrics")} for one in lines(now[WRITTEN])]
    )
    assert [row.answer for row in rows(now)["fx_gen"]] == ["[invalid]", "[invalid]"]


def test_two_calls_in_one_directory_are_two_runs() -> None:
    now = files()
    again = {name.replace(STAMP, "2026-11-22T00-00-00.000000"): data for name, data in now.items()}
    assert {row.run for row in rows(now | again)["fx_choice"]} == {STAMP, "2026-11-22T00-00-00.000000"}


def test_a_limit_makes_a_trial() -> None:
    now = files()
    results = json.loads(now[RESULTS])
    results["n-samples"]["fx_choice"] = {"original": 100, "effective": 4}
    assert json.loads(rows(now | {RESULTS: json.dumps(results).encode()})["fx_choice"][0].settings)["limit"] == 4


def test_results_without_samples_are_refused() -> None:
    found = refusal({RESULTS: files()[RESULTS]})
    assert "results, but no samples" in str(found)
    assert "--log_samples" in found.remedy


def test_results_of_0_3_are_refused_with_the_reason() -> None:
    told = {"results": {"arc": {"acc": 0.5}}, "versions": {"arc": 0}, "config": {"model": "gpt2"}}
    assert "0.3 or earlier, which keeps no samples" in str(refusal({"out.json": json.dumps(told).encode()}))


def test_samples_without_their_results_are_refused() -> None:
    assert "its results file is missing" in str(refusal({CHOICE: files()[CHOICE]}))
    other = files() | {f"other/samples_fx_choice_{STAMP}.jsonl": files()[CHOICE]}
    assert refusal(other).file.startswith("other/")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"acc": float("nan")}, "acc"),
        ({"acc": [1, 2]}, "acc"),
        ({"doc_id": "x"}, "doc_id"),
        ({"doc_id": -1}, "doc_id"),
        ({"filtered_resps": [["-1", "True"]]}, "filtered_resps"),
        ({"filtered_resps": [["nan", "True"]] * 3}, "filtered_resps"),
    ],
)
def test_a_bad_sample_is_named_by_file_line_and_field(change: dict[str, Any], field: str) -> None:
    now = files()
    samples = lines(now[CHOICE])
    samples[2] |= change
    found = refusal(now | {CHOICE: dumped(samples)})
    assert (found.file, found.line, found.field) == (CHOICE, 3, field)


def test_a_metric_that_is_missing_is_named() -> None:
    now = files()
    samples = [{key: value for key, value in one.items() if key != "acc"} for one in lines(now[CHOICE])]
    assert refusal(now | {CHOICE: dumped(samples)}).field == "acc"
