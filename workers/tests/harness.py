"""A task of the harness that is found nowhere but here, without a network."""

from __future__ import annotations

import json
from pathlib import Path

from lm_eval.tasks import TaskManager


def tasks_on_disk(folder: Path, size: int) -> TaskManager:
    """An index with one task, "sums_on_disk": so many sums with two choices, of which the first is right."""
    data = folder / "sums.jsonl"
    data.write_text("".join(json.dumps({"q": f"{i}+{i}", "options": [str(2 * i), "x"]}) + "\n" for i in range(size)))
    task = {
        "task": "sums_on_disk",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "Q: {{q}}\nA:",
        "doc_to_choice": "options",
        "doc_to_target": "0",
    }
    (folder / "sums.yaml").write_text(json.dumps(task))
    return TaskManager(include_path=str(folder), include_defaults=False)
