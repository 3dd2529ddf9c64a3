"""Gradients of pooling on NumPy arrays: allocate, and hand planes to the compiled kernels.

Everything here runs after the geometry has checked the call; nothing here raises for bad input.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _conv_cpu, _pool_cpu, _pool_gradient_cpu, _threads
from ._numpy import as_five, raw, untouched, whole

if TYPE_CHECKING:
    from ._geometry import Axis
    from ._geometry_pool import PoolGeometry

    Array = np.ndarray[Any, np.dtype[Any]]

ABSENT = -2  # a virtual position past the padding, where ceil_mode lets a window hang out
RING = 16  # rows that a thread keeps divided
MAXIMA = 1 << 17  # outputs whose maxima are looked up at a time: they share the caches
ADDS_PER_THREAD = 50_000  # below this a second thread costs more than it brings


class _Band(NamedTuple):
    """Some outputs of an axis, as an axis that starts with the first of them."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    mode: str
    out: int


class _Table(NamedTuple):
    """Who reads each position of an axis: what `gradient_axis` has."""

    readers: Array  # outputs, tap by tap, of one position after the other
    start: Array  # where those of each position start
    exists: Array  # taps of each output that exist
    inputs: Array  # those of them that are no padding
    pattern: tuple[int, int, int]  # from where on, how many times how many positions have readers
    # that move on by one
    even: bool  # whether all windows have as many taps


def max_pool_backward(
    geometry: PoolGeometry, grad_output: Array, input: Array, indices: Array | None
) -> tuple[Array, Array | None]:
    """Gradients for input and fill: each window's to its maximum, added in the windows' order."""
    axes = _three(geometry)
    outputs = math.prod(axis.out for axis in axes)
    gathered = _gathers(axes) and (indices is not None or outputs <= MAXIMA)
    grad_input, dx, padding = _arrays(geometry, input, np.empty if gathered else np.zeros)
    isa = _conv_cpu.get_instruction_set()
    for planes, index, upstream in (
        _searched(geometry, axes, grad_output, input)
        if indices is None
        else _given(geometry, grad_output, indices)
    ):
        upstream, threads = np.ascontiguousarray(upstream, dx.dtype), _threads_for(index.size)
        if gathered:
            _pool_gradient_cpu.place_small(axes[1:], index, upstream, dx[planes], threads, isa)
        else:
            _pool_gradient_cpu.place_maxima(index, upstream, dx[planes], threads)
        if geometry.fill_given:
            _pool_gradient_cpu.add_unplaced(index, upstream, padding[planes])
    return _finished(geometry, grad_input, padding if geometry.fill_given else None)


