"""Pooling on NumPy arrays: allocate, and hand byte strides to the compiled kernels.

Everything here runs after the geometry has checked the call; nothing here raises for bad input.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu, _pool_cpu, _threads
from ._numpy import as_five, raw, whole

if TYPE_CHECKING:
    from ._geometry_pool import PoolGeometry

    Array = np.ndarray[Any, np.dtype[Any]]


def pool(geometry: PoolGeometry, input: Array, indices: bool) -> tuple[Array, Array | None]:
    """See `_numpy.pool`. Workspace: a few rows for each thread, whatever the padding."""
    plan, fill, shape = _plan(
        geometry,
        indices,
        input.strides[-1] == input.itemsize and input.flags.aligned,
        _conv_cpu.get_instruction_set(),
        _threads.get_num_threads(),
    )
    out = np.empty(shape, geometry.dtype)
    index = np.empty(shape, np.int64) if indices else None
    x, y = as_five(input, geometry.batched), as_five(out, geometry.batched)
    plan.run(
        raw(x),
        fill,
        raw(y),
        None if index is None else as_five(index, geometry.batched),
    )
    return out, index


# Geometries compare by identity.
@functools.lru_cache(maxsize=32)
def _plan(
    geometry: PoolGeometry, indices: bool, contiguous: bool, instruction_set: str, threads: int
) -> tuple[Any, Array, tuple[int, ...]]:
    """The plan, the fill as its kernels take it, and the shape of the result."""
    # elements are computed with as they are stored
    held = geometry.dtype.name in _pool_cpu.ELEMENTS.values()
    plan = _pool_cpu.PoolPlan(
        (whole(1),) * (3 - len(geometry.axes)) + geometry.axes,
        geometry.batch,
        geometry.channels,
        geometry.dtype.name,
        geometry.operation,
        indices,
        float(geometry.divisor),
        geometry.count_pad,
        geometry.fill_given,
        held and contiguous,
        held,
        instruction_set,
        threads,
    )
    return plan, geometry.fill.astype(plan.element), geometry.out_shape
