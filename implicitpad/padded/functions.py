"""NumPy's functions that have a rule; the list is closed, every other one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .array import PaddedArray
from .elementwise import elementwise
from .fills import refuse, window
from .joining import concatenate, flip, pad, transpose
from .reductions import normalized, reduce
from .spans import Span
from .statistics import mean, std, var


def _reduction(ufunc: np.ufunc, typed: bool = False) -> Callable[..., Any]:
    if typed:

        def rule(x: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False) -> Any:
            return reduce(ufunc, x, axis, dtype, keepdims)

    else:

        def rule(x: Any, axis: Any = None, *, keepdims: Any = False) -> Any:  # type: ignore[misc]
            return reduce(ufunc, x, axis, None, keepdims)

    return rule


def _mapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one array, element by element."""

    def rule(x: PaddedArray, **options: Any) -> Any:
        name = f"np.{function.__name__}"
        return elementwise(name, lambda a: function(a, **options), x)

    return rule


def _where(condition: Any, x: Any, y: Any) -> Any:
    return elementwise("np.where", np.where, condition, x, y)


def _clip(x: Any, a_min: Any = None, a_max: Any = None, **options: Any) -> Any:
    limits = [limit for limit in (a_min, a_max) if limit is not None]

    def clip(a: Any, *given: Any) -> Any:
        values = iter(given)
        low = None if a_min is None else next(values)
        return np.clip(a, low, None if a_max is None else next(values), **options)

    return elementwise("np.clip", clip, x, *limits)


def _copy(x: PaddedArray, **options: Any) -> PaddedArray:
    return PaddedArray._make(x.core.copy(), x.spans, x.fill.copy())


def _constant(value: int) -> Callable[..., PaddedArray]:
    """`zeros_like`, `ones_like`: all border."""

    def rule(x: PaddedArray, dtype: Any = None, **options: Any) -> PaddedArray:
        fill = np.full_like(x.core, value, dtype=dtype, shape=x.lead + (1,) * x.rank)
        return PaddedArray._empty(fill, [Span(s.total, 0, 0) for s in x.spans])

    return rule


def _compared(name: str, test: Callable[[Any, Any], Any]) -> Callable[..., bool]:
    def rule(a: Any, b: Any, **options: Any) -> bool:
        if np.shape(a) != np.shape(b):
            return False
        return bool(np.all(elementwise(name, lambda u, v: test(u, v, **options), a, b)))

    return rule


def _equal(u: Any, v: Any, equal_nan: bool = False) -> Any:
    return (u == v) | (equal_nan & (u != u) & (v != v))


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    """`argmax`, `argmin`: over the whole virtual array, or over channels."""
    name = f"np.{function.__name__}"

    def rule(x: PaddedArray, axis: Any = None, *, keepdims: Any = False) -> Any:
        channel = x.ndim - x.rank - 1
        if axis is not None:
            if normalized(x, axis) != (channel,) or not keepdims:
                refuse(
                    name,
                    f"a position in the border varies along axis {axis}",
                    f"pass axis=None, or axis={channel} with keepdims=True",
                )
            found = function(x.core, axis=channel, keepdims=True)
            return x._make(found, x.spans, function(x.fill, axis=channel, keepdims=True))
        if any(length > 1 for length in x.period) and x.n_pad:
            refuse(name, "the fill is periodic", "materialize() first")
        places = [0] * x.rank  # of the first border position
        if x.core.size and not any(span.before for span in x.spans):
            last = max((k for k, span in enumerate(x.spans) if span.after), default=0)
            places[last] = x.spans[last].size
        found = []
        for lead in np.ndindex(x.lead):
            if x.core.size:
                inside = np.unravel_index(int(function(x.core[lead])), x.core.shape[-x.rank :])
                place = [span.before + int(i) for span, i in zip(x.spans, inside, strict=True)]
                value = x.core[lead][inside].item()
                found.append((np.ravel_multi_index((*lead, *place), x.shape), value))
            if x.n_pad:
                value = window(x.fill, [(0, 1)] * x.rank, x.lead)[lead].ravel()[0].item()
                found.append((np.ravel_multi_index((*lead, *places), x.shape), value))
        found.sort(key=lambda pair: pair[0])
        return found[int(function([value for _, value in found]))][0]

    return rule


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.clip: _clip,
    np.nan_to_num: _mapped(np.nan_to_num),
    np.round: lambda x, decimals=0: _mapped(np.round)(x, decimals=decimals),
    np.real: _mapped(np.real),
    np.imag: _mapped(np.imag),
    np.copy: _copy,
    np.zeros_like: _constant(0),
    np.ones_like: _constant(1),
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
    np.array_equal: _compared("np.array_equal", _equal),
    np.allclose: _compared("np.allclose", np.isclose),
    np.isclose: lambda a, b, **options: elementwise(
        "np.isclose", lambda u, v: np.isclose(u, v, **options), a, b
    ),
    np.sum: _reduction(np.add, typed=True),
    np.prod: _reduction(np.multiply, typed=True),
    np.max: _reduction(np.maximum),
    np.min: _reduction(np.minimum),
    np.amax: _reduction(np.maximum),
    np.amin: _reduction(np.minimum),
    np.any: _reduction(np.logical_or),
    np.all: _reduction(np.logical_and),
    np.mean: mean,
    np.var: var,
    np.std: std,
    np.argmax: _extreme(np.argmax),
    np.argmin: _extreme(np.argmin),
    np.concatenate: concatenate,
    np.flip: flip,
    np.transpose: transpose,
    np.pad: pad,
}
