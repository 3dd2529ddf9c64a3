"""Convolution of padded arrays: the library's own kernels on the core and on one window of fill."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._backend import as_array, backend_of
from .._geometry import ConvGeometry, conv_geometry
from .array import PaddedArray
from .fills import refuse, window
from .joining import extended
from .spans import Spans, canonical


def conv(
    function: str,
    rank: int,
    input: PaddedArray,
    weight: Any,
    bias: Any,
    *,
    out: Any = None,
    pack: Callable[[ConvGeometry], Any] | None = None,
    **options: Any,
) -> PaddedArray:
    """The valid convolution of the virtual array, after extending it by its own fill.

    `options` are those of `conv2d`; `pack` is how a layer packs its weights only once.
    """
    if out is not None:
        refuse(
            function,
            "out= has no rule, since the size of the core follows from the input",
            "drop out=",
        )
    backend = backend_of(function, input=input.core, weight=weight, bias=bias)
    weight = as_array(function, "weight", weight)
    bias = None if bias is None else as_array(function, "bias", bias)
    value = options.pop("fill_value")
    whole = conv_geometry(function, rank, input, weight, bias, fill_value=None, out=None, **options)
    if value is not None and any(axis.mode != "constant" for axis in whole.axes):
        conv_geometry(function, rank, input, weight, bias, fill_value=value, out=None, **options)
    widths = [(axis.before, axis.after) for axis in whole.axes]
    x = extended(function, input, widths, [axis.mode for axis in whole.axes], value)
    packed = pack(whole) if pack else backend.pack_conv(whole, weight, bias)
    options.update(padding_mode="constant")

    def run(array: Any, padding: Any, fill: Any, **changes: Any) -> Any:
        settings = options | {"padding": padding, "fill_value": fill} | changes
        geometry = conv_geometry(function, rank, array, weight, bias, out=None, **settings)
        return backend.conv(geometry, array, packed)

    # One window of fill, or as many as there are phases.
    steps = [
        period // math.gcd(period, a.stride) for period, a in zip(x.period, whole.axes, strict=True)
    ]
    plain = all(step == 1 and period == 1 for step, period in zip(steps, x.period, strict=True))
    box = [
        (0, (step - 1) * a.stride + (a.kernel if plain else a.extent))
        for step, a in zip(steps, whole.axes, strict=True)
    ]
    lead = x.fill.shape[: x.ndim - rank]
    close = {"dilation": 1} if plain else {}
    fill = run(window(x.fill, box, lead), 0, None, **close)

    spans = canonical(
        [
            s.windows(a.kernel, a.stride, a.dilation)
            for s, a in zip(x.spans, whole.axes, strict=True)
        ]
    )
    if not spans[0].size:
        return all_border(fill, x, spans)
    reach = [
        (s.before * a.stride, (s.stop - 1) * a.stride + a.extent)
        for s, a in zip(spans, whole.axes, strict=True)
    ]
    return PaddedArray._make(on_core(x, reach, run), spans, fill)


def on_core(x: PaddedArray, reach: Sequence[tuple[int, int]], run: Callable[..., Any]) -> Any:
    """``run(array, padding, fill)`` on what the windows of the new core reach of `x`.

    The array is the core, padded implicitly, where the kernels can hold the fill: one value for
    each channel. A periodic fill is written out, as far as the windows reach.
    """
    if any(length > 1 for length in x.period):
        return run(x._read(reach), 0, None)
    padding = [
        (span.before - start, stop - span.stop)
        for span, (start, stop) in zip(x.spans, reach, strict=True)
    ]
    if x.fill.size == x.lead[-1]:
        return run(x.core, padding, x.fill.ravel())
    samples = zip(x.core, x.fill, strict=True)  # each has its own fill
    return np.stack([run(core, padding, fill.ravel()) for core, fill in samples])


def all_border(fill: Any, x: PaddedArray, spans: Spans) -> PaddedArray:
    """An array without a core: the fill for every sample of `x` tells how many there are."""
    return PaddedArray._empty(np.broadcast_to(fill, x.lead[:-1] + fill.shape[-x.rank - 1 :]), spans)
