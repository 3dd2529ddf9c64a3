"""Pooling on NumPy arrays: allocate, and hand byte strides to the compiled kernels.

Everything here runs after the geometry has checked the call; nothing here raises for bad input.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu, _pool_cpu, _threads
from ._numpy import as_five, raw, whole

if TYPE_CHECKING:
    from ._geometry import Axis
    from ._geometry_pool import PoolGeometry

    Array = np.ndarray[Any, np.dtype[Any]]

ABSENT = -2  # a virtual position past the padding, where ceil_mode lets a window hang out


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


def max_pool_backward(
    geometry: PoolGeometry, grad_output: Array, input: Array
) -> tuple[Array, Array | None]:
    """Gradients for input and fill: each window's to its maximum, added in float64, in order."""
    index = pool(geometry, input, True)[1]
    assert index is not None
    rank = len(geometry.axes)
    lead = input.shape[:-rank]
    size = math.prod(input.shape[-rank:])
    grad_input = np.empty(input.shape, input.dtype)
    fill = np.zeros(geometry.channels)
    for at in np.ndindex(lead):
        places, values = index[at].ravel(), grad_output[at].ravel().astype(np.float64)
        padding = places < 0
        fill[at[-1]] += values[padding].sum()
        sums = np.bincount(places[~padding], values[~padding], size)
        with np.errstate(over="ignore"):
            grad_input[at] = sums.reshape(input.shape[-rank:]).astype(input.dtype)
    return grad_input, _fill_gradient(geometry, fill) if geometry.fill_given else None


def avg_pool_backward(
    geometry: PoolGeometry, grad_output: Array, input: Array
) -> tuple[Array, Array | None]:
    """Gradients for input and fill: the adjoint of summing, one axis after the other."""
    rank, axes = len(geometry.axes), geometry.axes
    compute = np.dtype(np.float64 if input.dtype == np.float64 else np.float32)
    sources = [_sources(axis) for axis in axes]
    existing = [_outer([(s > ABSENT).sum(axis=1) for s in sources])]
    existing.append(_outer([(s >= 0).sum(axis=1) for s in sources]))
    counted = existing[0 if geometry.count_pad else 1]
    with np.errstate(all="ignore"):
        gradient = grad_output.astype(compute)
        gradient /= geometry.divisor or counted.astype(compute)
        padding = (gradient * (existing[0] - existing[1])).reshape(
            -1, geometry.channels, counted.size
        )
        fill = padding.sum(axis=(0, 2), dtype=np.float64)
        for at, (axis, source) in enumerate(zip(axes, sources, strict=True), input.ndim - rank):
            gradient = _spread(gradient, at, axis.size, source)
        has_fill = geometry.count_pad and any(axis.mode == "constant" for axis in axes)
        return gradient.astype(input.dtype), _fill_gradient(geometry, fill) if has_fill else None


def _spread(gradient: Array, at: int, size: int, source: Array) -> Array:
    """Give each output's gradient to all elements of its windows along axis `at`, tap by tap."""
    shape = (*gradient.shape[:at], size, *gradient.shape[at + 1 :])
    spread = np.zeros(shape, gradient.dtype)
    before = (slice(None),) * at
    for taps in source.T:
        outputs = np.flatnonzero(taps >= 0)
        order = outputs[np.argsort(taps[outputs], kind="stable")]
        places, firsts = np.unique(taps[order], return_index=True)
        if places.size:
            # boundary modes read an element several times with one tap
            read: tuple[Any, ...] = (*before, order)
            written: tuple[Any, ...] = (*before, places)
            spread[written] += np.add.reduceat(gradient[read], firsts, axis=at)
    return spread


def _sources(axis: Axis) -> Array:
    """(out, kernel): the position that each tap reads, FILL or ABSENT."""
    reach = (axis.out - 1) * axis.stride + axis.extent
    table = np.asarray(_conv_cpu.index_table(axis.size, axis.before, reach, axis.mode)).copy()
    table[axis.virtual :] = ABSENT
    taps = np.arange(axis.kernel) * axis.dilation
    return table[np.add.outer(np.arange(axis.out) * axis.stride, taps)]


def _outer(factors: list[Array]) -> Array:
    """Products of one factor for each axis."""
    return functools.reduce(np.multiply.outer, factors)


def _fill_gradient(geometry: PoolGeometry, fill: Array) -> Array:
    summed = fill if geometry.fill.ndim else fill.sum()
    return np.asarray(summed).astype(geometry.dtype)
