"""Whole planes of NumPy arrays: their mean and maximum, and means of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def global_pool(operation: str, x: Array) -> Array:
    """See `_numpy.global_pool`. Means are summed in float64 and rounded once."""
    space = tuple(range(2, x.ndim))
    with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are values
        if operation == "max":
            return np.asarray(x.max(axis=space))
        return np.asarray(x.mean(axis=space, dtype=np.float64)).astype(x.dtype)


def adaptive_mean(x: Array, sizes: tuple[int, ...]) -> Array:
    """See `_numpy.adaptive_mean`: one axis after the other."""
    found = x.astype(np.float64 if x.dtype == np.float64 else np.float32)
    with np.errstate(all="ignore"):
        for at, m in enumerate(sizes, x.ndim - len(sizes)):
            found = _average_parts(found, at, m)
        return found.astype(x.dtype)


def _average_parts(x: Array, at: int, m: int) -> Array:
    """Means of m parts of axis `at`: the k-th elements of all parts at a time."""
    n = x.shape[at]
    part = np.arange(m)
    starts, stops = part * n // m, -(-(part + 1) * n // m)
    before = (slice(None),) * at
    sums = np.take(x, starts, axis=at)
    for k in range(1, int((stops - starts).max())):
        longer = np.flatnonzero(starts + k < stops)
        where: tuple[Any, ...] = (*before, longer)
        sums[where] += np.take(x, starts[longer] + k, axis=at)
    sums /= (stops - starts).astype(x.dtype).reshape(-1, *(1,) * (x.ndim - at - 1))
    return sums
