"""NumPy's elementwise functions: f on the core and f on the fill."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from .._backend import backend_of
from .array import PaddedArray
from .fills import refuse, tiled
from .spans import Span, Spans, union, within


def apply_ufunc(
    ufunc: np.ufunc, method: str, inputs: Sequence[Any], options: dict[str, Any]
) -> Any:
    """What NumPy calls for a ufunc with a PaddedArray among its arguments."""
    name = f"np.{ufunc.__name__}"
    out = options.pop("out", None)
    where = options.pop("where", True)
    if where is not True:
        refuse(name, "where= would vary over the border", "use np.where")
    if method == "reduce":
        from .reductions import reduce

        if out is not None:
            refuse(f"{name}.reduce", "out= has no rule", "drop out=")
        return reduce(ufunc, *inputs, **options)
    if method != "__call__" or ufunc.signature is not None:
        refuse(
            name if method == "__call__" else f"{name}.{method}",
            "its result depends on the position in the border",
            "materialize() first",
        )
    for target in out or ():
        if isinstance(target, PaddedArray) and target._is_view:
            refuse(
                name,
                "out is a view of another PaddedArray, whose border would not follow",
                "drop out= (write a = a + b instead of a += b)",
            )
    if out is None:
        return elementwise(name, lambda *a: ufunc(*a, **options), *inputs)
    if (in_place := _in_place(ufunc, inputs, out, options)) is not None:
        return in_place
    result = elementwise(name, lambda *a: ufunc(*a, **options), *inputs)
    results = result if isinstance(result, tuple) else (result,)
    for given, value in zip(out, results, strict=True):
        if given is not None:
            _store(name, given, value)
    stored = tuple([v if o is None else o for o, v in zip(out, results, strict=True)])
    return stored if len(stored) > 1 else stored[0]


def elementwise(name: str, function: Callable[..., Any], *operands: Any) -> Any:
    """`function` of padded arrays of one virtual shape and of values that do not vary in space."""
    given, spans, period = _aligned(name, operands)
    box = [(span.before, span.stop) for span in spans]
    phases = [(0, length) for length in period]
    cores = [a._read(box) if isinstance(a, PaddedArray) else a for a in given]
    fills = [tiled(a.fill, phases) if isinstance(a, PaddedArray) else a for a in given]
    core = function(*cores)
    # Where no border exists, its value may not warn.
    whole = all(span.size == span.total for span in spans)
    with np.errstate(all="ignore") if whole else nullcontext():
        fill = function(*fills)
    if isinstance(core, tuple):
        return tuple([_joined(c, spans, f) for c, f in zip(core, fill, strict=True)])
    return _joined(core, spans, fill)


def _joined(core: Any, spans: Spans, fill: Any) -> PaddedArray:
    fill = fill.reshape((1,) * (core.ndim - fill.ndim) + fill.shape)
    channel = core.ndim - len(spans) - 1
    shape = (*fill.shape[:channel], core.shape[channel], *fill.shape[channel + 1 :])
    return PaddedArray._make(core, spans, np.broadcast_to(fill, shape))


def _aligned(name: str, operands: Sequence[Any]) -> tuple[list[Any], Spans, list[int]]:
    """Operands that fit together, the union of their cores, and their common period."""
    padded = [a for a in operands if isinstance(a, PaddedArray)]
    sizes = {tuple([span.total for span in a.spans]) for a in padded}
    if len(sizes) > 1:  # arrays of virtual size 1 broadcast
        sizes = {size for size in sizes if any(total != 1 for total in size)}
    if len(sizes) > 1:
        raise ValueError(
            f"{name}: virtual shapes must agree in space, got "
            f"{' and '.join(str(a.shape) for a in padded)}; crop with x[...] or extend()."
        )
    size = sizes.pop()
    given = [_operand(name, a, size) for a in operands]
    cores = [a.core if isinstance(a, PaddedArray) else a for a in given]
    backend_of(name, **{f"operand {n}": a for n, a in enumerate(cores, 1) if np.ndim(a)})
    padded = [a for a in given if isinstance(a, PaddedArray)]
    spans = union([a.spans for a in padded])
    return (
        given,
        spans,
        [math.lcm(*lengths) for lengths in zip(*[a.period for a in padded], strict=True)],
    )


def _operand(name: str, operand: Any, size: tuple[int, ...]) -> Any:
    if isinstance(operand, PaddedArray):
        varies = tuple([span.total for span in operand.spans]) == size
        return operand if varies else operand.materialize()
    if isinstance(operand, (bool, int, float, complex, np.generic)):
        return operand
    array = operand if hasattr(operand, "shape") else np.asarray(operand)
    if any(length != 1 for length in array.shape[-len(size) :]):
        refuse(
            name,
            f"an explicit array of shape {array.shape} varies over the border of virtual shape "
            f"(…, {', '.join(map(str, size))})",
            "pass one with spatial size 1, or PaddedArray(array), which makes everything core",
        )
    return array if array.ndim else array[()]


def _in_place(
    ufunc: np.ufunc, inputs: Sequence[Any], out: Sequence[Any], options: dict[str, Any]
) -> PaddedArray | None:
    """Write straight into the core of `out`, without a temporary, where all cores coincide."""
    target = out[0]
    if len(out) != 1 or not isinstance(target, PaddedArray):
        return None
    given, spans, _ = _aligned(f"np.{ufunc.__name__}", inputs)
    padded = [a for a in given if isinstance(a, PaddedArray)]
    if (
        any(a.spans != target.spans or a.lead != target.lead for a in padded)
        or spans != target.spans
    ):
        return None
    borders = [_only_fill(a) if isinstance(a, PaddedArray) else a for a in given]
    with nullcontext() if target.n_pad else np.errstate(all="ignore"):
        fill = elementwise(f"np.{ufunc.__name__}", lambda *a: ufunc(*a, **options), *borders).fill
    if not np.can_cast(fill.dtype, target.dtype, "same_kind") or fill.shape[: -len(spans)] not in (
        target.lead,
        (1, *target.lead[1:]),
    ):
        return None
    cores = [a.core if isinstance(a, PaddedArray) else a for a in given]
    ufunc(*cores, out=(target.core,), **options)
    target._fill = fill.astype(target.dtype)
    return target


def _only_fill(x: PaddedArray) -> PaddedArray:
    """The border alone."""
    spans = [Span(span.total, 0, 0) for span in x.spans]
    return PaddedArray._make(x.core[within((slice(0, 0),) * x.rank)], spans, x.fill)


def _store(name: str, out: Any, value: PaddedArray) -> None:
    if out.shape != value.shape:
        raise ValueError(
            f"{name}: out must have shape {value.shape}, got {out.shape}; pass a fitting one."
        )
    if not np.can_cast(value.dtype, out.dtype, "same_kind"):
        raise TypeError(
            f"{name}: the result's {value.dtype} cannot be stored in out's {out.dtype}; drop out=."
        )
    if not isinstance(out, PaddedArray):
        value.materialize(out)
        return
    for mine, needed in zip(out.spans, value.spans, strict=True):
        if needed.size and not (mine.before <= needed.before and needed.stop <= mine.stop):
            refuse(
                name,
                f"the core of out, {mine.size} at {mine.before}, does not hold the result's, "
                f"{needed.size} at {needed.before}",
                "drop out= (write a = a + b instead of a += b)",
            )
    if out.core.size:
        value._read([(span.before, span.stop) for span in out.spans], out.core)
    out._fill = value.fill.astype(out.dtype)
