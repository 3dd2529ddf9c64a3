"""Gradients of padded arrays: on the core, and summed over the border for each value of the fill.

With E the linear map from (core, fill) to the explicit array, an operation that keeps borders
implicit satisfies op(E x) = E' op(x). Transposed, with g the gradient of the explicit result:
Eᵀ opᵀ g = opᵀ (E'ᵀ g). So the pair E'ᵀ g, which `PaddedGrad` holds, is all that any rule reads, at
every depth and for any g; memory and time follow the core.

Rules here and in the modules beside follow the structure of a call alone (virtual sizes, cores,
periods), never values: phases that happen to be equal stay apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._backend import as_array
from .array import PaddedArray
from .elementwise import _aligned
from .fills import tiled
from .spans import Spans, within


class PaddedGrad:
    """Gradient of a `PaddedArray`.

    Parameters
    ----------
    core : array, shape of the array's core
    fill : array, shape of the array's fill
        For each value, the sum of the gradient over the border positions that hold it.

    Examples
    --------
    The gradient of a sum over the virtual array is 1 everywhere:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = ip.PaddedArray(np.zeros((1, 1, 2, 2)), 1, 5.0)
    >>> ip.PaddedGrad.of(x, np.ones((1, 1, 4, 4))).fill
    array([[[[12.]]]])
    """

    __slots__ = ("core", "fill")

    def __init__(self, core: Any, fill: Any) -> None:
        self.core, self.fill = core, fill

    @classmethod
    def of(cls, x: PaddedArray, gradient: Any) -> PaddedGrad:
        """From the gradient of the explicit array."""
        if np.shape(gradient) != x.shape:
            raise ValueError(
                f"PaddedGrad.of: the gradient must have the virtual shape {x.shape}, got "
                f"{np.shape(gradient)}; pass that of the explicit array."
            )
        return returned(
            x,
            [(0, span.total) for span in x.spans],
            as_array("PaddedGrad.of", "gradient", gradient),
        )

    def __add__(self, other: PaddedGrad) -> PaddedGrad:
        """Of an array that was used twice."""
        if not isinstance(other, PaddedGrad):
            return NotImplemented
        return PaddedGrad(self.core + other.core, self.fill + other.fill)

    def __repr__(self) -> str:
        return f"PaddedGrad(core {self.core.shape}, fill {self.fill.shape}, {self.core.dtype})"


def check(function: str, grad: Any, y: PaddedArray) -> None:
    """Whether `grad` is one of `y`."""
    if not isinstance(grad, PaddedGrad):
        raise TypeError(
            f"{function}: grad_output must be a PaddedGrad, as the output is a PaddedArray, got "
            f"{type(grad).__name__}; pass PaddedGrad.of(output, gradient)."
        )
    if grad.core.shape != y.core.shape or grad.fill.shape != y.fill.shape:
        raise ValueError(
            f"{function}: grad_output must have the output's core {y.core.shape} and fill "
            f"{y.fill.shape}, got {grad.core.shape} and {grad.fill.shape}; pass the gradient of "
            "that output."
        )


def folded(grad: Any, start: Sequence[int], shape: Sequence[int]) -> Any:
    """Transpose of `tiled`: a box of gradients summed into a fill of the given shape."""
    rank = len(start)
    for axis, first in enumerate(start):
        place = axis - rank
        period = shape[place]
        starts = [slice((p - first) % period, None, period) for p in range(period)]
        after = (slice(None),) * (-place - 1)
        parts = [grad[within((start, *after))].sum(axis=place) for start in starts]
        grad = np.stack(parts, axis=place)
    if len(shape) == rank + 2 and shape[0] == 1:
        grad = grad.sum(axis=0, keepdims=True)
    return grad


def returned(x: PaddedArray, box: Sequence[tuple[int, int]], grad: Any) -> PaddedGrad:
    """Transpose of reading a box of `x`: its gradient on the core, the rest into the fill."""
    start = [first for first, _ in box]
    core = np.zeros_like(x.core, dtype=grad.dtype)
    inside, source = [], []
    for span, (first, stop) in zip(x.spans, box, strict=True):
        low, high = max(first, span.before), min(stop, span.stop)
        if low >= high:
            return PaddedGrad(core, folded(grad, start, x.fill.shape))
        inside.append(slice(low - first, high - first))
        source.append(slice(low - span.before, high - span.before))
    core[within(source)] = grad[within(inside)]
    if all(
        part.stop - part.start == n for part, n in zip(inside, grad.shape[-x.rank :], strict=True)
    ):
        return PaddedGrad(core, np.zeros_like(grad, shape=x.fill.shape))
    rest = grad.copy()
    rest[within(inside)] = 0
    return PaddedGrad(core, folded(rest, start, x.fill.shape))


def outline(x: PaddedArray, spans: Spans, channels: int, period: Sequence[int]) -> PaddedArray:
    """What an operation makes of `x`, without values."""
    nothing = np.zeros_like(x.fill, shape=())
    lead = (*x.lead[:-1], channels)
    samples = x.fill.shape[: len(lead) - 1] if spans[0].size else lead[:-1]
    return PaddedArray._make(
        np.broadcast_to(nothing, lead + tuple([span.size for span in spans])),
        spans,
        np.broadcast_to(nothing, (*samples, channels, *period)),
    )


def shared(grad: Any, x: PaddedArray) -> Any:
    """The gradient of the fill of `x`, summed over samples where they share it."""
    alike = x.ndim - x.rank == 2 and x.fill.shape[0] == 1 != grad.shape[0]
    return grad.sum(axis=0, keepdims=True) if alike else grad


def paired(grad: Any, x: Any) -> PaddedGrad:
    """The gradient of a padded or ordinary array as one of core and fill."""
    if isinstance(x, PaddedArray):
        return grad
    return PaddedGrad(grad, np.zeros_like(grad, shape=PaddedArray(x).fill.shape))


def unpaired(grad: PaddedGrad, x: Any) -> Any:
    """The reverse of `paired`."""
    return grad if isinstance(x, PaddedArray) else grad.core


def mapped_backward(grad: PaddedGrad, x: PaddedArray, slope: Callable[[Any], Any]) -> PaddedGrad:
    """Of a function of one array; `slope` is its derivative."""
    return PaddedGrad(grad.core * slope(x.core), shared(grad.fill * slope(x.fill), x))


def elementwise_backward(
    grad: PaddedGrad, operands: Sequence[Any], derivatives: Sequence[Callable[..., Any]]
) -> list[PaddedGrad | None]:
    """Of `elementwise`: one derivative for each operand, a function of them all.

    None for operands that are not padded arrays.
    """
    given, spans, period = _aligned("elementwise_backward", operands)
    box = [(span.before, span.stop) for span in spans]
    phases = [(0, length) for length in period]
    cores = [a._read(box) if isinstance(a, PaddedArray) else a for a in given]
    fills = [tiled(a.fill, phases) if isinstance(a, PaddedArray) else a for a in given]
    found: list[PaddedGrad | None] = []
    for operand, derivative in zip(given, derivatives, strict=True):
        if not isinstance(operand, PaddedArray):
            found.append(None)
            continue
        inner = returned(operand, box, grad.core * derivative(*cores))
        outer = np.broadcast_to(grad.fill * derivative(*fills), grad.fill.shape)
        fill = folded(outer, [0] * operand.rank, operand.fill.shape)
        found.append(PaddedGrad(inner.core, inner.fill + fill))
    return found


def concatenate_backward(
    grad: PaddedGrad, arrays: Sequence[PaddedArray], spans: Spans
) -> list[PaddedGrad]:
    """Of joining on channels; `spans` are those of the result."""
    box = [(span.before, span.stop) for span in spans]
    found, first = [], 0
    for x in arrays:
        channels = (..., slice(first, first + x.lead[-1]), *(slice(None),) * x.rank)
        first += x.lead[-1]
        inner = returned(x, box, grad.core[channels])
        fill = folded(grad.fill[channels], [0] * x.rank, x.fill.shape)
        found.append(PaddedGrad(inner.core, inner.fill + fill))
    return found


def crop_backward(
    grad: PaddedGrad, x: PaddedArray, before: Sequence[int], size: Sequence[int]
) -> PaddedGrad:
    """Of taking `size` positions from `before` on."""
    core = np.zeros_like(x.core, dtype=grad.core.dtype)
    kept = [
        span.sliced(cut, cut + length, 1)[1]
        for span, cut, length in zip(x.spans, before, size, strict=True)
    ]
    if grad.core.size:
        core[within(kept)] = grad.core
    fill = np.roll(grad.fill, list(before), axis=tuple(range(-x.rank, 0)))
    return PaddedGrad(core, fill)
