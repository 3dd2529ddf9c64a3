"""Pooling of padded arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._geometry import Axis
from .._geometry_pool import avg_pool_geometry, max_pool_geometry
from .array import PaddedArray
from .fills import refuse, window
from .joining import extended
from .spans import canonical
from .windows import all_border, around, inside, reached


def max_pool(
    function: str,
    rank: int,
    x: PaddedArray,
    plain: Callable[..., Any],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
    fill_value: Any,
    padding_mode: Any,
) -> PaddedArray:
    """``implicitpad.max_pool``; `plain` is the same for ordinary arrays, with the same arguments.

    Padding is nothing, or with a fill value more of the border.
    """
    if return_indices:
        refuse(function, "indices in the border vary with the position", "drop return_indices")
    options = {"dilation": dilation, "ceil_mode": ceil_mode, "return_indices": False}
    geometry = max_pool_geometry(
        function, rank, x, kernel_size, stride=stride, padding=padding, fill_value=None,
        padding_mode=padding_mode, **options,
    )  # fmt: skip
    axes: Sequence[Axis] = geometry.axes
    if fill_value is not None or any(axis.mode != "constant" for axis in axes):
        x, axes = bordered(function, x, axes, fill_value)

    def run(array: Any, widths: Any, fill: Any) -> Any:
        return plain(
            function,
            rank,
            array,
            kernel_size,
            stride,
            widths,
            dilation,
            False,
            False,
            fill,
            "constant",
        )

    return _pool(function, x, axes, run, exact=True)


def avg_pool(
    function: str,
    rank: int,
    x: PaddedArray,
    plain: Callable[..., Any],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Any,
    dilation: Any,
    fill_value: Any,
    padding_mode: Any,
) -> PaddedArray:
    """``implicitpad.avg_pool``; `plain` is the same for ordinary arrays, with the same arguments.

    Padding is more of the border, or with ``count_include_pad=False`` nothing.
    """
    geometry = avg_pool_geometry(
        function, rank, x, kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, count_include_pad=count_include_pad, divisor_override=divisor_override,
        fill_value=fill_value, padding_mode=padding_mode,
    )  # fmt: skip
    axes: Sequence[Axis] = geometry.axes
    if count_include_pad:
        x, axes = bordered(function, x, axes, fill_value)

    def run(array: Any, widths: Any, fill: Any) -> Any:
        return plain(
            function, rank, array, kernel_size, stride, widths, False, fill is not None,
            divisor_override, dilation, fill, "constant",
        )  # fmt: skip

    return _pool(function, x, axes, run, uneven=divisor_override is not None)


def bordered(
    function: str, x: PaddedArray, axes: Sequence[Axis], value: Any
) -> tuple[PaddedArray, Sequence[Axis]]:
    """Padding as more of the border; what then hangs over are the last windows of `ceil_mode`."""
    widths = [(axis.before, axis.after) for axis in axes]
    x = extended(function, x, widths, [axis.mode for axis in axes], value)
    return x, [
        replace(axis, size=axis.virtual, before=0, after=0, mode="constant") for axis in axes
    ]


def _pool(
    function: str,
    x: PaddedArray,
    axes: Sequence[Axis],
    run: Callable[..., Any],
    *,
    exact: bool = False,
    uneven: bool = False,
) -> PaddedArray:
    """Pool windows that may hang over the virtual array, where they see nothing.

    ``run(array, padding, fill)`` pools an ordinary array; with fill None its padding is not seen.
    If `exact`, the result of a constant is that constant; if `uneven`, it depends on how much of a
    window hangs over.
    """
    for number, axis in enumerate(axes):
        count = axis.out
        # Where the taps are closer than the axis is long, only the outermost windows can miss it.
        outermost = {0, count - 1} if axis.size >= axis.dilation else range(count)
        starts = [index * axis.stride - axis.before for index in outermost]
        windows = [range(start, start + axis.extent, axis.dilation) for start in starts]
        if not all(any(0 <= tap < axis.size for tap in taps) for taps in windows):
            refuse(
                function,
                f"a window lies wholly outside spatial axis {number}: a second border",
                "pass padding smaller than the kernel, or extend()",
            )
        over = min(starts) < 0 or max(starts) + axis.extent > axis.size
        if over and x.n_pad and (uneven or any(length > 1 for length in x.period)):
            reason = "divisor_override is given" if uneven else "the fill is periodic"
            refuse(
                function,
                f"windows hang over the edge of spatial axis {number} and {reason}, so that the "
                "new border would not be constant",
                "crop or extend() so that they do not, or materialize() first",
            )
    if exact and all(length == 1 for length in x.period):
        fill = x.fill
    else:
        period = [p // math.gcd(p, a.stride) for p, a in zip(x.period, axes, strict=True)]
        box = [
            (-a.before, (length - 1) * a.stride + a.extent - a.before)
            for length, a in zip(period, axes, strict=True)
        ]
        fill = run(window(x.fill, box, x.fill.shape[: -x.rank]), 0, None)
    spans = canonical(
        [
            span.windows(a.kernel, a.stride, a.dilation, a.before, a.out)
            for span, a in zip(x.spans, axes, strict=True)
        ]
    )
    if not spans[0].size:
        return all_border(fill, x, spans)
    return PaddedArray._make(_pooled_core(x, reached(spans, axes, True), run), spans, fill)


def _pooled_core(x: PaddedArray, reach: Sequence[tuple[int, int]], run: Callable[..., Any]) -> Any:
    """`run` on what the windows of the new core reach of `x`.

    The array is the core, padded implicitly, where kernels can hold the fill: one value for each
    channel. Otherwise the border is written out as far as the windows reach.
    """
    box, over = inside(x, reach)
    if any(width for pair in over for width in pair):
        return run(x._read(box), over, None)  # what hangs over is not seen
    if any(length > 1 for length in x.period):
        return run(x._read(reach), 0, None)
    padding = around(x, reach)
    if x.fill.size == x.lead[-1]:
        return run(x.core, padding, x.fill.ravel())
    samples = zip(x.core, x.fill, strict=True)  # each has its own fill
    return np.stack([run(core, padding, fill.ravel()) for core, fill in samples])


def global_average(x: PaddedArray, keepdims: bool = False) -> Any:
    """Mean over the virtual area: an ordinary array."""
    return np.mean(x, axis=tuple(range(x.ndim - x.rank, x.ndim)), keepdims=keepdims)


def global_maximum(x: PaddedArray, keepdims: bool = False) -> Any:
    """Maximum over the virtual area: an ordinary array."""
    return np.max(x, axis=tuple(range(x.ndim - x.rank, x.ndim)), keepdims=keepdims)
