"""Idealized runtime: what an answer would take on stated hardware, without queues, noise and other people's batches.

T = encode(prompt tokens) + r (output tokens - 1) + overhead, after "Cheaply Estimating Inference Efficiency Metrics for
Autoregressive Transformer Models" (arXiv 2305.02440). Times in seconds, tokens as counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tables import Floats


@dataclass(frozen=True)
class Runtime:
    """How long one contender takes on one device.

    encode: measured seconds to read a prompt, by its number of tokens. per_token: r. overhead: seconds per request.
    """

    encode: Mapping[int, float]
    per_token: float
    overhead: float = 0.0

    def __post_init__(self) -> None:
        if not self.encode or min(self.encode) < 1 or min(self.encode.values()) < 0:
            raise BadParameter("Prompts of at least one token, read in no negative time.", field="encode")
        if self.per_token < 0 or self.overhead < 0:
            raise BadParameter("A time is not negative.", field="per_token")

    def encoding(self, prompt_tokens: ArrayLike) -> Floats:
        """Seconds to read prompts: the smallest measured length that holds one, in proportion; beyond the last, too."""
        p = np.asarray(prompt_tokens, dtype=np.float64)
        lengths = np.array(sorted(self.encode), dtype=np.float64)
        seconds = np.array([self.encode[int(length)] for length in lengths])
        at = np.minimum(np.searchsorted(lengths, p), lengths.size - 1)
        return np.asarray(seconds[at] * p / lengths[at])

    def seconds(self, prompt_tokens: ArrayLike, output_tokens: ArrayLike) -> Floats:
        """Idealized seconds of answers. The first output token comes with the prompt."""
        after_first = np.maximum(np.asarray(output_tokens, dtype=np.float64) - 1, 0.0)
        return np.asarray(self.encoding(prompt_tokens) + self.per_token * after_first + self.overhead)

    def cost_usd(self, prompt_tokens: ArrayLike, output_tokens: ArrayLike, hour_usd: float) -> Floats:
        """Idealized cost at the price of a device hour."""
        return np.asarray(self.seconds(prompt_tokens, output_tokens) * hour_usd / 3600)


@dataclass(frozen=True)
class Fitted:
    """Least squares of seconds on tokens: overhead + read * prompt tokens + write * (output tokens - 1).

    All in seconds (per token); spread: standard deviation of what the fit leaves over; n: answers it was fitted on.
    """

    overhead: float
    read: float
    write: float
    spread: float
    n: int

    @property
    def tokens_per_second(self) -> float:
        """1 / r; infinite where writing took no measurable time."""
        return 1 / self.write if self.write > 0 else float("inf")

    def seconds(self, prompt_tokens: ArrayLike, output_tokens: ArrayLike) -> Floats:
        """Denoised seconds: what the fit says of answers of this size."""
        after_first = np.maximum(np.asarray(output_tokens, dtype=np.float64) - 1, 0.0)
        return np.asarray(self.overhead + self.read * np.asarray(prompt_tokens) + self.write * after_first)


def fit_runtime(prompt_tokens: ArrayLike, output_tokens: ArrayLike, seconds: ArrayLike) -> Fitted:
    """Fit on measured answers; no coefficient below 0, for nothing takes negative time. Holes (NaN) are left out.

    Raises NotEnoughData below four answers, and where all prompts, or all outputs, have one length.
    """
    from scipy.optimize import nnls

    p, o, t = (np.asarray(values, dtype=np.float64) for values in (prompt_tokens, output_tokens, seconds))
    known = ~(np.isnan(p) | np.isnan(o) | np.isnan(t))
    p, o, t = p[known], o[known], t[known]
    if t.size < 4:
        raise NotEnoughData(f"{t.size} measured answers; a runtime needs at least four.", field="seconds")
    if p.min() == p.max() or o.min() == o.max():
        raise NotEnoughData("Answers of one length tell no time per token.", field="tokens")
    design = np.column_stack([np.ones(t.size), p, np.maximum(o - 1, 0.0)])
    scale = np.maximum(np.abs(design).max(axis=0), 1.0)
    found, _ = nnls(design / scale, t)
    overhead, read, write = (found / scale).tolist()
    left = t - design @ (found / scale)
    spread = float(np.sqrt((left**2).sum() / (t.size - 3)))
    return Fitted(overhead, read, write, spread, t.size)
