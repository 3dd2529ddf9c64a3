"""Gradients of convolution, transposed convolution and pooling of padded arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._geometry import ConvGeometry
from .array import PaddedArray
from .fills import refuse, window
from .gradients import PaddedGrad, check, folded, outline, returned, shared
from .pooling import bordered
from .spans import Spans, canonical, within
from .transposed import missing, part_of_core, part_of_fill, result_spans
from .windows import around, inside, reached, winding


def conv_backward(
    geometry: ConvGeometry, grad: Any, x: PaddedArray, run: Callable[..., Any]
) -> tuple[PaddedGrad, Any, Any]:
    """For the input, weight and bias of a checked convolution of the virtual array.

    ``run(grad, array, padding, fill, mode)`` gives (input, weight, bias, fill) of an ordinary
    array.
    """
    axes = geometry.axes
    widths = [(axis.before, axis.after) for axis in axes]
    if any(width for pair in widths for width in pair):
        inner = conv_backward(_unpadded(geometry), grad, x.extend(widths), run)
        return (_unextended(inner[0], x, widths), *inner[1:])
    spans = canonical(
        [s.windows(a.kernel, a.stride, a.dilation) for s, a in zip(x.spans, axes, strict=True)]
    )
    y = _windowed(x, spans, axes, geometry.out_channels)
    check(geometry.function, grad, y)
    core, fill = np.zeros_like(x.core), np.zeros_like(x.core, shape=x.fill.shape)
    weight, bias = 0, 0
    if y.n_pad:
        outer = shared(grad.fill, x)
        fill, weight, bias, _ = run(outer, x.fill, winding(x.period, axes), None, "circular")
    if y.core.size:
        inner_core, inner_fill, more, most = _on_core(x, reached(spans, axes), grad.core, run)
        core, fill = core + inner_core, fill + inner_fill
        weight, bias = weight + more, bias + most
    return PaddedGrad(core, fill), weight, bias


def _on_core(
    x: PaddedArray, reach: Sequence[tuple[int, int]], grad: Any, run: Callable[..., Any]
) -> tuple[Any, Any, Any, Any]:
    if any(length > 1 for length in x.period):
        found = run(grad, x._read(reach), 0, None, "constant")
        inner = returned(x, reach, found[0])
        return inner.core, inner.fill, found[1], found[2]
    padding = around(x, reach)
    if x.fill.size == x.lead[-1]:
        core, weight, bias, fill = run(grad, x.core, padding, x.fill.ravel(), "constant")
        return core, fill.reshape(x.fill.shape), weight, bias
    each = [
        run(g, core, padding, fill.ravel(), "constant")
        for g, core, fill in zip(grad, x.core, x.fill, strict=True)
    ]
    core = np.stack([found[0] for found in each])
    fill = np.stack([found[3] for found in each]).reshape(x.fill.shape)
    return core, fill, sum(found[1] for found in each), sum(found[2] for found in each)


def transpose_backward(
    geometry: Any, grad: Any, x: PaddedArray, run: Callable[..., Any]
) -> tuple[PaddedGrad, Any, Any]:
    """For the input, weight and bias of a checked transposed convolution.

    ``run(grad, array, padding)`` gives (input, weight) of an ordinary array.
    """
    axes = geometry.axes
    for number, axis in enumerate(axes):
        if x.n_pad and missing(axis) > 0:
            refuse(
                geometry.function,
                f"outputs near the edge of spatial axis {number} miss taps, so that the gradient "
                "of the fill depends on their positions",
                "extend() the input and pad as much more, as the forward rule says",
            )
    spans = result_spans(x, axes)
    every = tuple([axis for axis in range(x.ndim) if axis != x.ndim - x.rank - 1])
    bias = grad.core.sum(axis=every)
    core, fill, weight = np.zeros_like(x.core), np.zeros_like(x.core, shape=x.fill.shape), 0
    if any(span.size < span.total for span in spans):
        box, crop = part_of_fill(x, axes)
        shift = [a.first % (n * a.stride) for a, n in zip(axes, x.period, strict=True)]
        rolled = np.roll(grad.fill, shift, tuple(range(-x.rank, 0)))
        tile = window(x.fill, box, (*grad.fill.shape[: -x.rank - 1], x.lead[-1]))
        inner, weight = run(rolled, tile.copy(), crop)
        fill = folded(inner, [start for start, _ in box], x.fill.shape)
        bias = bias + grad.fill.sum(axis=every)
    if spans[0].size:
        box, crop = part_of_core(spans, axes)
        inner, more = run(grad.core, x._read(box), crop)
        pair = returned(x, box, inner)
        core, fill, weight = pair.core, fill + pair.fill, weight + more
    return PaddedGrad(core, fill), weight, bias


def pool_backward(
    function: str,
    grad: Any,
    x: PaddedArray,
    axes: Sequence[Any],
    run: Callable[..., Any],
    counted: bool = False,
    fill_value: Any = None,
) -> PaddedGrad:
    """Of pooling windows that see nothing outside the virtual array.

    If `counted`, padding first continues the border. ``run(grad, array, padding)`` gives the
    gradient of an ordinary array.
    """
    if counted:
        widths = [(axis.before, axis.after) for axis in axes]
        x_seen, axes = bordered(function, x, axes, fill_value)
        return _unextended(pool_backward(function, grad, x_seen, axes, run), x, widths)
    spans = canonical(
        [
            span.windows(a.kernel, a.stride, a.dilation, a.before, a.out)
            for span, a in zip(x.spans, axes, strict=True)
        ]
    )
    check(function, grad, _windowed(x, spans, axes, x.lead[-1]))
    core, fill = np.zeros_like(x.core), np.zeros_like(x.core, shape=x.fill.shape)
    if any(span.size < span.total for span in spans):
        period = [p // math.gcd(p, a.stride) for p, a in zip(x.period, axes, strict=True)]
        box = [
            (-a.before, (length - 1) * a.stride + a.extent - a.before)
            for length, a in zip(period, axes, strict=True)
        ]
        lead = grad.fill.shape[: -x.rank]
        array = window(x.fill, box, lead).copy()
        inner = run(grad.fill, array, 0)
        fill = folded(inner, [first for first, _ in box], x.fill.shape)
    if spans[0].size:
        box, over = inside(x, reached(spans, axes, True))
        pair = returned(x, box, run(grad.core, x._read(box), over))
        core, fill = pair.core, fill + pair.fill
    return PaddedGrad(core, fill)


def _windowed(x: PaddedArray, spans: Spans, axes: Sequence[Any], channels: int) -> PaddedArray:
    """An output of the right shapes."""
    period = [p // math.gcd(p, a.stride) for p, a in zip(x.period, axes, strict=True)]
    return outline(x, spans, channels, period)


def _unpadded(geometry: ConvGeometry) -> ConvGeometry:
    axes = [replace(a, size=a.virtual, before=0, after=0) for a in geometry.axes]
    return replace(geometry, axes=tuple(axes))


def _unextended(grad: PaddedGrad, x: PaddedArray, widths: Sequence[tuple[int, int]]) -> PaddedGrad:
    """Transpose of extending or cropping."""
    fill = np.roll(grad.fill, [-before for before, _ in widths], axis=tuple(range(-x.rank, 0)))
    if grad.core.shape == x.core.shape:
        return PaddedGrad(grad.core, fill)
    core = np.zeros_like(x.core, dtype=grad.core.dtype)
    kept = [
        span.sliced(-before, span.total + after, 1)[1]
        for span, (before, after) in zip(x.spans, widths, strict=True)
    ]
    if grad.core.size:
        core[within(kept)] = grad.core
    return PaddedGrad(core, fill)
