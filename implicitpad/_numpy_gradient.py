"""Gradients of convolutions with NumPy arrays."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu, _fold_cpu, _gradient_cpu, _gradient_planes_cpu, _threads
from ._geometry_transpose import TransposeAxis, TransposeGeometry
from ._numpy import as_five, merge_rows, raw, untouched, whole
from ._numpy_transpose import conv_transpose

if TYPE_CHECKING:
    from ._geometry import Axis, ConvGeometry

    Array = np.ndarray[Any, np.dtype[Any]]

_CHUNK_BYTES = (
    8 << 20
)  # of the gradient on virtual positions, before it is folded onto their sources


def conv_backward(
    geometry: ConvGeometry, grad_output: Array, input: Array, weight: Array, needs: Collection[str]
) -> tuple[Array | None, Array | None, Array | None, Array | None]:
    """Gradients for input, weight, bias and fill; None for those that `needs` does not name."""
    grad_input = _grad_input(geometry, grad_output, weight) if "input" in needs else None
    constant = [axis for axis in geometry.axes if axis.mode == "constant"]
    padded = any(axis.before > 0 or axis.after > 0 for axis in constant)
    grad_weight = grad_bias = grad_fill = None
    sums = functools.cache(lambda: _BoxSums(geometry, grad_output))  # when first needed
    if "weight" in needs:
        grad_weight = _grad_weight(geometry, grad_output, input, sums)
    if "bias" in needs:
        grad_bias = sums().all().astype(geometry.dtype)
    if "fill_value" in needs:
        grad_fill = np.zeros(geometry.fill.shape, geometry.dtype)
        if padded:
            grad_fill[...] = _grad_fill(geometry, weight, sums().reading_fill())
    return grad_input, grad_weight, grad_bias, grad_fill


def _grad_input(geometry: ConvGeometry, grad: Array, weight: Array) -> Array:
    """The transposed convolution at the input's positions; other modes fold the rest."""
    shape = geometry.in_shape
    folded = any(axis.mode != "constant" for axis in geometry.axes)
    if not folded:
        axes = [_transposed(axis, axis.before, axis.size) for axis in geometry.axes]
        out = np.empty(shape, geometry.dtype)
        return conv_transpose(
            _transpose_geometry(geometry, axes), grad, weight, None, out, geometry.precision
        )
    # virtual positions that some window reads: of a constant axis, those of the input
    first = [axis.before if axis.mode == "constant" else 0 for axis in geometry.axes]
    length = [
        axis.size if axis.mode == "constant" else (axis.out - 1) * axis.stride + axis.extent
        for axis in geometry.axes
    ]
    tables = [
        np.arange(n, dtype=np.int32)
        if axis.mode == "constant"
        else np.asarray(_conv_cpu.index_table(axis.size, axis.before, n, axis.mode))
        for axis, n in zip(geometry.axes, length, strict=True)
    ]
    total = np.zeros(shape, geometry.compute)
    plane = int(np.prod(length)) * geometry.in_channels * geometry.compute.itemsize
    images = max(1, min(geometry.batch, _CHUNK_BYTES // max(plane, 1)))
    rows = max(1, min(length[0], _CHUNK_BYTES * length[0] // max(plane, 1)))
    if not geometry.batched:
        grad, total = grad[None], total[None]
    for image in range(0, geometry.batch, images):
        part = slice(image, min(image + images, geometry.batch))
        target = as_five(total[part], True).reshape(-1, *as_five(total, True).shape[2:])
        for row in range(0, length[0], rows):
            count = min(rows, length[0] - row)
            axes = [
                _transposed(axis, f + row * (i == 0), count if i == 0 else n)
                for i, (axis, f, n) in enumerate(zip(geometry.axes, first, length, strict=True))
            ]
            sub = _transpose_geometry(geometry, axes, part.stop - part.start)
            chunk = conv_transpose(sub, grad[part], weight, precision=geometry.precision)
            chunk = as_five(chunk, True).reshape(-1, *as_five(chunk, True).shape[2:])
            at = [tables[0][row : row + count], *tables[1:]]
            depth, height, width = [np.zeros(1, np.int32)] * (3 - len(at)) + at
            _fold_cpu.fold(chunk, depth, height, width, target, _threads.get_num_threads())
    return total.reshape(shape).astype(geometry.dtype, copy=False)


def _transposed(axis: Axis, first: int, out: int) -> TransposeAxis:
    return TransposeAxis(axis.out, axis.kernel, axis.stride, axis.dilation, first, out)


def _transpose_geometry(
    geometry: ConvGeometry, axes: Sequence[TransposeAxis], batch: int | None = None
) -> TransposeGeometry:
    """From output to input channels; unrounded sums when `batch` asks for part of the batch."""
    return TransposeGeometry(
        geometry.function,
        geometry.batched if batch is None else True,
        geometry.batch if batch is None else batch,
        geometry.out_channels,
        geometry.in_channels,
        geometry.groups,
        tuple(axes),
        geometry.dtype,
        geometry.weight_dtype,
        geometry.compute,
        geometry.dtype if batch is None else geometry.compute,
    )


class _BoxSums:
    """Sums of the output gradient over boxes of windows that see the padding alike.

    Along a constant axis, windows are cut into segments where one of the taps enters or leaves the
    input. Every sum below adds whole boxes, so that nothing is subtracted.
    """

    def __init__(self, geometry: ConvGeometry, grad: Array) -> None:
        grad = as_five(grad, geometry.batched)
        self.inside: list[Array] = []  # per axis: [tap, segment], does the tap see the input?
        segments = []
        axes = (whole(1),) * (3 - len(geometry.axes)) + geometry.axes
        for axis in axes:
            ranges = [(0, axis.out)] * axis.kernel
            if axis.mode == "constant" and len(axes) - len(self.inside) <= len(geometry.axes):
                ranges = [tap_range(axis, k) for k in range(axis.kernel)]
            starts = sorted({0, axis.out, *(end for pair in ranges for end in pair)})
            segments.append(starts)
            self.inside.append(
                np.array([[low <= s < high for s in starts[:-1]] for low, high in ranges], bool)
            )
        shape = tuple(len(starts) - 1 for starts in segments)
        sums = np.zeros((geometry.out_channels, int(np.prod(shape))))
        if grad.size:
            _fold_cpu.segment_sums(
                raw(grad),
                segments,
                _conv_cpu.kernels(),
                _conv_cpu.codes(geometry.dtype.name, geometry.out_dtype.name),
                sums,
                _threads.get_num_threads(),
            )
        self.sums = sums.reshape(-1, *shape)

    def all(self) -> Array:
        """Shape (C_out,)."""
        return self.sums.sum((1, 2, 3))

    def reading_fill(self) -> Array:
        """Over the windows whose tap t lies in the padding: shape (C_out, taps)."""
        return self._outside(self.inside).reshape(len(self.sums), -1)

    def wholly_outside(self) -> Array:
        """Over the windows beyond the first or the last that see the input: shape (C_out,)."""
        hull = []
        for inside in self.inside:
            seen = np.flatnonzero(inside.any(0))
            mask = np.zeros((1, inside.shape[1]), bool)
            if seen.size:
                mask[0, seen[0] : seen[-1] + 1] = True
            hull.append(mask)
        return self._outside(hull)[:, 0, 0, 0]

    def _outside(self, inside: Sequence[Array]) -> Array:
        """Over boxes outside of the first axis, or inside of it but not of the second, ..."""
        total = np.zeros((len(self.sums), 1, 1, 1))
        rest = self.sums
        for at, mask in enumerate(inside, 1):
            total = total + _select(rest, at, ~mask).sum(tuple(range(at + 1, 4)), keepdims=True)
            rest = _select(rest, at, mask)
        return total


def _select(sums: Array, at: int, masks: Array) -> Array:
    """Replace the segments on axis `at` by the sums that each mask selects."""
    return np.stack([sums.compress(mask, at).sum(at) for mask in masks], at)


def tap_range(axis: Axis, k: int) -> tuple[int, int]:
    """The windows whose tap k sees the input of a constant axis: first, and one past the last."""
    low = -((k * axis.dilation - axis.before) // axis.stride)
    high = (axis.before + axis.size - 1 - k * axis.dilation) // axis.stride + 1
    low = min(max(low, 0), axis.out)
    return low, min(max(high, low), axis.out)


def windows_seeing(axis: Axis) -> tuple[int, int]:
    """From the first window that sees the input to one past the last; in other modes all."""
    if axis.mode != "constant":
        return 0, axis.out
    ranges = [tap_range(axis, k) for k in range(axis.kernel)]
    ranges = [(a, b) for a, b in ranges if a < b] or [(0, 0)]
    return min(a for a, _ in ranges), max(b for _, b in ranges)


@functools.lru_cache(maxsize=64)
def _seeing(axes: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], tuple[slice, ...] | None]:
    """Three axes of the windows that see the input; which these are in dy, unless all do."""
    seen = [whole(1)] * (3 - len(axes))
    windows = [slice(None)] * (5 - len(axes))
    for axis in axes:
        low, high = windows_seeing(axis)
        before = axis.before - low * axis.stride
        after = (high - low - 1) * axis.stride + axis.extent - before - axis.size
        windows.append(slice(low, high))
        seen.append(dataclasses.replace(axis, before=before, after=after))
    all_see = all(new.out == old.out for new, old in zip(seen[3 - len(axes) :], axes, strict=True))
    return tuple(seen), None if all_see else tuple(windows)


@functools.lru_cache(maxsize=64)
def _planes(
    axes: tuple[Axis, ...],
    batch: int,
    in_channels: int,
    out_channels: int,
    dtype: np.dtype[Any],
    instruction_set: str,
    threads: int,
) -> Any:
    """The compiled plan of one filter a channel, or a few; see `PlaneGradient`."""
    return _gradient_planes_cpu.PlaneGradient(
        axes,
        batch,
        in_channels,
        out_channels,
        in_channels,
        _conv_cpu.kernels(),
        _conv_cpu.codes(dtype.name, dtype.name),
        threads,
    )


def _grad_weight(
    geometry: ConvGeometry, grad: Array, input: Array, sums: Callable[[], _BoxSums]
) -> Array:
    """Windows that see the input, by tiles; the others add fill times their sum to every tap."""
    x, dy = as_five(input, geometry.batched), as_five(grad, geometry.batched)
    axes, seeing = _seeing(geometry.axes)
    if seeing is not None:
        dy = dy[seeing]
    # Where nothing is windowed, the operands are alike: the one with fewer channels is packed.
    exchanged = geometry.in_channels <= geometry.out_channels and all(map(untouched, axes))
    if all(map(untouched, axes[1:])) and (merged := merge_rows(x, dy)):
        x, dy = merged
        axes = (axes[0], whole(1), whole(x.shape[4]))
    shape = (geometry.out_channels, geometry.in_channels // geometry.groups)
    taps = int(np.prod([axis.kernel for axis in axes]))
    fill = geometry.fill.astype(geometry.compute)
    filters = np.broadcast_to(fill, (geometry.in_channels,)).reshape(geometry.groups, 1, -1, 1)

    def run(finite: bool) -> tuple[Array, bool]:
        """The gradient, and whether rows of it that are not finite may be wrong."""
        gradient = np.zeros((*shape, taps), geometry.compute)
        corrected = suspect = False
        channels = (geometry.in_channels, geometry.out_channels)
        threads = _threads.get_num_threads()
        planes = None
        if dy.size and dy.strides[4] == dy.itemsize and channels[0] == geometry.groups:
            chosen = (_conv_cpu.get_instruction_set(), threads)
            planes = _planes(axes, geometry.batch, *channels, geometry.dtype, *chosen)
        if planes is not None and planes.suits:
            planes.run(x, dy, fill, gradient)
        elif dy.size:
            plan = _gradient_cpu.WeightGradient(
                axes,
                geometry.batch,
                *(channels[::-1] if exchanged else channels),
                geometry.groups,
                _conv_cpu.kernels(),
                _conv_cpu.codes(geometry.dtype.name, geometry.out_dtype.name),
                exchanged,
                finite,
                geometry.precision == "fast",
                threads,
            )
            operands = (raw(dy), raw(x)) if exchanged else (raw(x), raw(dy))
            suspect, corrected = plan.run(*operands, fill, gradient), plan.corrected
        missing = None  # (C_out, 1 or taps): sums of output gradients that meet the fill alone
        if corrected and fill.any():
            missing = sums().reading_fill()
        elif dy.size < grad.size:
            missing = sums().wholly_outside()[:, None]
        if missing is not None:
            added = filters * missing.reshape(geometry.groups, -1, 1, missing.shape[1])
            gradient += added.reshape(*shape, -1).astype(geometry.compute)
        return gradient, suspect

    gradient, suspect = run(bool(np.isfinite(fill).all()))
    if suspect:
        right = np.isfinite(gradient).all(2, keepdims=True)
        gradient = np.where(right, gradient, run(False)[0])
    kernel = tuple(axis.kernel for axis in geometry.axes)
    return gradient.reshape(*shape, *kernel).astype(geometry.weight_dtype, copy=False)


def _grad_fill(geometry: ConvGeometry, weight: Array, sums: Array) -> Array:
    groups, taps = geometry.groups, sums.shape[1]
    terms = weight.astype(np.float64).reshape(groups, -1, weight.shape[1], taps)
    channels = np.einsum("gkct,gkt->gc", terms, sums.reshape(groups, -1, taps)).reshape(-1)
    return channels if geometry.fill.shape else channels.sum()
