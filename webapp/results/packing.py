"""A run's scores as one array in one row: a table of contenders x samples loads in one pass."""

from __future__ import annotations

import numpy as np

HOLE = 255


def pack(values: np.ndarray) -> tuple[str, bytes]:
    """Scores (float, NaN = hole) as (dtype, little-endian bytes): one byte each where all are 0 or 1."""
    holes = np.isnan(values)
    if np.isin(values[~holes], (0.0, 1.0)).all():
        return "u1", np.where(holes, HOLE, np.nan_to_num(values)).astype("u1").tobytes()
    return "f8", values.astype("<f8").tobytes()


def unpack(dtype: str, data: bytes) -> np.ndarray:
    raw = np.frombuffer(data, dtype="u1" if dtype == "u1" else "<f8")
    return np.where(raw == HOLE, np.nan, raw.astype(float)) if dtype == "u1" else raw
