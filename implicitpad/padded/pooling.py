"""Pooling of padded arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .array import PaddedArray
from .fills import refuse, window
from .spans import canonical
from .windows import all_border, on_core


def pooled_size(
    total: int, kernel: int, stride: int, dilation: int, widths: tuple[int, int], ceil_mode: bool
) -> int:
    """Number of windows; with `ceil_mode` the last may hang over, but starts inside."""
    room = total + sum(widths) - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= total + widths[0] else count


def pool(
    function: str,
    x: PaddedArray,
    run: Callable[..., Any],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[tuple[int, int]],
    ceil_mode: bool,
) -> PaddedArray:
    """Pool windows that may hang over the virtual array, where they see nothing.

    ``run(array, padding, fill)`` pools an ordinary array; with fill None its padding is not seen.
    """
    sizes = list(zip(x.spans, kernel, stride, dilation, padding, strict=True))
    counts = [pooled_size(s.total, f, st, d, q, ceil_mode) for s, f, st, d, q in sizes]
    for axis, ((span, f, st, d, widths), count) in enumerate(zip(sizes, counts, strict=True)):
        extent = d * (f - 1) + 1
        if count < 1:
            raise ValueError(
                f"{function}: kernel spans {extent} on spatial axis {axis} but input with padding has "
                f"{span.total + sum(widths)} there; pass a smaller kernel or extend()."
            )
        ends = ((count - 1) * st - widths[0], extent - widths[0])
        last = range(ends[0], ends[0] + extent, d)
        first = range(-widths[0], ends[1], d)
        for taps in (first, last):
            if not any(0 <= tap < span.total for tap in taps):
                refuse(
                    function,
                    f"a window lies wholly outside spatial axis {axis}, which would be a second border",
                    "pass padding smaller than the kernel, or extend()",
                )
        over = first.start < 0 or last[-1] >= span.total
        if over and any(length > 1 for length in x.period) and x.n_pad:
            refuse(
                function,
                f"windows hang over the edge of spatial axis {axis}, where the fill is periodic",
                "crop or extend() so that they do not, or materialize() first",
            )
    period = [p // math.gcd(p, st) for p, st in zip(x.period, stride, strict=True)]
    box = [
        (-q[0], (length - 1) * st + d * (f - 1) + 1 - q[0])
        for length, (_, f, st, d, q) in zip(period, sizes, strict=True)
    ]
    fill = run(window(x.fill, box, x.fill.shape[: -x.rank]), 0, None)
    spans = canonical(
        [s.windows(f, st, d, q[0], m) for (s, f, st, d, q), m in zip(sizes, counts, strict=True)]
    )
    if not spans[0].size:
        return all_border(fill, x, spans)
    reach = [
        (s.before * st - q[0], (s.stop - 1) * st - q[0] + d * (f - 1) + 1)
        for s, (_, f, st, d, q) in zip(spans, sizes, strict=True)
    ]
    return PaddedArray._make(_pooled_core(x, reach, run), spans, fill)


def _pooled_core(x: PaddedArray, reach: Sequence[tuple[int, int]], run: Callable[..., Any]) -> Any:
    inside = [(max(a, 0), min(b, span.total)) for span, (a, b) in zip(x.spans, reach, strict=True)]
    over = [(c - a, b - d) for (a, b), (c, d) in zip(reach, inside, strict=True)]
    if not any(width for pair in over for width in pair):
        return on_core(x, reach, run)
    # What hangs over is not seen, what the border holds is: write the border out as far as needed.
    return run(x._read(inside), over, None)


def adaptive_sizes(x: PaddedArray, output_size: Any) -> list[int]:
    """One size for each axis; None keeps the axis."""
    given = output_size if isinstance(output_size, tuple | list) else (output_size,) * x.rank
    return [s.total if size is None else int(size) for s, size in zip(x.spans, given, strict=True)]


def global_average(x: PaddedArray, keepdims: bool = False) -> Any:
    """Mean over the virtual area: an ordinary array."""
    return np.mean(x, axis=tuple(range(x.ndim - x.rank, x.ndim)), keepdims=keepdims)


def global_maximum(x: PaddedArray, keepdims: bool = False) -> Any:
    """Maximum over the virtual area: an ordinary array."""
    return np.max(x, axis=tuple(range(x.ndim - x.rank, x.ndim)), keepdims=keepdims)
