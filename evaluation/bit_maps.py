"""Maps of bits per layer, as EvoPress finds them: read from a file, checked, hashed, written again.

A file is either plain, `{"model.layers.0.mlp.up_proj": 3, ...}`, or whole: `{"average_bits": 3.0, "layers": {NAME:
{"bits": 3, "shape": [128, 64]}, ...}}`. What a whole one says of shapes and of the average is a promise that is checked
again where the weights are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any

from evaluation.errors import BadParameter

LEVELS = (2, 3, 4, 5, 6)  # bits that a layer can have
MOST_LAYERS = 20_000
LONGEST_NAME = 300
FIELD = "bits"
PLAIN = 'Give {"layer": bits, ...}, or what a run’s page offers for download.'
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class BitMap:
    """bits: of each layer. shapes: of all of them, or none where the file has none. average: promised, if it says."""

    bits: Mapping[str, int]
    shapes: Shapes = field(default_factory=dict)
    average: Fraction | None = None

    @property
    def hash(self) -> str:
        """sha256 of the layers and their bits, whatever their order and whatever else the file says."""
        return hashlib.sha256(json.dumps(dict(sorted(self.bits.items()))).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As a file has it: plain where shapes are not known."""
        if not self.shapes:
            return dict(self.bits)
        layers = {name: {"bits": bits, "shape": list(self.shapes[name])} for name, bits in self.bits.items()}
        return {"average_bits": float(average(self.bits, sizes_of(self.shapes))), "layers": layers}

    def check(self, shapes: Shapes) -> None:
        """Raises BadParameter, naming the field, where the map is not one for layers of these shapes."""
        odd = sorted(shapes.keys() ^ self.bits.keys())
        if odd:
            found, other = ("does not name", "has") if odd[0] in shapes else ("names", "does not have")
            alike = [name for name in odd if (name in shapes) == (odd[0] in shapes)]
            raise _wrong(f"{found} {listed(alike)}, which the model {other}", FIELD)
        for name, shape in self.shapes.items():
            if shape != shapes[name]:
                raise _wrong(
                    f"holds {name} with the shape {_text(shape)}; the model’s is {_text(shapes[name])}", "shape"
                )
        self._check_average(shapes)

    def _check_average(self, shapes: Shapes) -> None:
        found = average(self.bits, sizes_of(shapes))
        if self.average is not None and abs(found - self.average) > Fraction(1, 10**6):
            promised, exact = float(self.average), float(found)
            raise _wrong(f"promises {promised:g} bits on average and spends {exact:.6g}", "average_bits")


def read(found: Any) -> BitMap:
    """The map of a file's JSON. Raises BadParameter, naming the field."""
    if not isinstance(found, Mapping) or not found:
        raise _wrong("must be a JSON object that names layers", FIELD)
    whole = "layers" in found and isinstance(found["layers"], Mapping)
    rows = found["layers"] if whole else found
    if len(rows) > MOST_LAYERS:
        raise _wrong(f"names {len(rows):,} layers; {MOST_LAYERS:,} are possible", FIELD)
    bits = {name: _bits(name, row["bits"] if _is_whole(row) else row) for name, row in rows.items()}
    shapes = {name: _shape(name, row["shape"]) for name, row in rows.items() if _is_whole(row) and "shape" in row}
    if shapes and len(shapes) < len(bits):
        missing = next(name for name in bits if name not in shapes)
        raise _wrong(f"gives a shape for some layers and none for {missing}", "shape")
    made = BitMap(bits, shapes, _average(found["average_bits"]) if whole and "average_bits" in found else None)
    if shapes:
        made.check(shapes)  # its own promise, before anything is loaded
    return made


def average(bits: Mapping[str, int], sizes: Mapping[str, int]) -> Fraction:
    """Mean bits per weight, exactly; sizes: weights of each layer."""
    return Fraction(sum(bits[name] * size for name, size in sizes.items()), sum(sizes.values()))


def listed(names: Sequence[str], shown: int = 3) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")


def sizes_of(shapes: Shapes) -> dict[str, int]:
    """Weights of each layer."""
    return {name: prod(shape) for name, shape in shapes.items()}


def _is_whole(row: Any) -> bool:
    return isinstance(row, Mapping) and "bits" in row


def _bits(name: Any, value: Any) -> int:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise _wrong(f"has a layer whose name is empty, not printable or longer than {LONGEST_NAME}", FIELD)
    if type(value) is not int or value not in LEVELS:
        raise _wrong(f"gives {name} {json.dumps(value)[:40]} bits; {LEVELS[0]} to {LEVELS[-1]} are possible", FIELD)
    return value


def _shape(name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != 2 or not all(type(one) is int and one > 0 for one in value):
        raise _wrong(f"gives {name} the shape {json.dumps(value)[:40]}; two positive whole numbers are meant", "shape")
    return tuple(value)


def _average(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEVELS[0] <= value <= LEVELS[-1]:
        raise _wrong(f"promises {json.dumps(value)[:40]} bits on average", "average_bits")
    return Fraction(value)


def _text(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _wrong(what: str, name: str) -> BadParameter:
    return BadParameter(f"The map of bits {what}.", field=name, remedy=PLAIN)
