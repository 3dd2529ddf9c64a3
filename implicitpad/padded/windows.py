"""Convolution of padded arrays: the library's own kernels on the core and on one window of fill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from .._backend import as_array, backend_of
from .._geometry import Axis, ConvGeometry, check_residual, conv_geometry
from .array import PaddedArray
from .fills import refuse, window
from .joining import extended
from .spans import Spans, canonical, union


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
    period: (
        Sequence[int] | None
    )  # to which the fill and the residual's are repeated, if they differ
    core: ConvGeometry | None  # None: no window touches the core
    reach: Sequence[tuple[int, int]] | None  # what windows of a periodic border are read from

    def __call__(
        self, x: PaddedArray, backend: ModuleType, packed: Any, residual: PaddedArray | None = None
    ) -> PaddedArray:
        if self.extends:
            x = _extended(self.whole, x, self.value)
        fill, added, addend = x.fill, None, None
        if residual is not None:
            fill, added = fills_together(x, residual, self.whole.axes, self.period)
            addend = residual._read([(span.before, span.stop) for span in self.spans])
        fill = backend.conv(self.fill, fill, packed, residual=added)
        if self.core is None:
            return all_border(fill, x, self.spans)
        if self.reach is not None:
            core = backend.conv(self.core, x._read(self.reach), packed, residual=addend)
        elif _shares_fill(x):
            core = backend.conv(self.core, x.core, packed, fill=x.fill.ravel(), residual=addend)
        else:
            addends = [None] * len(x.core) if addend is None else addend
            each = [
                backend.conv(self.core, a, packed, fill=v.ravel(), residual=r)
                for a, v, r in zip(x.core, x.fill, addends, strict=True)
            ]
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
    function: str,
    rank: int,
    input: PaddedArray,
    weight: Any,
    bias: Any,
    out: Any,
    residual: Any = None,
    **options: Any,
) -> ConvSteps:
    """Check and resolve a convolution of arrays with the core, border and periods of `input`.

    `residual` is added to the result, whose core then holds both cores.
    """
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

    spans = canonical(
        [
            s.windows(a.kernel, a.stride, a.dilation)
            for s, a in zip(x.spans, whole.axes, strict=True)
        ]
    )
    period, own = None, x.fill
    if residual is not None:
        if not isinstance(residual, PaddedArray):
            raise TypeError(
                f"{function}: the residual of a PaddedArray must be one, got "
                f"{type(residual).__name__}; wrap it in PaddedArray(residual), which makes "
                "everything core."
            )
        check_residual(function, residual, whole.out_shape, whole.out_dtype)
        spans = canonical(union([spans, residual.spans]))
        period = common_period(x, residual, whole.axes)
        own, _ = fills_together(x, residual, whole.axes, period)
    fill = geometry(own, winding(own.shape[-rank:], whole.axes), "circular")
    if not spans[0].size:
        return ConvSteps(whole, extends, value, spans, fill, period, None, None)
    reach = reached(spans, whole.axes)
    if any(length > 1 for length in x.period) or not x.core.size:
        core = geometry(x._read(reach), 0)
        return ConvSteps(whole, extends, value, spans, fill, period, core, reach)
    core = geometry(x.core if _shares_fill(x) else x.core[0], around(x, reach))
    return ConvSteps(whole, extends, value, spans, fill, period, core, None)


def _extended(whole: ConvGeometry, x: PaddedArray, value: Any) -> PaddedArray:
    widths = [(axis.before, axis.after) for axis in whole.axes]
    return extended(whole.function, x, widths, [axis.mode for axis in whole.axes], value)


def common_period(
    x: PaddedArray, residual: PaddedArray, axes: Sequence[Axis]
) -> tuple[int, ...] | None:
    """The period of the sum of a convolution of `x` and `residual`; None if all fills are alike."""
    own = [p // math.gcd(p, axis.stride) for p, axis in zip(x.period, axes, strict=True)]
    if (*x.fill.shape[: -x.rank - 1], *own) == residual.fill.shape[: -x.rank - 1] + residual.period:
        return None
    return tuple([math.lcm(a, b) for a, b in zip(own, residual.period, strict=True)])


def fills_together(
    x: PaddedArray, residual: PaddedArray, axes: Sequence[Axis], period: Sequence[int] | None
) -> tuple[Any, Any]:
    """The fills of `x` and `residual`, repeated so that the first, convolved, is as the second."""
    if period is None:
        return x.fill, residual.fill
    batch = np.broadcast_shapes(*[a.fill.shape[: -x.rank - 1] for a in (x, residual)])
    box = [(0, p * axis.stride) for p, axis in zip(period, axes, strict=True)]
    return (
        window(x.fill, box, (*batch, x.lead[-1])),
        window(residual.fill, [(0, p) for p in period], (*batch, residual.lead[-1])),
    )


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