def avg_pool_backward(
    geometry: PoolGeometry, grad_output: Array, input: Array
) -> tuple[Array, Array | None]:
    """Gradients for input and fill: each element gathers from the windows that see it."""
    grad_input, dx, padding = _arrays(geometry, input, np.empty)
    axes = _three(geometry)
    tables = [_table(axis) for axis in axes]
    has_fill = geometry.count_pad and any(axis.mode == "constant" for axis in geometry.axes)
    divisor = float(geometry.divisor)
    if not divisor and geometry.count_pad and all(table.even for table in tables):
        divisor = math.prod(float(table.exists[0]) for table in tables)
    isa = _conv_cpu.get_instruction_set()
    threads = min(len(dx), _threads_for(grad_output.size * axes[0].kernel * axes[1].kernel)) or 1
    if divisor and dx.size and _tiles_in_pairs(axes):
        rows = np.ascontiguousarray(grad_output, dx.dtype).reshape(-1, axes[2].out)
        wide = dx.reshape(-1, axes[2].size)
        threads = min(threads, len(rows))
        _pool_gradient_cpu.spread_pairs(rows, wide, axes[1].kernel, divisor, threads, isa)
        return _finished(geometry, grad_input, padding if has_fill else None)
    work = np.empty((threads, (RING + 2) * axes[2].out), dx.dtype)
    held = np.empty((threads, RING), np.int64)
    # planes that lie ready are taken as they are, others an image at a time
    ready = grad_output.dtype == dx.dtype and grad_output.flags.c_contiguous
    step = max(1, len(dx)) if ready else geometry.channels
    for first in range(0, len(dx), step):
        planes = slice(first, first + step)
        upstream = grad_output
        if not ready:
            upstream = as_five(grad_output, geometry.batched)[first // step]
        _pool_gradient_cpu.spread_means(
            [table[:5] for table in tables],
            divisor,
            geometry.count_pad,
            has_fill,
            np.ascontiguousarray(upstream, dx.dtype).reshape(step, -1),
            dx[planes],
            padding[planes],
            work,
            held,
            isa,
        )
    return _finished(geometry, grad_input, padding if has_fill else None)


def _arrays(geometry: PoolGeometry, input: Array, make: Any) -> tuple[Array, Array, Array]:
    """The gradient for the input, its planes, and a sum of what falls on each one's padding."""
    compute = np.float64 if input.dtype == np.float64 else np.float32
    grad_input = make(input.shape, compute)
    planes = geometry.batch * geometry.channels
    size = math.prod(axis.size for axis in geometry.axes)
    return grad_input, grad_input.reshape(planes, size), np.zeros(planes)


def _simple(axis: Any) -> bool:
    """Whether no index map other than the identity is needed along an axis."""
    plain = axis.mode == "constant" or axis.before == axis.after == 0
    return bool(plain and axis.dilation == 1 and axis.before >= 0)


def _gathers(axes: tuple[Axis, ...]) -> bool:
    """Whether the elements of a plane may look for their windows: `gradient_plane`."""
    depth, height, width = axes
    return (
        untouched(depth)
        and depth.size == 1
        and _simple(height)
        and _simple(width)
        and height.kernel <= 8
        and width.kernel in (2, 3)
        and width.stride in (1, 2)
        and 0 < height.size * width.size <= 1 << 30
    )


def _tiles_in_pairs(axes: tuple[Axis, ...]) -> bool:
    """Whether windows, two wide, cover the planes side by side."""
    depth, height, width = axes
    return (
        untouched(depth)
        and width.kernel == 2
        and all(
            axis.before == axis.after == 0
            and (axis.dilation == 1 or axis.kernel == 1)
            and axis.kernel == axis.stride
            and axis.out * axis.stride == axis.size
            for axis in (height, width)
        )
    )


def _given(
    geometry: PoolGeometry, grad_output: Array, indices: Array
) -> Iterator[tuple[slice, Array, Array]]:
    """Planes with their indices and gradients: all that lie ready, others an image at a time."""
    planes = geometry.batch * geometry.channels
    if indices.flags.c_contiguous and grad_output.flags.c_contiguous:
        yield slice(planes), indices.reshape(planes, -1), grad_output.reshape(planes, -1)
        return
    index, dy = as_five(indices, geometry.batched), as_five(grad_output, geometry.batched)
    for image in range(geometry.batch):
        some = slice(image * geometry.channels, (image + 1) * geometry.channels)
        yield (
            some,
            np.ascontiguousarray(index[image]).reshape(geometry.channels, -1),
            dy[image].reshape(geometry.channels, -1),
        )


def _searched(
    geometry: PoolGeometry, axes: tuple[Axis, ...], grad_output: Array, input: Array
) -> Iterator[tuple[slice, Array, Array]]:
    """The same, with indices that are found again, some rows or planes at a time."""
    x, dy = as_five(input, geometry.batched), as_five(grad_output, geometry.batched)
    outputs = math.prod(axis.out for axis in axes)
    channels = min(geometry.channels, max(1, MAXIMA // outputs))
    outer = next((a for a, axis in enumerate(axes) if axis.out > 1), 2)
    rows = max(1, MAXIMA * axes[outer].out // (outputs * channels))
    for first in range(0, geometry.channels, channels):
        some = slice(first, min(first + channels, geometry.channels))
        for band, part in _bands(axes, outer, rows):
            find = _finder(geometry, x, some, band)
            where = (some, *(part if a == outer else slice(None) for a in range(3)))
            for image in range(geometry.batch):
                index = find(image)
                planes = slice(*(image * geometry.channels + c for c in (some.start, some.stop)))
                yield planes, index, dy[image][where].reshape(index.shape)


def _finished(
    geometry: PoolGeometry, grad_input: Array, padding: Array | None
) -> tuple[Array, Array | None]:
    with np.errstate(over="ignore"):
        gradient = grad_input.astype(geometry.dtype, copy=False)
        if padding is None:
            return gradient, None
        fill = padding.reshape(-1, geometry.channels).sum(axis=0)
        return gradient, np.asarray(fill if geometry.fill.ndim else fill.sum()).astype(
            geometry.dtype
        )


def _three(geometry: PoolGeometry) -> tuple[Axis, ...]:
    return (whole(1),) * (3 - len(geometry.axes)) + geometry.axes


def _threads_for(adds: int) -> int:
    return max(1, min(_threads.get_num_threads(), adds // ADDS_PER_THREAD))


def _bands(
    axes: tuple[Axis, ...], outer: int, rows: int
) -> Iterator[tuple[tuple[Any, ...], slice]]:
    """The axes for `rows` outputs of axis `outer` at a time, and which outputs those are."""
    axis = axes[outer]
    for first in range(0, axis.out, rows):
        part = slice(first, min(first + rows, axis.out))
        band = _Band(
            axis.size,
            axis.kernel,
            axis.stride,
            axis.dilation,
            axis.before - first * axis.stride,
            axis.after,
            axis.mode,
            part.stop - part.start,
        )
        yield (*axes[:outer], band, *axes[outer + 1 :]), part


def _finder(geometry: PoolGeometry, x: Array, some: slice, axes: tuple[Any, ...]) -> Any:
    """A function of the image: indices (channels, outputs) of the maxima of some channels."""
    name, channels = geometry.dtype.name, some.stop - some.start
    held = name in _pool_cpu.ELEMENTS.values()
    contiguous = x.strides[4] == x.itemsize and x.flags.aligned
    plan = _pool_cpu.PoolPlan(
        axes,
        1,
        channels,
        name,
        "max",
        True,
        0.0,
        True,
        geometry.fill_given,
        held and contiguous,
        held,
        _conv_cpu.get_instruction_set(),
        _threads.get_num_threads(),
    )
    shape = (1, channels, *(axis.out for axis in axes))
    values, index = np.empty(shape, geometry.dtype), np.empty(shape, np.int64)
    fill = geometry.fill[some] if geometry.fill.ndim else geometry.fill

    def find(image: int) -> Array:
        part = x[image : image + 1, some]
        plan.run(raw(part), fill.astype(plan.element), raw(values), index)
        return index.reshape(channels, -1)

    return find


@functools.lru_cache(maxsize=64)
def _table(axis: Axis) -> _Table:
    reach = (axis.out - 1) * axis.stride + axis.extent
    table = np.asarray(_conv_cpu.index_table(axis.size, axis.before, reach, axis.mode)).copy()
    table[axis.virtual :] = ABSENT
    taps = np.arange(axis.kernel) * axis.dilation
    positions = table[np.add.outer(np.arange(axis.out) * axis.stride, taps)]
    by_tap = positions.T.ravel()
    reading = np.flatnonzero(by_tap >= 0)
    reading = reading[np.argsort(by_tap[reading], kind="stable")]
    counts = np.bincount(by_tap[reading], minlength=axis.size)
    readers = np.append(reading % axis.out, 0).astype(np.int32)
    start = np.append(0, np.cumsum(counts)).astype(np.int32)
    exists = (positions > ABSENT).sum(axis=1, dtype=np.float64)
    inputs = (positions >= 0).sum(axis=1, dtype=np.float64)
    pattern = _pattern(readers, start, axis.stride)
    return _Table(readers, start, exists, inputs, pattern, bool(np.ptp(exists) == 0))


def _pattern(readers: Array, start: Array, step: int) -> tuple[int, int, int]:
    if step > 2:
        return 0, 0, step
    first, last = readers[start[:-1]], readers[np.maximum(start[1:], 1) - 1]
    counts = np.diff(start)
    alike = (counts > 0) & (first - last == counts - 1)
    moves = alike[:-step] & alike[step:] & (first[step:] - first[:-step] == 1)
    moves &= counts[step:] == counts[:-step]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], moves, [False]])))
    if not edges.size:
        return 0, 0, step
    begin, end = max(zip(edges[::2], edges[1::2], strict=True), key=lambda run: run[1] - run[0])
    if end - begin < step:  # the position between two that move on may not
        return 0, 0, step
    end += step
    if step == 2 and counts[begin] < counts[begin + 1]:
        begin += 1
    return int(begin), int((end - begin) // step), step
