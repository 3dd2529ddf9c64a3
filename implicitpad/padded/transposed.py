"""Transposed convolution: a constant border becomes one value for each phase of the stride."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .array import PaddedArray
from .fills import refuse, tiled, window
from .spans import Span, Spans, canonical
from .windows import all_border

if TYPE_CHECKING:
    from .._geometry_transpose import TransposeAxis, TransposeGeometry

Widths = list[tuple[int, int]]


def conv_transpose(
    geometry: TransposeGeometry, x: PaddedArray, run: Callable[..., Any]
) -> PaddedArray:
    """A checked transposed convolution; ``run(array, padding)`` does it on an ordinary array."""
    axes = geometry.axes
    if x.n_pad and any(missing(axis) > 0 for axis in axes) and x.fill.any():
        for number, axis in enumerate(axes):
            _check_edges(geometry.function, number, axis)
    box, crop = part_of_fill(x, axes)
    tile = window(x.fill, box, x.fill.shape[: -x.rank])
    # Phase 0 of the fill is output 0, which is position `first` of the whole result.
    phases = [(a.first, a.first + n * a.stride) for a, n in zip(axes, x.period, strict=True)]
    fill = tiled(run(tile, crop), phases)
    spans = result_spans(x, axes)
    if not spans[0].size:
        return all_border(fill, x, spans)
    box, crop = part_of_core(spans, axes)
    return PaddedArray._make(run(x._read(box), crop), spans, fill)


def result_spans(x: PaddedArray, axes: Sequence[TransposeAxis]) -> Spans:
    """Where the core of the result lies."""
    if not x.n_pad:
        return tuple([Span(0, a.out, 0) for a in axes])
    return canonical(
        [
            span.spread(a.kernel, a.stride, a.dilation, a.first, a.out)
            for span, a in zip(x.spans, axes, strict=True)
        ]
    )


def part_of_fill(x: PaddedArray, axes: Sequence[TransposeAxis]) -> tuple[Widths, Widths]:
    """What to read of the fill, and to crop of its result, for one period of outputs."""
    reach = [-(-(a.extent - 1) // a.stride) for a in axes]
    box = [(-before, length) for before, length in zip(reach, x.period, strict=True)]
    return box, [(n * a.stride, a.extent - a.stride) for n, a in zip(reach, axes, strict=True)]


def part_of_core(spans: Spans, axes: Sequence[TransposeAxis]) -> tuple[Widths, Widths]:
    """What to read of the virtual array, and to crop of its result, for the core at `spans`."""
    box, crop = [], []
    for out, a in zip(spans, axes, strict=True):
        start, stop = out.before + a.first, out.stop + a.first  # positions in the whole result
        first = min(max(0, -((a.extent - 1 - start) // a.stride)), a.size - 1)
        last = max(first, min(a.size - 1, (stop - 1) // a.stride))
        box.append((first, last + 1))
        crop.append((start - first * a.stride, last * a.stride + a.extent - stop))
    return box, crop


def missing(axis: TransposeAxis) -> int:
    """Outputs at one edge that lack taps which one in the middle has."""
    before = axis.extent - axis.stride - axis.first
    return max(before, axis.first + axis.out - axis.size * axis.stride)


def _check_edges(function: str, number: int, axis: TransposeAxis) -> None:
    """Every output must have all the taps that one in the middle has."""
    least, lacking = axis.extent - axis.stride, missing(axis)
    if lacking > 0:
        width = -(-lacking // axis.stride)
        refuse(
            function,
            f"outputs near the edge of spatial axis {number} miss taps, so that the border would "
            f"not be periodic: of {least} incomplete positions on each side, padding leaves out "
            f"{axis.first} before and "
            f"{(axis.size - 1) * axis.stride + axis.extent - axis.first - axis.out} after",
            f"pass x.extend({width}) with {width * axis.stride} more padding, or materialize()",
        )
