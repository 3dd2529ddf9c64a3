"""Whole planes of NumPy arrays: their mean and maximum, and means of their parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import _conv_cpu, _pool_cpu, _threads
from ._numpy import raw

Array = np.ndarray[Any, np.dtype[Any]]

ELEMENTS_PER_THREAD = 500_000  # below this a second thread costs more than it brings


def global_pool(operation: str, x: Array) -> Array:
    """See `_numpy.global_pool`. Each plane is reduced by one thread, in one order."""
    held = _pool_cpu.ELEMENTS[_pool_cpu.STORAGE[x.dtype.name][1]]
    out = np.empty(x.shape[:2], np.float64 if operation == "mean" else held)
    planes, in_place = _planes(x, held)
    if out.size:
        _pool_cpu.reduce_planes(
            raw(planes),
            out.reshape(-1).view(np.int8),
            x.dtype.name,
            operation,
            in_place,
            _conv_cpu.get_instruction_set(),
            _threads_for(x.size),
        )
    return out.astype(x.dtype, copy=False)


def adaptive_mean(x: Array, sizes: tuple[int, ...]) -> Array:
    """See `_numpy.adaptive_mean`: one axis after the other."""
    rank = len(sizes)
    held = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    out = np.empty((*x.shape[:-rank], *sizes), held)
    planes, in_place = _planes(x if x.ndim == rank + 2 else x[None], held.name, False)
    if out.size:
        _pool_cpu.average_parts(
            raw(planes),
            out.reshape(-1, math.prod(sizes)),
            (1,) * (3 - rank) + sizes,
            x.dtype.name,
            in_place,
            _conv_cpu.get_instruction_set(),
            _threads_for(x.size),
        )
    return out.astype(x.dtype, copy=False)


def _planes(x: Array, held: str, merge: bool = True) -> tuple[Array, bool]:
    """x as (N, C, D, H, W), and whether its rows hold elements side by side.

    `merge`: where planes are contiguous, or have too many axes, each becomes one row.
    """
    if merge and x.flags.c_contiguous:
        x = x.reshape(1, x.shape[0] * x.shape[1], math.prod(x.shape[2:]))
    elif merge and x.ndim > 5:
        x = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    x = x.reshape(*x.shape[:2], *(1,) * (5 - x.ndim), *x.shape[2:])
    in_place = x.dtype.name == held and x.flags.aligned and x.strides[-1] == x.itemsize
    return x, in_place


def _threads_for(elements: int) -> int:
    return max(1, min(_threads.get_num_threads(), elements // ELEMENTS_PER_THREAD))
