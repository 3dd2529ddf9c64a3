"""Reductions: the core as NumPy reduces it, and the fill as often as the border holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .array import PaddedArray
from .fills import refuse, tiled, window
from .spans import Span, within

# Commutative and associative, so that the border's part can be taken out.
REDUCIBLE = frozenset(
    {
        np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logical_and,
        np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor,
        np.gcd, np.lcm, np.hypot, np.logaddexp,
    }
)  # fmt: skip

# CuPy's arrays reduce by method.
METHODS = {
    np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min",
    np.logical_and: "all", np.logical_or: "any",
}  # fmt: skip


def reduce(
    ufunc: np.ufunc, x: PaddedArray, axis: Any = 0, dtype: Any = None, keepdims: bool = False
) -> Any:
    """``ufunc.reduce`` over any axes.

    Over all spatial axes the result is an ordinary array; otherwise the remaining axes are still
    padded, and ``keepdims=True`` says that (N, C, *spatial) is kept.
    """
    name = f"np.{ufunc.__name__}.reduce"
    if ufunc not in REDUCIBLE:
        refuse(
            name,
            "only commutative, associative functions have a closed form",
            "materialize() first",
        )
    axes = normalized(x, axis)
    lead = tuple([a for a in axes if a < x.ndim - x.rank])
    spatial = [a - x.ndim for a in axes if a >= x.ndim - x.rank]

    def once(array: Any, along: tuple[int, ...]) -> Any:
        if isinstance(array, np.ndarray):
            return ufunc.reduce(array, axis=along, dtype=dtype, keepdims=True)
        if ufunc not in METHODS:
            raise TypeError(
                f"{name}: CuPy has no such reduction; move the array with cupy.asnumpy first."
            )
        options = {"dtype": dtype} if ufunc in (np.add, np.multiply) else {}
        return getattr(array, METHODS[ufunc])(axis=along, keepdims=True, **options)

    if len(spatial) == x.rank:
        result = _over_space(ufunc, x, once)
        if lead:
            result = once(result, lead)
        return result if keepdims else result.squeeze(axes)[()]
    if axes and not keepdims:
        refuse(
            name,
            f"reducing axes {axes} would drop axes that the border needs",
            "pass keepdims=True, or include all spatial axes",
        )
    for place in spatial:
        x = _along(ufunc, x, place, once)
    if lead:
        fill = np.broadcast_to(x.fill, x.lead + x.period) if 0 in lead else x.fill
        x = x._make(once(x.core, lead), x.spans, once(fill, lead))
    return x


def normalized(x: PaddedArray, axis: Any) -> tuple[int, ...]:
    """Axes as a sorted tuple of numbers from 0."""
    if axis is None:
        return tuple(range(x.ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    for a in axes:
        if not -x.ndim <= a < x.ndim:
            raise np.exceptions.AxisError(a, x.ndim)
    return tuple(sorted({a % x.ndim for a in axes}))


def phase_counts(x: PaddedArray) -> Any:
    """How often the border holds each phase of the fill: shape `period`."""
    whole, inside = np.ones((), int), np.ones((), int)
    for span, period in zip(x.spans, x.period, strict=True):
        whole = np.multiply.outer(whole, _hits(0, span.total, period))
        inside = np.multiply.outer(inside, _hits(span.before, span.stop, period))
    return whole - inside


def phases(x: PaddedArray) -> Iterator[tuple[int, Any]]:
    """(count, value with spatial size 1) for each phase that the border holds."""
    counts = phase_counts(x)
    for phase in np.ndindex(counts.shape):
        if counts[phase]:
            yield int(counts[phase]), x.fill[within([slice(p, p + 1) for p in phase])]


def _hits(start: int, stop: int, period: int) -> Any:
    """Number of positions start … stop − 1 in each phase."""
    phase = np.arange(period)
    return (stop - phase + period - 1) // period - (start - phase + period - 1) // period


def _over_space(ufunc: np.ufunc, x: PaddedArray, once: Callable[..., Any]) -> Any:
    spatial = tuple(range(-x.rank, 0))
    parts = [once(x.core, spatial)] if x.core.size or not x.n_pad else []
    for count, value in phases(x):
        unit = once(value[..., None], (-1,))[..., 0]
        parts.append(np.broadcast_to(_combined(ufunc, unit, count), x.lead + (1,) * x.rank))
    result = parts[0]
    for part in parts[1:]:
        result = ufunc(result, part)
    return result


def _along(ufunc: np.ufunc, x: PaddedArray, place: int, once: Callable[..., Any]) -> PaddedArray:
    """Reduce one spatial axis, which stays with size 1; the other axes stay padded."""
    axis = place + x.rank
    span, period = x.spans[axis], x.period[axis]

    def total(fill: Any, counts: Any) -> Any:
        result = None
        for phase in np.flatnonzero(counts):
            value = fill[within((slice(phase, phase + 1), *(slice(None),) * (-place - 1)))]
            value = _combined(ufunc, once(value[..., None], (-1,))[..., 0], int(counts[phase]))
            result = value if result is None else ufunc(result, value)
        return result

    whole = _hits(0, span.total, period)
    if not whole.any():
        refuse(f"np.{ufunc.__name__}.reduce", "a spatial axis is empty", "materialize() first")
    fill = total(x.fill, whole)
    if not x.core.size:
        spans = (*x.spans[:axis], Span(1, 0, 0), *x.spans[axis + 1 :])
        return PaddedArray._empty(
            window(fill, [(0, n) for n in fill.shape[-x.rank :]], x.lead), spans
        )
    core = once(x.core, (place,))
    box = [(s.before, s.stop) for s in x.spans]
    box[axis] = (0, period)
    border = total(tiled(x.fill, box), whole - _hits(span.before, span.stop, period))
    if border is not None:
        core = ufunc(core, border)
    return x._make(core, (*x.spans[:axis], Span(0, 1, 0), *x.spans[axis + 1 :]), fill)


def _combined(ufunc: np.ufunc, value: Any, count: int) -> Any:
    """`value` combined with itself, `count` of them, in O(log count)."""
    if ufunc is np.add and value.dtype.kind in "fc":
        return value * value.dtype.type(count)
    result = None
    while True:
        if count & 1:
            result = value if result is None else ufunc(result, value)
        count >>= 1
        if not count:
            return result
        value = ufunc(value, value)
