"""Convolution of padded arrays: the library's own kernels on the core and on one window of fill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from .._backend import as_array, backend_of
from .._geometry import Axis, ConvGeometry, conv_geometry
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
    extends: bool  # whether there is such padding
    value: Any  # the fill value given for it, or None
    spans: Spans  # of the result
    fill: ConvGeometry  # of one window of fill, or one for each phase
    core: ConvGeometry | None  # None: no window touches the core
    reach: Sequence[tuple[int, int]] | None  # what windows of a periodic border are read from

    def __call__(self, x: PaddedArray, backend: ModuleType, packed: Any) -> PaddedArray:
        if self.extends:
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
    extends = any(axis.before or axis.after for axis in whole.axes)
    x = _extended(whole, input, value) if extends else input

    def geometry(array: Any, padding: Any, mode: str = "constant") -> ConvGeometry:
        settings = options | {"padding": padding, "padding_mode": mode}
        return conv_geometry(
            function, rank, array, weight, bias, fill_value=None, out=None, **settings
        )

    fill = geometry(x.fill, winding(x.period, whole.axes), "circular")
    spans = canonical(
        [
            s.windows(a.kernel, a.stride, a.dilation)
            for s, a in zip(x.spans, whole.axes, strict=True)
        ]
    )
    if not spans[0].size:
        return ConvSteps(whole, extends, value, spans, fill, None, None)
    reach = reached(spans, whole.axes)
    if any(length > 1 for length in x.period):
        return ConvSteps(whole, extends, value, spans, fill, geometry(x._read(reach), 0), reach)
    padding = around(x, reach)
    array = x.core if _shares_fill(x) else x.core[0]
    return ConvSteps(whole, extends, value, spans, fill, geometry(array, padding), None)


def _extended(whole: ConvGeometry, x: PaddedArray, value: Any) -> PaddedArray:
    widths = [(axis.before, axis.after) for axis in whole.axes]
    return extended(whole.function, x, widths, [axis.mode for axis in whole.axes], value)


def _shares_fill(x: PaddedArray) -> bool:
    """Whether constant borders hold one value for each channel, which kernels can imagine."""
    return bool(x.fill.size <= x.lead[-1])


def winding(period: Sequence[int], axes: Sequence[Axis]) -> list[tuple[int, int]]:
    """How far the fill goes round behind one period, for all the windows that differ."""
    return [
        (0, (length // math.gcd(length, a.stride) - 1) * a.stride + a.extent - length)
        for length, a in zip(period, axes, strict=True)
    ]


def reached(spans: Spans, axes: Sequence[Axis], hanging: bool = False) -> list[tuple[int, int]]:
    """From where to where the windows on the core of an output read the virtual array.

    If `hanging`, the padding of `axes` lies outside it.
    """
    leads = [a.before if hanging else 0 for a in axes]
    return [
        (s.before * a.stride - lead, (s.stop - 1) * a.stride - lead + a.extent)
        for s, a, lead in zip(spans, axes, leads, strict=True)
    ]


def around(x: PaddedArray, reach: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The padding of the core that makes it `reach`."""
    return [
        (span.before - start, stop - span.stop)
        for span, (start, stop) in zip(x.spans, reach, strict=True)
    ]


def inside(
    x: PaddedArray, reach: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """`reach` within the virtual array, and how far it hangs over."""
    box = [(max(a, 0), min(b, s.total)) for s, (a, b) in zip(x.spans, reach, strict=True)]
    return box, [(c - a, b - d) for (a, b), (c, d) in zip(reach, box, strict=True)]


def all_border(fill: Any, x: PaddedArray, spans: Spans) -> PaddedArray:
    """An array without a core: the fill for every sample of `x` tells how many there are."""
    return PaddedArray._empty(np.broadcast_to(fill, x.lead[:-1] + fill.shape[-x.rank - 1 :]), spans)
