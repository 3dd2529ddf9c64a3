"""Mean and variance over the virtual array, from the core and the fill alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .array import PaddedArray
from .fills import refuse
from .reductions import normalized, phases, reduce
from .spans import within

_BLOCK = 1 << 18  # elements of the core that are shifted at a time


class Moments(NamedTuple):
    """Each with the rank of the array and size 1 on the axes that were reduced."""

    mean: Any
    squares: Any  # sum of squared deviations from the mean
    number: int  # of elements


def moments(x: PaddedArray, axes: tuple[int, ...] = (), dtype: Any = None) -> Moments:
    """Over all spatial axes and the given leading ones.

    The core is shifted by the fill before it is summed, then parts are combined pairwise (Chan,
    Golub, LeVeque 1979), so that nothing cancels where the border outweighs the core.
    """
    number = _float(x, dtype)
    shape = x.lead + (1,) * x.rank
    shift = _shift(x, number, shape)
    parts = []
    if x.core.size:
        mean, squares = (
            np.empty_like(x.core, number, shape=shape),
            np.empty_like(x.core, number, shape=shape),
        )
        spatial = tuple(range(-x.rank, 0))
        for block in _blocks(x):
            y = x.core[block].astype(number) - shift[block]
            centre = y.mean(axis=spatial, keepdims=True)
            mean[block] = centre
            y -= centre
            squares[block] = np.square(y, out=y).sum(axis=spatial, keepdims=True)
        parts.append(Moments(mean, squares, math.prod(s.size for s in x.spans)))
    for count, value in phases(x):
        level = np.broadcast_to(value.astype(number) - shift, shape)
        parts.append(Moments(level, np.zeros_like(level), count))
    total = parts[0] if parts else Moments(shift * np.nan, shift * np.nan, 0)
    for part in parts[1:]:
        total = _combined(total, part)
    total = Moments(total.mean + shift, total.squares, total.number)
    for axis in axes:
        rows = [
            Moments(total.mean[row], total.squares[row], total.number)
            for row in ((*(slice(None),) * axis, slice(i, i + 1)) for i in range(x.shape[axis]))
        ]
        total = rows[0]
        for row in rows[1:]:
            total = _combined(total, row)
    return total


def mean(x: PaddedArray, axis: Any = None, dtype: Any = None, *, keepdims: Any = False) -> Any:
    """``numpy.mean``."""
    axes = normalized(x, axis)
    result_type = np.dtype(dtype) if dtype is not None else _result(x)
    if not _spatial(x, axes):
        total = reduce(np.add, x, axes, dtype or _float(x, None), keepdims)
        return (total / math.prod(x.shape[a] for a in axes)).astype(result_type)
    lead = tuple([a for a in axes if a < x.ndim - x.rank])
    value = moments(x, lead, dtype).mean.astype(result_type)
    return value if keepdims else value.squeeze(axes)[()]


def var(
    x: PaddedArray,
    axis: Any = None,
    dtype: Any = None,
    ddof: int = 0,
    keepdims: Any = False,
) -> Any:
    """``numpy.var``."""
    axes = normalized(x, axis)
    result_type = np.dtype(dtype) if dtype is not None else _result(x)
    lead = tuple([a for a in axes if a < x.ndim - x.rank])
    if _spatial(x, axes):
        total = moments(x, lead, dtype)
        value = (total.squares / (total.number - ddof)).astype(result_type)
        return value if keepdims else value.squeeze(axes)[()]
    if len(lead) < len(axes) or not keepdims:
        refuse(
            "np.var",
            f"axes {axes} hold some of the spatial axes, or axes that the border needs",
            "reduce all spatial axes, or batch and channels with keepdims=True",
        )
    deviation = np.square(x - mean(x, axes, dtype, keepdims=True))
    count = math.prod(x.shape[a] for a in axes)
    return (reduce(np.add, deviation, axes, None, True) / (count - ddof)).astype(result_type)


def std(x: PaddedArray, *args: Any, **options: Any) -> Any:
    """``numpy.std``."""
    return np.sqrt(var(x, *args, **options))


def _combined(a: Moments, b: Moments) -> Moments:
    count = a.number + b.number
    step = b.mean - a.mean
    if b.number > a.number:  # from the larger part, whose mean is closer
        centre = b.mean - step * (a.number / count)
    else:
        centre = a.mean + step * (b.number / count)
    squares = a.squares + b.squares + step * step * (a.number * (b.number / count))
    return Moments(centre, squares, count)


def _shift(x: PaddedArray, number: Any, shape: tuple[int, ...]) -> Any:
    """The first phase of the fill; 0 where it is not finite or there is no border."""
    value = x.fill[within((slice(0, 1),) * x.rank)].astype(number)
    usable = np.isfinite(value) if x.n_pad else np.zeros_like(value, bool)
    return np.broadcast_to(np.where(usable, value, number.type(0)), shape)


def _blocks(x: PaddedArray) -> Iterator[tuple[Any, ...]]:
    """Indices of the leading axes, so that a block stays in the cache."""
    if not isinstance(x.core, np.ndarray):  # on a device, all at once
        yield (...,)
        return
    channels = x.lead[-1]
    step = max(1, _BLOCK // max(1, math.prod(s.size for s in x.spans)))
    for sample in np.ndindex(x.lead[:-1]):
        for first in range(0, channels, step):
            yield (*sample, slice(first, first + step))


def _spatial(x: PaddedArray, axes: tuple[int, ...]) -> bool:
    return set(range(x.ndim - x.rank, x.ndim)) <= set(axes)


def _float(x: PaddedArray, dtype: Any) -> np.dtype[Any]:
    """The type to compute in."""
    number = np.dtype(dtype) if dtype is not None else x.dtype
    if number.kind in "biu":
        return np.dtype(np.float64)
    return np.dtype(np.float32) if number.itemsize < 4 else number


def _result(x: PaddedArray) -> np.dtype[Any]:
    return np.dtype(np.float64) if x.dtype.kind in "biu" else x.dtype
