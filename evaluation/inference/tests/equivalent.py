"""The same benchmark as lm-evaluation-harness's own users would write it: a YAML task and a JSONL file.

Written to a folder so that its command line (`lm_eval --include_path`) and its Python functions can both take it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmarks import Definition, Document


def write_task(folder: Path, name: str, definition: Definition, documents: Sequence[Document]) -> str:
    """Write `<name>.yaml` and `<name>.jsonl`; returns the name of the task. Templates go over as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    config = _config(name, definition) | {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")},
    }
    # JSON is YAML
    (folder / f"{name}.yaml").write_text(json.dumps(config, indent=1), encoding="utf-8")
    return name


def _config(name: str, definition: Definition) -> dict[str, Any]:
    mean = {"aggregation": "mean", "higher_is_better": True}
    config: dict[str, Any] = {
        "task": name,
        "test_split": "test",
        "doc_to_text": definition.prompt,
        "description": definition.description,
        "target_delimiter": definition.target_delimiter,
        "num_fewshot": definition.num_fewshot,
    }
    if definition.num_fewshot:
        examples = [dict(example) for example in definition.examples]
        config["fewshot_config"] = {"sampler": "first_n", "samples": examples}
    if definition.is_generation:
        extract = {"function": "regex", "regex_pattern": definition.pattern}
        return config | {
            "output_type": "generate_until",
            "doc_to_target": f"{{{{ {definition.target} }}}}",
            "generation_kwargs": {"until": list(definition.stop), "max_gen_toks": definition.max_tokens},
            "filter_list": [{"name": "extract", "filter": [extract, {"function": "take_first"}]}],
            "metric_list": [{"metric": "exact_match", **mean}],
        }
    return config | {
        "output_type": "multiple_choice",
        "doc_to_choice": definition.choices,
        "doc_to_target": definition.gold,
        "metric_list": [{"metric": metric, **mean} for metric in ("acc", "acc_norm")],
    }
