"""Convolution of padded arrays: the library's own kernels on the core and on one window of fill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from .._backend import as_array, backend_of
from .._geometry import ConvGeometry, conv_geometry
from .array import PaddedArray
from .fills import refuse
from .joining import extended
from .spans import Spans, canonical


@dataclass(frozen=True, slots=True)
class ConvSteps:
    """A convolution of padded arrays of one layout, resolved from their shapes alone.

    It is the valid convolution of the virtual array, after extending it by its own fill.
    """

    whole: ConvGeometry  # of the virtual array, with the padding that extends it
    value: Any  # the fill value given for that padding, or None
    spans: Spans  # of the result
    fill: ConvGeometry  # of one window of fill, or one for each phase
    core: ConvGeometry | None  # None: no window touches the core
    reach: Sequence[tuple[int, int]] | None  # what windows of a periodic border are read from

    def __call__(self, x: PaddedArray, backend: ModuleType, packed: Any) -> PaddedArray:
        x = _extended(self.whole, x, self.value)
        fill = backend.conv(self.fill, x.fill, packed)
        if self.core is None:
            return all_border(fill, x, self.spans)
        if self.reach is not None:
            core = backend.conv(self.core, x._read(self.reach), packed)
        elif _shares_fill(x):
            core = backend.conv(self.core, x.core, packed, fill=x.fill.ravel())
        else:
            samples = zip(x.core, x.fill, strict=True)
            each = [backend.conv(self.core, a, packed, fill=v.ravel()) for a, v in samples]
            core = np.stack(each)
        return PaddedArray._make(core, self.spans, fill)


def conv(
    function: str, rank: int, input: PaddedArray, weight: Any, bias: Any, out: Any, **options: Any
) -> PaddedArray:
    """Convolve a padded array; `options` are those of `conv2d`."""
    backend = backend_of(function, input=input.core, weight=weight, bias=bias)
    weight = as_array(function, "weight", weight)
    bias = None if bias is None else as_array(function, "bias", bias)
    steps = conv_steps(function, rank, input, weight, bias, out, **options)
    return steps(input, backend, backend.pack_conv(steps.whole, weight, bias))


def conv_steps(
    function: str, rank: int, input: PaddedArray, weight: Any, bias: Any, out: Any, **options: Any
) -> ConvSteps:
    """Check and resolve a convolution of arrays with the core, border and periods of `input`."""
    if out is not None:
        refuse(
            function,
            "out= has no rule, since the size of the core follows from the input",
            "drop out=",
        )
    value = options.pop("fill_value")
    whole = conv_geometry(function, rank, input, weight, bias, fill_value=None, out=None, **options)
    if value is not None and any(axis.mode != "constant" for axis in whole.axes):
        conv_geometry(function, rank, input, weight, bias, fill_value=value, out=None, **options)
    x = _extended(whole, input, value)

    def geometry(array: Any, padding: Any, mode: str = "constant") -> ConvGeometry:
        settings = options | {"padding": padding, "padding_mode": mode}
        return conv_geometry(
            function, rank, array, weight, bias, fill_value=None, out=None, **settings
        )

    # As far as a window reaches from each phase, the fill goes round.
    phases = [
        (0, (period // math.gcd(period, a.stride) - 1) * a.stride + a.extent - period)
        for period, a in zip(x.period, whole.axes, strict=True)
    ]
    fill = geometry(x.fill, phases, "circular")
    spans = canonical(
        [
            s.windows(a.kernel, a.stride, a.dilation)
            for s, a in zip(x.spans, whole.axes, strict=True)
        ]
    )
    if not spans[0].size:
        return ConvSteps(whole, value, spans, fill, None, None)
    reach = [
        (s.before * a.stride, (s.stop - 1) * a.stride + a.extent)
        for s, a in zip(spans, whole.axes, strict=True)
    ]
    if any(length > 1 for length in x.period):
        return ConvSteps(whole, value, spans, fill, geometry(x._read(reach), 0), reach)
    padding = [
        (span.before - start, stop - span.stop)
        for span, (start, stop) in zip(x.spans, reach, strict=True)
    ]
    array = x.core if _shares_fill(x) else x.core[0]
    return ConvSteps(whole, value, spans, fill, geometry(array, padding), None)


def _extended(whole: ConvGeometry, x: PaddedArray, value: Any) -> PaddedArray:
    widths = [(axis.before, axis.after) for axis in whole.axes]
    if not any(width for pair in widths for width in pair):
        return x
    return extended(whole.function, x, widths, [axis.mode for axis in whole.axes], value)


def _shares_fill(x: PaddedArray) -> bool:
    """Whether constant borders hold one value for each channel, which kernels can imagine."""
    return bool(x.fill.size <= x.lead[-1])


def all_border(fill: Any, x: PaddedArray, spans: Spans) -> PaddedArray:
    """An array without a core: the fill for every sample of `x` tells how many there are."""
    return PaddedArray._empty(np.broadcast_to(fill, x.lead[:-1] + fill.shape[-x.rank - 1 :]), spans)
