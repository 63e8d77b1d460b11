"""The short fixed protocol by which contenders are measured, and what it finds: plain records that travel as JSON.

Every device reads the same prompts and writes as many tokens, so that numbers of one device and one version of the
protocol can be compared, and no others. What was not measured is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from evaluation.errors import NotEnoughData
from evaluation.runtime import Runtime

LOCAL, REMOTE = "local 1", "endpoint 1"  # versions of the protocol; a change of any number below makes a new one
PROMPTS = (32, 96, 512)  # tokens to read, as far as the context allows
USUAL = 96  # of them, what is read in batches and before anything is written
BATCHES = (1, 8)
WRITTEN = 24  # tokens after the prompt, fewer where a device is slow
REPEATS = 5  # after one pass to warm up
SECONDS = 10.0  # for all passes together
PREFILL, DECODE = "prefill", "decode"


@dataclass(frozen=True, slots=True)
class Spread:
    """Of n repeats: the middle one, and the ends."""

    median: float
    least: float
    most: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """values: at least one."""
        return cls(median(values), min(values), max(values), len(values))


@dataclass(frozen=True, slots=True)
class Pace:
    """Tokens per second of all rows together, reading (`prefill`) or writing (`decode`) after `prompt` tokens."""

    phase: str
    batch: int
    prompt: int
    rate: Spread


@dataclass(frozen=True, slots=True)
class Efficiency:
    """What the protocol found of one contender.

    to_first: seconds from a prompt of `USUAL` tokens to the first token, alone. weights_bytes: held by the module.
    device_peak_bytes, host_peak_bytes: weights on it, and what computing took beside them; the host's, above what the
    process held before. load_seconds: reading the checkpoint; apply_seconds: the scheme. joules: per thousand tokens
    written in the largest batch, by the GPU's own counter. kernel: what multiplied, with its versions.
    versions: of the libraries. left_out: what was not measured, and why. seconds: that measuring took.
    """

    protocol: str
    kernel: str
    emulated: bool
    paces: tuple[Pace, ...]
    to_first: Spread | None = None
    weights_bytes: int | None = None
    device_peak_bytes: int | None = None
    host_peak_bytes: int | None = None
    load_seconds: float | None = None
    apply_seconds: float | None = None
    joules: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0

    def rate(self, phase: str, *, batch: int = 1, prompt: int = USUAL) -> Spread | None:
        """Tokens per second, where it was measured."""
        found = (pace.rate for pace in self.paces if (pace.phase, pace.batch, pace.prompt) == (phase, batch, prompt))
        return next(found, None)

    @property
    def reading(self) -> Spread | None:
        """Tokens per second of one usual prompt."""
        return self.rate(PREFILL)

    @property
    def writing(self) -> Spread | None:
        """Tokens per second of one answer."""
        return self.rate(DECODE)

    @property
    def together(self) -> Spread | None:
        """Tokens per second of the largest batch of answers."""
        return self.rate(DECODE, batch=BATCHES[-1])

    @property
    def peak_bytes(self) -> int | None:
        """Of the device that computes: the GPU's where there is one."""
        return self.host_peak_bytes if self.device_peak_bytes is None else self.device_peak_bytes

    @property
    def runtime(self) -> Runtime:
        """For idealized times: seconds to read each prompt, and per token written, one request at a time.

        Raises NotEnoughData where one of them was not measured.
        """
        alone = [pace for pace in self.paces if pace.batch == 1 and pace.rate.median > 0]
        writing = next((pace.rate.median for pace in alone if pace.phase == DECODE), None)
        encode = {pace.prompt: pace.prompt / pace.rate.median for pace in alone if pace.phase == PREFILL}
        if writing is None or not encode:
            raise NotEnoughData("Reading and writing, one request at a time, were not both measured.", field="paces")
        return Runtime(encode, 1 / writing)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Efficiency:
        """What `to_dict` wrote, by way of JSON."""
        paces = tuple(Pace(**{**pace, "rate": Spread(**pace["rate"])}) for pace in found["paces"])
        first = found["to_first"] and Spread(**found["to_first"])
        return cls(**{**found, "paces": paces, "to_first": first, "left_out": tuple(found["left_out"])})
