"""What a scheme did to a module, for the run's provenance: plain values that JSON takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from evaluation.schemes.record import Matrix


@dataclass(frozen=True, slots=True)
class SchemeReport:
    """matrices: the weight matrices of the scheme; share_changed: of all parameters, tied ones counted once.

    bits: mean nominal bits per weight of these matrices, scales included; of all weights for a reference.
    nominal_bytes: the whole model in the format, with 16 bits for what stays as it is. bytes_in_memory: really held
    by this worker. bytes_on_disk: of the weight files that were read.
    kept: parameters of two dimensions that stayed as they were. emulated: the numbers are the format's, memory and
    speed are not. calibration: name and hash, empty where none was used. search: what a search found.
    """

    scheme: str
    family: str
    bits: float
    parameters: int
    share_changed: float
    nominal_bytes: int
    bytes_in_memory: int
    bytes_on_disk: int
    matrices: tuple[Matrix, ...] = ()
    kept: tuple[str, ...] = ()
    emulated: bool = False
    seed: int = 0
    calibration: str = ""
    calibration_hash: str = ""
    notes: tuple[str, ...] = ()
    search: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """Number of matrices with another value than before."""
        return sum(matrix.changed for matrix in self.matrices)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"changed": self.changed}
