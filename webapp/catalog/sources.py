"""From what a person typed to the fields of an immutable entry version: checked, hashed, described."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from evaluation import checkpoints, endpoints
from evaluation.errors import EvaluationError
from webapp.catalog.models import EntryVersion, Source
from webapp.errors import Unprocessable

# Hashing reads every byte: larger weights are hashed by the first worker that loads them.
HASH_IN_WEB_BYTES = 256 * 2**20
COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class SourceRequest:
    """Where the weights are, as typed. `api_key` never reaches a log, an audit event or a page."""

    source: str
    location: str
    revision: str = ""
    endpoint_model: str = ""
    endpoint_style: str = ""
    tokenizer: str = ""
    api_key: str = field(default="", repr=False)


def resolve(request: SourceRequest) -> dict[str, Any]:
    """Fields of an EntryVersion without entry, number and key. Raises Unprocessable that names field and remedy."""
    check = {Source.DIRECTORY: _directory, Source.HUB: _hub, Source.ENDPOINT: _endpoint}.get(Source(request.source))
    if check is None:
        raise Unprocessable(f"{request.source} is not a source.", field="source")
    fields = {"source": request.source, **check(request)}
    identity = {k: v for k, v in fields.items() if k not in {"parameters", "size_bytes", "architecture"}}
    fields["fingerprint"] = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return fields


def allowed_directory(location: str, name: str = "location") -> Path:
    """The real path, which must lie below an allowed root: `..` and links do not lead out."""
    path = Path(location)
    roots = ", ".join(str(root) for root in settings.MODEL_ROOTS)
    if not path.is_absolute():
        raise Unprocessable("The path is not absolute.", field=name, remedy=f"Give a folder below {roots}.")
    real = path.resolve()
    if not any(real.is_relative_to(root) for root in settings.MODEL_ROOTS):
        raise Unprocessable(
            "This folder is outside the allowed roots.",
            field=name,
            remedy=f"Put the checkpoint below {roots}, or ask the operator to extend CROSSTABLE_MODEL_ROOTS.",
        )
    if not real.is_dir():
        raise Unprocessable(f"There is no folder {real}.", field=name, remedy="Check the path on the server.")
    return real


def folder_of(version: EntryVersion) -> str:
    """The folder of the hosts that it needs; "" where it needs none."""
    folders = {Source.DIRECTORY.value: version.location, Source.ENDPOINT.value: version.tokenizer}
    return folders.get(version.source, "")


def roots_above(folder: str) -> list[Path]:
    """The allowed roots below which the folder begins, wherever links further down lead."""
    return [root for root in settings.MODEL_ROOTS if _begins_below(Path(folder), root)]


def _begins_below(path: Path, root: Path) -> bool:
    """A root may have become a link since the path was noted."""
    return path.is_relative_to(root) or any(
        Path(os.path.realpath(place)).is_relative_to(root) for place in (path, *path.parents)
    )


def refuse_outside(versions: Iterable[EntryVersion], *, field: str) -> None:
    """Raises Unprocessable for what was registered below a root that is allowed no longer. Workers would take it for
    their own mistake."""
    for version in versions:
        folder = folder_of(version)
        if folder and not any(_begins_below(Path(folder), root) for root in settings.MODEL_ROOTS):
            raise Unprocessable(
                f"{version}: {folder} is outside the allowed roots by now.",
                field=field,
                remedy="Register it anew where it lies now, or ask the operator to extend CROSSTABLE_MODEL_ROOTS.",
            )


def _directory(request: SourceRequest) -> dict[str, Any]:
    path = allowed_directory(request.location)
    try:
        found = checkpoints.describe(path)
        small = found.bytes <= HASH_IN_WEB_BYTES
        weights_hash = checkpoints.weights_hash(path) if small else ""
        tokenizer_hash, template_hash = checkpoints.tokenizer_hash(path), checkpoints.chat_template_hash(path)
    except EvaluationError as error:
        raise Unprocessable(error.message, field="location", remedy=error.remedy) from error
    return {
        "location": str(path),
        "weights_hash": weights_hash,
        "tokenizer_hash": tokenizer_hash,
        "chat_template_hash": template_hash,
        "architecture": found.architecture,
        "parameters": found.parameters,
        "size_bytes": found.bytes,
    }


def _hub(request: SourceRequest) -> dict[str, Any]:
    if not REPOSITORY.fullmatch(request.location):
        raise Unprocessable("This is not a repository id.", field="location", remedy="Write it as owner/name.")
    if not COMMIT.fullmatch(request.revision):
        raise Unprocessable(
            "A hub repository must be pinned.",
            field="revision",
            remedy="Give the full 40-character commit hash: a branch or tag can move.",
        )
    return {"location": request.location, "revision": request.revision}


def _endpoint(request: SourceRequest) -> dict[str, Any]:
    try:
        endpoints.check_url(request.location, tuple(settings.ALLOWED_NETWORKS))
    except EvaluationError as error:
        raise Unprocessable(error.message, field="location", remedy=error.remedy) from error
    if not request.endpoint_model:
        raise Unprocessable("Which model of the endpoint?", field="endpoint_model", remedy="Give its name there.")
    style = request.endpoint_style or "completions"
    if style not in {"completions", "chat"}:
        raise Unprocessable(f"{style} is not a style.", field="endpoint_style", remedy="Use completions or chat.")
    tokenizer = str(allowed_directory(request.tokenizer, "tokenizer")) if request.tokenizer else ""
    return {
        "location": request.location.rstrip("/"),
        "endpoint_model": request.endpoint_model,
        "endpoint_style": style,
        "tokenizer": tokenizer,
    }


def for_audit(request: SourceRequest) -> dict[str, Any]:
    return {key: value for key, value in asdict(request).items() if value and key != "api_key"}
