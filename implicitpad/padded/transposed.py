"""Transposed convolution of padded arrays: a constant becomes one value for each phase of the stride."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .array import PaddedArray
from .fills import refuse, tiled, window
from .spans import canonical
from .windows import all_border


def conv_transpose(
    function: str,
    x: PaddedArray,
    run: Callable[..., Any],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[tuple[int, int]],
    output_padding: Sequence[int],
) -> PaddedArray:
    """``run(array, padding)`` computes it on an ordinary array, without output padding."""
    sizes = list(zip(x.spans, stride, dilation, kernel, padding, output_padding, strict=True))
    zero = not x.fill.any()
    counts, extents = [], []
    for axis, (span, st, d, f, (before, after), more) in enumerate(sizes):
        extent = d * (f - 1) + 1
        count = (span.total - 1) * st + extent - before - after + more
        counts.append(count)
        extents.append(extent)
        missing = max(extent - st - before, extent - st + more - after)
        if missing > 0 and x.n_pad and not zero:
            width = -(-missing // st)
            refuse(
                function,
                f"outputs near the edge of spatial axis {axis} miss taps, so that the border would not "
                f"be periodic; padding must be at least {max(extent - st, 0)} before and "
                f"{max(extent - st + more, 0)} after, got {(before, after)}",
                f"pass x.extend({width}) with {width * st} more padding, or materialize() first",
            )
    # Phase 0 of the fill is output 0, which is position `before` of the whole result.
    reached = [-(-(extent - 1) // st) for extent, st in zip(extents, stride, strict=True)]
    period = [p * st for p, st in zip(x.period, stride, strict=True)]
    tile = window(
        x.fill,
        [(-a, p) for a, p in zip(reached, x.period, strict=True)],
        x.fill.shape[: -x.rank],
    )
    crop = [
        (a * st, (a + p - 1) * st + extent - a * st - length)
        for a, p, st, extent, length in zip(reached, x.period, stride, extents, period, strict=True)
    ]
    fill = tiled(
        run(tile, crop),
        [(before, before + length) for (before, _), length in zip(padding, period, strict=True)],
    )
    if x.n_pad:
        spans = canonical(
            [
                span.spread(f, st, d, before, count)
                for (span, st, d, f, (before, _), _), count in zip(sizes, counts, strict=True)
            ]
        )
    else:
        spans = tuple([span.of(0, count, count) for span, count in zip(x.spans, counts, strict=True)])
    if not spans[0].size:
        return all_border(fill, x, spans)
    box, crop = [], []
    for out, extent, (span, st, _, _, (before, _), _) in zip(spans, extents, sizes, strict=True):
        start, stop = out.before + before, out.stop + before  # positions in the whole result
        first = min(max(0, -((extent - 1 - start) // st)), span.total - 1)
        last = max(first, min(span.total - 1, (stop - 1) // st))
        box.append((first, last + 1))
        crop.append((start - first * st, last * st + extent - stop))
    return PaddedArray._make(run(x._read(box), crop), spans, fill)
