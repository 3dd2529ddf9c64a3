"""Gradients of resizing, and of channels moved into space and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .array import PaddedArray
from .gradients import PaddedGrad, folded, outline, returned
from .resizing import Resampling, linear, shuffled, terms, unshuffled
from .spans import canonical, within


def repeat_backward(grad: PaddedGrad, x: PaddedArray, factors: Sequence[int]) -> PaddedGrad:
    """Of nearest neighbour upsampling."""
    core, fill = grad.core, grad.fill
    for place, factor in zip(range(-x.rank, 0), factors, strict=True):
        core = _summed(core, place, factor)
        if x.fill.shape[place] > 1:
            fill = _summed(fill, place, factor)
    return PaddedGrad(core, fill)


def interpolate_backward(grad: PaddedGrad, x: PaddedArray, sizes: Sequence[int]) -> PaddedGrad:
    """Of linear interpolation: axis by axis, from the last to the first."""
    stages: list[tuple[PaddedArray, int, Resampling]] = []
    for axis, size in enumerate(sizes):
        if size != x.spans[axis].total:
            to = linear(x.spans[axis], size)
            stages.append((x, axis, to))
            spans = canonical((*x.spans[:axis], to.span, *x.spans[axis + 1 :]))
            x = outline(x, spans, x.lead[-1], x.period)
    for x, axis, to in reversed(stages):
        grad = _resampled_backward(grad, x, axis, to)
    return grad


def pixel_shuffle_backward(grad: PaddedGrad, factors: Sequence[int]) -> PaddedGrad:
    """Of `pixel_shuffle`, which only moves values."""
    return PaddedGrad(unshuffled(grad.core, factors), unshuffled(grad.fill, factors))


def pixel_unshuffle_backward(
    grad: PaddedGrad, x: PaddedArray, factors: Sequence[int]
) -> PaddedGrad:
    """Of `pixel_unshuffle`, which reads whole blocks around the core."""
    fill = folded(shuffled(grad.fill, factors), [0] * x.rank, x.fill.shape)
    if not x.core.size:
        return PaddedGrad(np.zeros_like(x.core), fill)
    box = [(s.before // f * f, -(-s.stop // f) * f) for s, f in zip(x.spans, factors, strict=True)]
    inner = returned(x, box, shuffled(grad.core, factors))
    return PaddedGrad(inner.core, inner.fill + fill)


def _resampled_backward(grad: PaddedGrad, x: PaddedArray, axis: int, to: Resampling) -> PaddedGrad:
    fill = folded(grad.fill, [0] * x.rank, x.fill.shape)  # the weights of an output sum to 1
    if not to.span.size:
        return PaddedGrad(np.zeros_like(x.core), fill)
    place = axis - x.rank
    box = [(s.before, s.stop) for s in x.spans]
    box[axis] = to.reach
    shape = x.lead + tuple([stop - start for start, stop in box])
    read = np.zeros_like(grad.core, shape=shape)
    for tap, weight in terms(to, x, place):
        term = grad.core * np.asarray(weight, like=read)
        first = np.flatnonzero(np.diff(tap, prepend=-1))  # outputs that share a tap are neighbours
        length = np.diff(first, append=len(tap))
        for n in range(length.max()):
            row = first[length > n] + n
            where = within([np.asarray(tap[row], like=read), *(slice(None),) * (-place - 1)])
            read[where] += np.take(term, np.asarray(row, like=read), axis=place)
    inner = returned(x, box, read)
    return PaddedGrad(inner.core, inner.fill + fill)


def _summed(a: Any, place: int, factor: int) -> Any:
    """Sums of neighbours."""
    axis = a.ndim + place
    shape = (*a.shape[:axis], a.shape[axis] // factor, factor, *a.shape[axis + 1 :])
    return a.reshape(shape).sum(axis=axis + 1)
