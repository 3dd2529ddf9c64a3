"""Gradients of normalisation: the border enters through the sums of its gradient alone.

With x̂ = r (x − mean), r = 1/√(variance + ε), y = weight x̂ + bias and g' = weight g, where mean and
variance are those of x itself: dx = r (g' − mean(g') − x̂ mean(g' x̂)), all means over the same
elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .array import PaddedArray
from .gradients import PaddedGrad, shared
from .normalization import batch_moments, by_channel, group_moments, softmax_along
from .reductions import phase_counts

Gradients = tuple[PaddedGrad, Any, Any]  # for the input, weight and bias


def affine_backward(
    grad: PaddedGrad, x: PaddedArray, mean: Any, variance: Any, weight: Any, epsilon: float
) -> Gradients:
    """Of `batch_norm` with given mean and variance."""
    centre, r = by_channel(x, mean), _inverse(by_channel(x, variance), epsilon)
    parameters = _by_parameter(grad, (x.core - centre) * r, (x.fill - centre) * r, x.rank)
    core, fill = _weighted(grad, x, weight)
    return PaddedGrad(core * r, shared(fill * r, x)), *parameters


def batch_norm_backward(grad: PaddedGrad, x: PaddedArray, weight: Any, epsilon: float) -> Gradients:
    """Of `batch_norm` with the statistics of the batch."""
    batch = tuple(range(x.ndim - x.rank - 1))

    def over_batch(sums: Any) -> Any:
        return sums.sum(axis=batch, keepdims=True)

    number = x.size // x.lead[-1]
    return _standardized(grad, x, *batch_moments(x), over_batch, number, weight, epsilon)


def group_norm_backward(
    grad: PaddedGrad, x: PaddedArray, groups: int, weight: Any, epsilon: float
) -> Gradients:
    """Of `group_norm`."""
    channels, axis = x.lead[-1] // groups, -x.rank - 1

    def over_groups(sums: Any) -> Any:
        grouped = sums.reshape(*sums.shape[:axis], groups, channels, *sums.shape[-x.rank :])
        total = grouped.sum(axis=axis, keepdims=True)
        return np.broadcast_to(total, grouped.shape).reshape(sums.shape)

    number = channels * math.prod(x.shape[-x.rank :])
    return _standardized(grad, x, *group_moments(x, groups), over_groups, number, weight, epsilon)


def layer_norm_backward(grad: PaddedGrad, x: PaddedArray, weight: Any, epsilon: float) -> Gradients:
    """Of `layer_norm`: core and fill are normalised apart, each position alone."""
    channel = x.ndim - x.rank - 1

    def mean(a: Any) -> Any:
        return a.mean(axis=channel, keepdims=True)

    def normalized(a: Any) -> tuple[Any, Any]:
        centred = a - mean(a)
        r = _inverse(mean(np.square(centred)), epsilon)
        return centred * r, r

    (core, r_core), (fill, r_fill) = normalized(x.core), normalized(x.fill)
    parameters = _by_parameter(grad, core, fill, x.rank)
    inner, outer = _weighted(grad, x, weight)
    inner = r_core * (inner - mean(inner) - core * mean(inner * core))
    outer = r_fill * (outer - mean(outer) - fill * mean(outer * fill))
    return PaddedGrad(inner, shared(outer, x)), *parameters


def softmax_backward(grad: PaddedGrad, x: PaddedArray) -> PaddedGrad:
    """Of `softmax` over the channels: dx = y (g − Σ g y)."""
    channel = x.ndim - x.rank - 1

    def back(g: Any, a: Any) -> Any:
        y = softmax_along(a, channel)
        return y * (g - (g * y).sum(axis=channel, keepdims=True))

    return PaddedGrad(back(grad.core, x.core), shared(back(grad.fill, x.fill), x))


def _standardized(
    grad: PaddedGrad,
    x: PaddedArray,
    mean: Any,
    variance: Any,
    total: Callable[[Any], Any],
    number: int,
    weight: Any,
    epsilon: float,
) -> Gradients:
    """By statistics of the virtual area; `total` adds up what has one mean, `number` elements."""
    r = _inverse(variance, epsilon)
    core, fill = (x.core - mean) * r, (x.fill - mean) * r
    parameters = _by_parameter(grad, core, fill, x.rank)
    inner, outer = _weighted(grad, x, weight)
    space = tuple(range(-x.rank, 0))

    def average(on_core: Any, on_fill: Any) -> Any:
        sums = [total(a.sum(axis=space, keepdims=True)) for a in (on_core, on_fill)]
        return (sums[0] + sums[1]) / number

    first, second = average(inner, outer), average(inner * core, outer * fill)
    # How many border positions hold each value of the output's fill, in all samples that share it.
    batch, samples = x.lead[:-1], outer.shape[: -x.rank - 1]
    held = phase_counts(x) * (1 if samples == batch else math.prod(batch))
    inner = r * (inner - first - core * second)
    outer = r * (outer - np.asarray(held, x.dtype, like=x.core) * (first + fill * second))
    return PaddedGrad(inner, shared(outer, x)), *parameters


def _inverse(variance: Any, epsilon: float) -> Any:
    return 1 / np.sqrt(variance + variance.dtype.type(epsilon))


def _weighted(grad: PaddedGrad, x: PaddedArray, weight: Any) -> tuple[Any, Any]:
    if weight is None:
        return grad.core, grad.fill
    scale = by_channel(x, weight)
    return grad.core * scale, grad.fill * scale


def _by_parameter(grad: PaddedGrad, core: Any, fill: Any, rank: int) -> tuple[Any, Any]:
    """Sums for each channel: of the gradient times the normalised array, and of the gradient."""
    others = tuple([axis for axis in range(core.ndim) if axis != core.ndim - rank - 1])
    weight = (grad.core * core).sum(axis=others) + (grad.fill * fill).sum(axis=others)
    return weight, grad.core.sum(axis=others) + grad.fill.sum(axis=others)
