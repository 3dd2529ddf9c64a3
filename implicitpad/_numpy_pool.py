"""Pooling on NumPy arrays: allocate, and hand byte strides to the compiled kernels.

Everything here runs after the geometry has checked the call; nothing here raises for bad input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu, _pool_cpu, _threads
from ._numpy import as_five, raw, whole

if TYPE_CHECKING:
    from ._pool_geometry import PoolGeometry

    Array = np.ndarray[Any, np.dtype[Any]]


def pool(geometry: PoolGeometry, input: Array, indices: bool) -> tuple[Array, Array | None]:
    """See `_numpy.pool`. Workspace: a few rows for each thread, whatever the padding."""
    out = np.empty(geometry.out_shape, geometry.dtype)
    index = np.empty(geometry.out_shape, np.int64) if indices else None
    if out.size == 0:
        return out, index
    x, y = as_five(input, geometry.batched), as_five(out, geometry.batched)
    axes: tuple[Any, ...] = (whole(1),) * (3 - len(geometry.axes)) + geometry.axes
    plan = _pool_cpu.PoolPlan(
        axes,
        geometry.batch,
        geometry.channels,
        geometry.dtype.name,
        geometry.operation,
        indices,
        float(geometry.divisor),
        geometry.count_pad,
        geometry.fill_given,
        _conv_cpu.get_instruction_set(),
        _threads.get_num_threads(),
    )
    held = plan.element == geometry.dtype.name  # elements are computed with as they are stored
    plan.run(
        raw(x),
        geometry.fill.astype(plan.element),
        raw(y),
        None if index is None else as_five(index, geometry.batched),
        held and x.strides[4] == x.itemsize and x.flags.aligned,
        held,
    )
    return out, index
