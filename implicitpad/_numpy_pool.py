"""Pooling on NumPy arrays: allocate, and hand byte strides to the compiled kernels.

Everything here runs after the geometry has checked the call; nothing here raises for bad input.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu, _pool_cpu, _threads
from ._geometry import Axis
from ._numpy import as_five, raw, untouched, whole

if TYPE_CHECKING:
    from ._geometry_pool import PoolGeometry

    Array = np.ndarray[Any, np.dtype[Any]]


MOST_ROWS = 1 << 17  # of a stack of planes: its tables have a few bytes for each


def pool(geometry: PoolGeometry, input: Array, indices: bool) -> tuple[Array, Array | None]:
    """See `_numpy.pool`. Workspace: a few rows for each thread, whatever the padding."""
    plan, fill, shape, tall = _plan(
        geometry,
        indices,
        input.flags.aligned and input.strides[-1] == input.itemsize,
        input.flags.c_contiguous,
        _conv_cpu.get_instruction_set(),
        _threads.get_num_threads(),
    )
    out = np.empty(shape, geometry.dtype)
    index = np.empty(shape, np.int64) if indices else None
    if tall:
        x, y = (a.reshape(1, 1, 1, math.prod(a.shape[:-1]), a.shape[-1]) for a in (input, out))
    else:
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
    geometry: PoolGeometry,
    indices: bool,
    side_by_side: bool,
    contiguous: bool,
    instruction_set: str,
    threads: int,
) -> tuple[Any, Array, tuple[int, ...], bool]:
    """Plan, fill as its kernels take it, shape of the result, whether planes are one tall plane."""
    axes: tuple[Any, ...] = (whole(1),) * (3 - len(geometry.axes)) + geometry.axes
    planes = (geometry.batch, geometry.channels)
    height, rows = axes[1], math.prod(planes) * axes[0].size * axes[1].size
    tall = contiguous and not indices and geometry.fill.ndim == 0 and 0 < rows <= MOST_ROWS
    tall = tall and _stack(axes)
    if tall:
        axes = (
            whole(1),
            Axis(rows, height.kernel, height.stride, height.dilation, 0, 0, "constant"),
            axes[2],
        )
        planes = (1, 1)
    # elements are computed with as they are stored
    held = geometry.dtype.name in _pool_cpu.ELEMENTS.values()
    plan = _pool_cpu.PoolPlan(
        axes,
        *planes,
        geometry.dtype.name,
        geometry.operation,
        indices,
        float(geometry.divisor),
        geometry.count_pad,
        geometry.fill_given,
        held and side_by_side,
        held,
        instruction_set,
        threads,
    )
    return plan, geometry.fill.astype(plan.element), geometry.out_shape, tall


def _stack(axes: tuple[Axis, ...]) -> bool:
    """Whether small planes side by side may be one tall plane: windows stay in their own."""
    depth, height, width = axes
    return (
        untouched(depth)
        and height.before == height.after == 0
        and height.extent <= height.stride
        and height.out * height.stride == height.size
        and height.out * width.out < 4096  # a larger plane has as little to share
    )
