"""What a scheme did to a run's weights, from the run's provenance, as its page draws it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evaluation.bit_maps import BitMap

BLOCK = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class BitsMap:
    """Bits per layer. columns: numbers of the blocks; rows: (kind of layer, bits in each block, None: it has none).

    text: the map as JSON, as `evaluation.bit_maps.read` takes it.
    """

    columns: list[str]
    rows: list[tuple[str, list[int | None]]]
    text: str


def bits_map(bits: Mapping[str, int], matrices: Sequence[Mapping[str, Any]] = ()) -> BitsMap:
    """Layers in their order; what stands in no numbered block has a column of its own. matrices: with their shapes."""
    places = {name: _place(name) for name in bits}
    columns = list(dict.fromkeys(block for block, _ in places.values()))
    kinds = list(dict.fromkeys(kind for _, kind in places.values()))
    found = {places[name]: value for name, value in bits.items()}
    rows = [(kind, [found.get((block, kind)) for block in columns]) for kind in kinds]
    shapes = {row["name"]: tuple(row["shape"]) for row in matrices if row["name"] in bits}
    whole = BitMap(bits, shapes if len(shapes) == len(bits) else {})
    return BitsMap(columns, rows, json.dumps(whole.to_json(), indent=1))


def _place(name: str) -> tuple[str, str]:
    """(number of the block, kind of layer): "h.3.attn.c_attn" is the kind "attn.c_attn" of block 3."""
    match = BLOCK.search(f".{name}")
    return (match.group(1), f".{name}"[match.end() :]) if match else ("—", name)


class SchemeFacts:
    """report: `evaluation.schemes.report.SchemeReport.to_dict` from a run's provenance."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.report = report

    @property
    def layers(self) -> list[Mapping[str, Any]]:
        """Weight matrices, the noisiest first; those that kept their values last."""
        rows = self.report.get("matrices", [])
        return sorted(rows, key=lambda row: (row["snr_db"] is None, row["snr_db"] or 0.0, row["name"]))

    @property
    def worst(self) -> Mapping[str, Any] | None:
        return next((row for row in self.layers if row["snr_db"] is not None), None)

    @cached_property
    def bits(self) -> BitsMap | None:
        """The map that a search found, if it was one for bits per layer."""
        found = self.report.get("search", {}).get("bits")
        return bits_map(found, self.report.get("matrices", ())) if isinstance(found, Mapping) and found else None


def scheme_facts(provenance: Mapping[str, Any]) -> SchemeFacts | None:
    """None where a run has no report: an endpoint, or a run from before there were any."""
    report = provenance.get("scheme_report")
    return SchemeFacts(report) if report else None


def searching(provenance: Mapping[str, Any]) -> BitsMap | None:
    """The map that a search has come to by now, while its run is under way."""
    bits = provenance.get("search", {}).get("bits")
    return bits_map(bits) if bits else None
