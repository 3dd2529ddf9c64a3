"""Transposed convolution: a constant border becomes one value for each phase of the stride."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .array import PaddedArray
from .fills import refuse, tiled, window
from .spans import Span, canonical
from .windows import all_border

if TYPE_CHECKING:
    from .._geometry_transpose import TransposeAxis, TransposeGeometry


def conv_transpose(
    geometry: TransposeGeometry, x: PaddedArray, run: Callable[..., Any]
) -> PaddedArray:
    """A checked transposed convolution; ``run(array, padding)`` does it on an ordinary array."""
    axes = geometry.axes
    if x.n_pad and any(_missing(axis) > 0 for axis in axes) and x.fill.any():
        for number, axis in enumerate(axes):
            _check_edges(geometry.function, number, axis)
    # Phase 0 of the fill is output 0, which is position `before` of the whole result.
    reach = [-(-(a.extent - 1) // a.stride) for a in axes]
    period = [length * a.stride for length, a in zip(x.period, axes, strict=True)]
    tile = window(
        x.fill,
        [(-before, length) for before, length in zip(reach, x.period, strict=True)],
        x.fill.shape[: -x.rank],
    )
    crop = [(before * a.stride, a.extent - a.stride) for before, a in zip(reach, axes, strict=True)]
    fill = tiled(
        run(tile, crop),
        [(a.first, a.first + length) for a, length in zip(axes, period, strict=True)],
    )
    if x.n_pad:
        spans = canonical(
            [
                span.spread(a.kernel, a.stride, a.dilation, a.first, a.out)
                for span, a in zip(x.spans, axes, strict=True)
            ]
        )
    else:
        spans = tuple([Span(0, a.out, 0) for a in axes])
    if not spans[0].size:
        return all_border(fill, x, spans)
    box, crop = [], []
    for out, a in zip(spans, axes, strict=True):
        start, stop = out.before + a.first, out.stop + a.first  # positions in the whole result
        first = min(max(0, -((a.extent - 1 - start) // a.stride)), a.size - 1)
        last = max(first, min(a.size - 1, (stop - 1) // a.stride))
        box.append((first, last + 1))
        crop.append((start - first * a.stride, last * a.stride + a.extent - stop))
    return PaddedArray._make(run(x._read(box), crop), spans, fill)


def _missing(axis: TransposeAxis) -> int:
    """Outputs at one edge that lack taps which one in the middle has."""
    before = axis.extent - axis.stride - axis.first
    return max(before, axis.first + axis.out - axis.size * axis.stride)


def _check_edges(function: str, number: int, axis: TransposeAxis) -> None:
    """Every output must have all the taps that one in the middle has."""
    least, missing = axis.extent - axis.stride, _missing(axis)
    if missing > 0:
        width = -(-missing // axis.stride)
        refuse(
            function,
            f"outputs near the edge of spatial axis {number} miss taps, so that the border would "
            f"not be periodic: of {least} incomplete positions on each side, padding leaves out "
            f"{axis.first} before and "
            f"{(axis.size - 1) * axis.stride + axis.extent - axis.first - axis.out} after",
            f"pass x.extend({width}) with {width * axis.stride} more padding, or materialize()",
        )
