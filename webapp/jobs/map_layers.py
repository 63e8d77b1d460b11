"""Whether a map of bits names the layers of an entry, as far as that can be known before a worker loads its weights.

A run that used or found a map knows the layers. Without one, the headers of a checkpoint in reach name its matrices;
but a model may call its layers otherwise than its files do, so a map of which no name is known is left to the worker.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from evaluation import checkpoints
from evaluation.bit_maps import BitMap, listed
from evaluation.errors import EvaluationError
from webapp.catalog.models import EntryVersion, Source
from webapp.errors import Unprocessable
from webapp.jobs.models import Run

FOUND = "provenance__scheme_report__search__bits"


def check_layers(version: EntryVersion, given: BitMap) -> None:
    """Raises Unprocessable for a map that names a layer which the entry does not have, or leaves one out."""
    names = _of_runs(version)
    if names:
        _refuse(version, "names", sorted(given.bits.keys() - names), "does not have")
        _refuse(version, "does not name", sorted(names - given.bits.keys()), "has")
        return
    matrices = _of_files(version)
    unknown = [name for name in sorted(given.bits) if not _is_among(name, matrices)]
    if len(unknown) < len(given.bits):
        _refuse(version, "names", unknown, "does not have")


def _of_runs(version: EntryVersion) -> frozenset[str]:
    done = Run.objects.filter(contender__version=version, state=Run.State.DONE, origin=Run.Origin.HERE)
    known = done.filter(**{f"{FOUND}__isnull": False}).order_by("-pk").values_list(FOUND, flat=True).first()
    return frozenset(known or ())


def _of_files(version: EntryVersion) -> frozenset[str]:
    """Nothing where the checkpoint is out of reach: the workers may have folders that the web does not see."""
    if version.source != Source.DIRECTORY or not Path(version.location).is_dir():
        return frozenset()
    try:
        return checkpoints.matrices(version.location)
    except EvaluationError:  # the run will say what is wrong with the checkpoint
        return frozenset()


def _is_among(name: str, matrices: Collection[str]) -> bool:
    """Whatever stands before it: `transformer.h.0.attn` in a model is often `h.0.attn` in its file."""
    return any(one == name or one.endswith(f".{name}") or name.endswith(f".{one}") for one in matrices)


def _refuse(version: EntryVersion, verb: str, names: Sequence[str], other: str) -> None:
    if names:
        problem = f"The map of bits {verb} {listed(names)}, which {version} {other}."
        raise Unprocessable(problem, field="bits", remedy="Give the map of a searched run of this very entry.")
